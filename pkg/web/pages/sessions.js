// The list of conversations, to go on with and to rename.

import { h, fill, ago, problem } from "./dom.js";
import { get, post, path } from "./api.js";

export async function sessions(page) {
  page.title("Sessions");
  const [list, live] = await Promise.all([get(path("sessions")), get(path("dispatches"))]);
  const running = new Set(live.map((d) => d.session));
  const known = new Set(list.map((s) => s.id));
  const unsaved = live.filter((d) => !known.has(d.session)).map((d) => ({ id: d.session, title: "A conversation that has just begun", runner: d.runner, updatedAt: d.startedAt, fresh: true }));
  const rows = [...unsaved, ...list].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1));
  const body = h("ul", { class: "rows" });
  const filter = h("input", { type: "search", placeholder: "Find a session", "aria-label": "Find a session" });
  const draw = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const some = rows.filter((s) => words.every((w) => s.title.toLowerCase().includes(w) || s.id.startsWith(w)));
    fill(body, some.map((s) => row(s, running.has(s.id))));
    if (some.length === 0) fill(body, h("li", { class: "quiet", text: rows.length === 0 ? "No conversation yet." : "None is called so." }));
  };
  filter.addEventListener("input", draw);
  draw();
  page.show(h("h1", { text: "Sessions" }), h("p", { class: "toolbar" }, filter, h("a", { class: "button primary", href: "/", text: "New chat" })), body);
}

function row(s, live) {
  const li = h("li");
  const view = () => fill(li, h("div", { class: "line" }, h("a", { class: "main", href: `/chat/${encodeURIComponent(s.id)}`, text: s.title || s.id }),
    live && h("span", { class: "badge live", text: "live" }), !s.fresh && h("button", { type: "button", class: "plain", text: "Rename", "aria-label": `Rename ${s.title}`, onclick: edit })),
  h("p", { class: "quiet" }, ago(s.updatedAt), s.runner !== "vexa" && ` · ${s.runner}`));
  const edit = () => {
    const input = h("input", { type: "text", value: s.title, maxlength: "200", "aria-label": "Title" });
    const form = h("form", { class: "line" }, input, h("button", { type: "submit", class: "primary", text: "Rename" }), h("button", { type: "button", text: "Cancel", onclick: () => { view(); li.querySelector("button").focus(); } }));
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      try {
        s.title = (await post(path("sessions", s.id, "rename"), { title: input.value.trim() })).title;
        view();
        li.querySelector("button").focus();
      } catch (err) {
        li.append(problem(err));
      }
    });
    form.addEventListener("keydown", (e) => { if (e.key === "Escape") { view(); li.querySelector("button").focus(); } });
    fill(li, form);
    input.focus();
    input.select();
  };
  view();
  return li;
}
