// The frame around the views: signing in, the address, and what shows it.

import { h, fill, problem } from "./dom.js";
import { signIn, session, signOut, onAway, Failure } from "./api.js";
import { Hub } from "./stream.js";
import { chat } from "./chat.js";

const main = document.getElementById("main");
const linkState = document.getElementById("link-state");

// routes are the views by their address. Those that are not the first are loaded when
// they are looked at.
const routes = [
  [/^\/$/, (page) => chat(page, "")],
  [/^\/chat\/([^/]+)$/, chat],
  [/^\/sessions$/, async (page) => (await import("./sessions.js")).sessions(page)],
  [/^\/dispatches$/, async (page) => (await import("./dispatches.js")).dispatches(page)],
  [/^\/dispatches\/([^/]+)$/, async (page, id) => (await import("./dispatches.js")).dispatch(page, id)],
  [/^\/workspaces$/, async (page) => (await import("./workspaces.js")).workspaces(page)],
  [/^\/workspaces\/([^/]+)$/, async (page, name) => (await import("./workspaces.js")).workspace(page, name)],
  [/^\/proposals$/, async (page) => (await import("./proposals.js")).proposals(page)],
  [/^\/proposals\/([^/]+)\/([^/]+)$/, async (page, ws, id) => (await import("./proposals.js")).proposal(page, ws, id)],
];

const patience = 15_000; // ms without the daemon, after which a person is told what to do

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
  replace(to) { history.replaceState(null, "", to); mark(); }

  end() {
    this.over = true;
    for (const f of this.leaving) f();
  }
}

let hub;

async function render(focus = true) {
  current?.end();
  const page = new Page(hub);
  current = page;
  mark();
  document.title = "Vexa";
  const found = routes.map(([re, view]) => [re.exec(location.pathname), view]).find(([m]) => m);
  try {
    if (!found) throw { message: "there is no such page" };
    page.slow = setTimeout(() => page.show(h("p", { class: "quiet", text: "Loading …" })), 150);
    page.leave(() => clearTimeout(page.slow));
    await found[1](page, ...found[0].slice(1).map(decodeURIComponent));
  } catch (err) {
    if (page.over) return;
    if (!(err instanceof Failure) && err instanceof Error) console.error(err);
    page.show(problem(err));
  }
  if (focus && !page.over && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

function navigate(to) {
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
window.addEventListener("popstate", () => {
  if (location.pathname + location.search !== shown) render();
});

const leave = document.getElementById("sign-out");
leave.addEventListener("click", async () => {
  try {
    await signOut();
    signedOut();
  } catch (err) {
    fill(main, problem(err));
  }
});

function signedOut(err) {
  leave.hidden = true;
  hub?.close();
  current?.end();
  fill(main, h("div", { class: "sign-in" }, h("h1", { text: "Sign in" }),
    err?.hint && h("p", {}, err.message.charAt(0).toUpperCase() + err.message.slice(1) + "."),
    h("p", {}, "Run this in a terminal on this machine, and these pages open:"), h("pre", {}, h("code", { text: "vexa web" })),
    h("p", { class: "quiet", text: "Its link signs in once, within a minute." })));
  linkState.textContent = "";
}

// The secret of a link leaves the address before anything else happens.
async function begin() {
  const secret = /^#sign-in=([\w-]+)$/.exec(location.hash)?.[1];
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
  leave.hidden = false;
  let late;
  hub = new Hub((state) => {
    document.documentElement.dataset.link = state;
    linkState.textContent = state === "waiting" ? "connecting …" : "";
    clearTimeout(late);
    if (state === "waiting") late = setTimeout(() => { linkState.textContent = "no answer: run vexa web"; }, patience);
  });
  await render(false);
}

begin();
