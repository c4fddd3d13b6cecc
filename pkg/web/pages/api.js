// Requests to the daemon. The cookie says who is here; the token, which this page alone
// has, goes with whatever changes something.

let token = "";

// Failure is what the daemon says when it does not do something.
export class Failure extends Error {
  constructor(status, body) {
    super(body.message || `the daemon answered ${status}`);
    this.status = status;
    this.code = body.code || "internal";
    this.hint = body.hint || "";
  }
}

// unreachable is what there is to say when nobody answers at all.
export const unreachable = () => new Failure(0, { code: "daemon_unreachable", message: "the daemon does not answer", hint: "The pages may have been closed. Open them again in a terminal with: vexa web" });

// away is told when nobody is signed in any more.
let away = () => {};
export const onAway = (f) => { away = f; };

async function failure(response) {
  let body = {};
  try {
    body = await response.json();
  } catch { /* no answer of the daemon's */ }
  return new Failure(response.status, body);
}

async function send(method, path, body, headers = {}) {
  const init = { method, headers, cache: "no-store", credentials: "same-origin", redirect: "error" };
  if (method !== "GET") {
    init.headers["Content-Type"] = "application/json";
    init.headers["Vexa-Token"] = token;
    init.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw unreachable();
  }
  if (response.ok) return response;
  const err = await failure(response);
  if (response.status === 401 && path !== "/session") away(err);
  throw err;
}

// signIn takes a link's secret for a session.
export async function signIn(secret) {
  token = (await (await send("POST", "/session", { secret })).json()).token;
}

// session finds out who is signed in already.
export async function session() {
  token = (await (await send("GET", "/session")).json()).token;
}

export async function signOut() {
  await send("DELETE", "/session");
}

// path joins parts of an address, none of which can leave its place.
export const path = (...parts) => "/api/" + parts.map(encodeURIComponent).join("/");

// withQuery adds what is not empty.
export function withQuery(address, query) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) q.set(name, value);
  const text = q.toString();
  return text ? `${address}?${text}` : address;
}

export const get = async (address) => (await send("GET", address)).json();
export const raw = async (address, headers) => send("GET", address, undefined, headers);

// post sends a request to change something.
export async function post(address, body) {
  const response = await send("POST", address, body);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw unreachable(); // the connection broke in the middle of the answer
  }
}
