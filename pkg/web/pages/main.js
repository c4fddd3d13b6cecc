// The frame around the views: signing in, the address, and what shows it.

import { h, fill, problem } from "./dom.js";
import { signIn, session, signOut, onAway, unreachable, Failure } from "./api.js";
import { Hub } from "./stream.js";
import { chat } from "./chat.js";
import { drop, resume } from "./outbox.js";
import { forget } from "./keep.js";

const main = document.getElementById("main");
const linkState = document.getElementById("link-state");

// later are the modules that the first view can do without. They are loaded once it is
// shown, so that each view is at hand when the daemon is not.
const later = {
  sessions: () => import("./sessions.js"), dispatches: () => import("./dispatches.js"),
  workspaces: () => import("./workspaces.js"), proposals: () => import("./proposals.js"),
};

async function module(name) {
  try {
    return await later[name]();
  } catch {
    throw unreachable(); // it is there where anybody is
  }
}

// routes are the views by their address.
const routes = [
  [/^\/$/, (page) => chat(page, "")],
  [/^\/chat\/([^/]+)$/, chat],
  [/^\/sessions$/, async (page) => (await module("sessions")).sessions(page)],
  [/^\/dispatches$/, async (page) => (await module("dispatches")).dispatches(page)],
  [/^\/dispatches\/([^/]+)$/, async (page, id) => (await module("dispatches")).dispatch(page, id)],
  [/^\/workspaces$/, async (page) => (await module("workspaces")).workspaces(page)],
  [/^\/workspaces\/([^/]+)$/, async (page, name) => (await module("workspaces")).workspace(page, name)],
  [/^\/proposals$/, async (page) => (await module("proposals")).proposals(page)],
  [/^\/proposals\/([^/]+)\/([^/]+)$/, async (page, ws, id) => (await module("proposals")).proposal(page, ws, id)],
];

const patience = 10_000; // ms without the daemon, after which a person is told what to do

let current = null;
let shown = ""; // the address of what is shown

// Page is what a view is given. It is over when another view is shown.
class Page {
  constructor(hub) {
    this.hub = hub;
    this.query = new URLSearchParams(location.search);
    this.leaving = [];
    this.over = false;
  }

  show(...nodes) {
    clearTimeout(this.slow);
    if (!this.over) fill(main, nodes);
  }

  title(text) { if (!this.over) document.title = text ? `${text} · Vexa` : "Vexa"; }
  leave(f) { this.leaving.push(f); }

  // go shows another address; replace says that this one is called otherwise.
  go(to) { navigate(to); }
  replace(to) {
    if (this.over) return;
    history.replaceState(null, "", to);
    mark();
  }

  end() {
    this.over = true;
    for (const f of this.leaving) f();
  }
}

let hub;
let late = 0; // the timer of patience, while the daemon is away

async function render(focus = true) {
  current?.end();
  const page = new Page(hub);
  current = page;
  mark();
  document.title = "Vexa";
  const found = routes.map(([re, view]) => [re.exec(location.pathname), view]).find(([m]) => m);
  try {
    if (!found) throw { code: "not_found", message: "there is no such page", remedy: h("a", { href: "/", text: "Go to the chat" }) };
    page.slow = setTimeout(() => page.show(h("p", { class: "quiet", text: "Loading …" })), 150);
    page.leave(() => clearTimeout(page.slow));
    await found[1](page, ...found[0].slice(1).map(decodeURIComponent));
  } catch (err) {
    if (page.over) return;
    if (!(err instanceof Failure) && err instanceof Error) console.error(err);
    const away = err.code === "daemon_unreachable";
    page.waits = away; // until somebody answers again
    const title = err.code === "not_found" ? "Not found" : "That did not work";
    page.title(title);
    page.show(h("h1", { text: title }), problem(away ? Object.assign(err, { remedy: h("button", { type: "button", text: "Try again", onclick: () => render() }) }) : err));
  }
  if (focus && !page.over && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

function navigate(to) {
  history.replaceState({ y: window.scrollY }, ""); // for who comes back
  history.pushState(null, "", to);
  window.scrollTo(0, 0);
  render();
}

// mark notes what is shown, in the navigation, too.
function mark() {
  shown = location.pathname + location.search;
  const first = "/" + (location.pathname.split("/")[1] ?? "");
  for (const a of document.querySelectorAll("nav a")) {
    const here = a.getAttribute("href") === (first === "/chat" ? "/" : first);
    if (here) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
}

// Links between views are followed without loading the page again.
document.addEventListener("click", (e) => {
  const a = e.target.closest?.("a");
  if (!a || e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || a.target || a.origin !== location.origin) return;
  const to = new URL(a.href);
  if (to.pathname === location.pathname && to.search === location.search && to.hash) return; // within the page
  e.preventDefault();
  navigate(to.pathname + to.search + to.hash);
});
const link = /^#sign-in=([\w-]+)$/;

window.addEventListener("popstate", async (e) => {
  const from = shown;
  if (link.test(location.hash)) begin(); // opened where the pages are already
  else if (location.pathname + location.search !== from) {
    await render();
    if (e.state && !main.querySelector(".composer")) goOn(e.state.y, from); // a chat has its own place: the end
  }
});

// goOn is where somebody was who comes back: as far down, and on the link that was followed.
function goOn(y, followed) {
  window.scrollTo(0, y);
  [...main.querySelectorAll("a")].find((a) => a.getAttribute("href") === followed)?.focus({ preventScroll: true });
}

const leave = document.getElementById("sign-out");
const nav = document.querySelector("header nav");
leave.addEventListener("click", async () => {
  try {
    await signOut();
    signedOut();
    drop();
    forget();
  } catch (err) {
    fill(main, problem(err));
  }
});

function signedOut(err) {
  leave.hidden = nav.hidden = true;
  hub?.close();
  current?.end();
  document.title = "Sign in · Vexa";
  const title = h("h1", { tabindex: "-1", text: "Sign in" });
  fill(main, h("div", { class: "sign-in" }, title,
    err?.hint && h("p", {}, err.message.charAt(0).toUpperCase() + err.message.slice(1) + "."),
    h("p", {}, "Run this in a terminal on this machine, and these pages open:"), h("pre", {}, h("code", { text: "vexa web" })),
    h("p", { class: "quiet", text: "Its link signs in once, within a minute." })));
  clearTimeout(late);
  linkState.textContent = "";
  title.focus({ preventScroll: true });
}

// The secret of a link leaves the address before anything else happens.
async function begin() {
  const secret = link.exec(location.hash)?.[1];
  if (location.hash) history.replaceState(null, "", location.pathname + location.search + (secret ? "" : location.hash));
  try {
    if (secret) await signIn(secret);
    else await session();
  } catch (err) {
    try {
      if (!secret) throw err;
      await session(); // the link was used, by this very browser
    } catch {
      if (err.status === 401 || err.status === 403) signedOut(secret ? err : null);
      else fill(main, problem(err));
      return;
    }
  }
  onAway(signedOut);
  leave.hidden = nav.hidden = false;
  hub?.close();
  clearTimeout(late);
  late = 0;
  hub = new Hub(connection);
  resume();
  await render(false);
  for (const name of Object.keys(later)) module(name).catch(() => {}); // it is tried again when it is looked at
}

// connection tells the person how it stands with the daemon. A view that could not be
// shown without one is shown once there is one.
function connection(state) {
  document.documentElement.dataset.link = state;
  if (state === "waiting") {
    if (late) return; // it has been so before, and the time runs
    linkState.textContent = "connecting …";
    late = setTimeout(() => { linkState.textContent = "no answer: run vexa web"; }, patience);
    return;
  }
  clearTimeout(late);
  late = 0;
  linkState.textContent = "";
  if (current?.waits) render();
}

begin();
