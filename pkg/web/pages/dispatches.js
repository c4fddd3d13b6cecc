// Dispatches: each run of an agent, with its record and its stream.

import { h, fill, ago, code, modelName, short, plural, problem, confirmed, keepFocus } from "./dom.js";
import { get, post, path, withQuery } from "./api.js";
import { Conversation } from "./conversation.js";
import { Reading } from "./items.js";
import { codeBlock } from "./markdown.js";

const refresh = 3_000; // ms between two looks at the list while something lives
const mostFrames = 2_000; // frames that are listed one by one

export async function dispatches(page) {
  page.title("Dispatches");
  const body = h("tbody");
  const all = h("input", { type: "checkbox", id: "all", checked: true });
  const note = h("p", { class: "quiet", role: "status" });
  let last = "";
  const draw = async () => {
    const list = await get(withQuery(path("dispatches"), { all: all.checked ? "1" : "" }));
    const now = JSON.stringify(list);
    if (now === last) return list;
    last = now;
    const titles = new Map((await get(path("sessions")).catch(() => [])).map((s) => [s.id, s.title]));
    if (now !== last) return list; // another look was quicker
    const live = list.filter((d) => !d.endedAt).length;
    note.textContent = list.length === 0 ? (all.checked ? "Nothing has run yet." : "Nothing runs.") : `${live === 0 ? "Nothing runs" : (live === 1 ? "One dispatch is live" : `${live} dispatches are live`)}.`;
    keepFocus(body, () => fill(body, list.sort((a, b) => (a.id < b.id ? 1 : -1)).map((d) => row(d, titles.get(d.session)))));
    return list;
  };
  all.addEventListener("change", () => draw().catch((err) => fill(note, problem(err))));
  await draw();
  const timer = setInterval(() => { if (document.visibilityState === "visible") draw().catch(() => {}); }, refresh);
  page.leave(() => clearInterval(timer));
  page.show(h("h1", { text: "Dispatches" }), h("p", { class: "toolbar" }, h("label", { class: "check", for: "all" }, all, " also those that have ended"), note),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Dispatches" }, h("table", { class: "list" },
      h("thead", {}, h("tr", {}, ["State", "Dispatch", "Conversation", "Started", "Runner", "Workspaces", "Turns", "Tokens"].map((t) => h("th", { scope: "col", text: t })))), body)));
}

// state is what a dispatch does: one that only waits for its next turn is idle.
function state(d) {
  const text = d.endedAt ? d.stopReason || d.state : d.state === "running" && !d.busy ? "idle" : d.state;
  return h("span", { class: `badge ${d.endedAt ? (d.stopReason === "failed" || d.stopReason === "lost" ? "bad" : "") : "live"}`, text });
}

function row(d, title) {
  return h("tr", {}, h("td", {}, state(d)), h("td", {}, h("a", { href: `/dispatches/${d.id}`, text: d.id })), h("td", { class: "title" }, chatOf(d, title)), h("td", {}, ago(d.startedAt)), h("td", { text: d.runner }),
    h("td", {}, grants(d)), h("td", { class: "number", text: d.turns }), h("td", { class: "number", text: d.tokens.toLocaleString("en") }));
}

const chatOf = (d, title) => h("a", { href: `/chat/${encodeURIComponent(d.session)}`, text: title || "open the chat" });

function grants(d) {
  return d.workspaces.map((w, i) => [i > 0 && ", ", h("a", { href: `/workspaces/${encodeURIComponent(w.name)}`, text: w.name }), w.mode === "ro" && " (read)"]);
}

export async function dispatch(page, id) {
  const d = await get(path("dispatches", id));
  page.title(`Dispatch ${short(d.id)}`);
  const record = h("div");
  const trouble = h("div");
  const title = h("h1", { tabindex: "-1" }, "Dispatch ", code(d.id));
  const ending = h("div"); // apart from the record, which is drawn anew while somebody is asked
  const draw = (x) => {
    keepFocus(record, () => fill(record, facts(x)));
    if (!x.endedAt && !ending.firstChild) fill(ending, end(x.id, title, reload));
    if (x.endedAt && ending.firstChild) {
      const had = ending.contains(document.activeElement);
      fill(ending);
      if (had) title.focus();
    }
  };
  const reload = async () => draw(await get(path("dispatches", d.id)));
  draw(d);

  const log = h("div", { class: "log", role: "log", "aria-label": "Conversation", "aria-live": "polite" });
  const conversation = new Conversation();
  const reading = new Reading(log, conversation, () => d.workspaces[0]?.name ?? "personal");
  const frames = h("tbody");
  const more = h("p", { class: "quiet" });
  let count = 0;
  page.leave(page.hub.follow(d.id, "", {
    frame: (f) => {
      reading.apply(f);
      count++;
      if (count <= mostFrames) frames.append(frameRow(f));
      else more.textContent = `${(count - mostFrames).toLocaleString("en")} more. All of them: vexa logs ${d.id} --json`;
      if (f.type === "turn-done" || f.type === "state") reload().catch(() => {});
    },
    end: () => reload().catch(() => {}),
    fail: (err) => fill(trouble, problem(err)),
  }));
  page.show(title, trouble, record, ending,
    h("h2", { text: "Conversation" }), h("div", { class: "chat" }, log),
    h("details", { class: "section" }, h("summary", { text: "Frames, one by one" }),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Frames" }, h("table", { class: "list frames" },
        h("thead", {}, h("tr", {}, ["No.", "Time", "From", "Type", "What"].map((t) => h("th", { scope: "col", text: t })))), frames)), more),
    d.unit && h("details", { class: "section" }, h("summary", { text: "Unit (contract unit.v1)" }), codeBlock(JSON.stringify(d.unit, null, 2))));
}

// end is the button that ends a dispatch.
function end(id, title, reload) {
  return h("p", { class: "actions" }, confirmed("End it", "End this dispatch? What it wrote is saved.", "End it", async () => {
    await post(path("dispatches", id, "stop"), {});
    title.focus();
    await reload();
    return null;
  }));
}

function facts(d) {
  const fact = (name, ...value) => h("div", {}, h("dt", { text: name }), h("dd", {}, value));
  return h("dl", { class: "facts" },
    fact("State", state(d), d.detail && ` ${d.detail}`),
    fact("Started", ago(d.startedAt)), d.endedAt && fact("Ended", ago(d.endedAt)),
    fact("On behalf of", d.subject), fact("Launched by", d.launcher),
    fact("Runner", d.runner), d.model && fact("Model", modelName(d.model)),
    fact("Workspaces", grants(d)), fact("Session", chatOf(d)),
    d.container && fact("Container", code(short(d.container))),
    fact("Used", `${plural(d.turns, "turn")}, ${plural(d.requests, "request")}, ${plural(d.tokens, "token")}`),
    d.commits?.length > 0 && fact("Commits", d.commits.map((c, i) => [i > 0 && ", ", h("a", { href: `/workspaces/${encodeURIComponent(named(d, c.workspace))}?commit=${c.sha}` }, code(short(c.sha))), !c.merged && " (kept aside)"])));
}

const named = (d, id) => d.workspaces.find((w) => w.id === id)?.name ?? id;

function frameRow(f) {
  const { seq, ts, source, type, unit, turn, agentSeq, ...rest } = f;
  return h("tr", {}, h("td", { class: "number", text: seq }), h("td", { text: new Date(ts).toLocaleTimeString("en-GB") }), h("td", { text: source }), h("td", {}, code(type)),
    h("td", { class: "what", text: JSON.stringify(rest).slice(0, 400) }));
}
