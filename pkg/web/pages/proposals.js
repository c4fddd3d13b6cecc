// Merge proposals: what waits for people. Both sides are shown beside each other; an
// approval is signed over the one result that was looked at.

import { h, fill, ago, code, short, plural, problem, sign, confirmed } from "./dom.js";
import { get, post, path, withQuery } from "./api.js";
import { render } from "./markdown.js";
import { show as showDiff, seen } from "./diff.js";
import { inWorkspace, proposalAt } from "./links.js";

export async function proposals(page) {
  page.title("Proposals");
  const body = h("div", { "aria-busy": "true" }, h("p", { class: "quiet", text: "Looking into the workspaces …" }));
  const all = h("input", { type: "checkbox", id: "all" });
  page.show(h("h1", { text: "Proposals" }), h("p", { class: "toolbar" }, h("label", { class: "check", for: "all" }, all, " also those that are decided")), body);
  const draw = async () => {
    const list = (await get(path("workspaces"))).filter((w) => !w.writeOnly);
    const found = await Promise.all(list.map(async (w) => {
      try {
        return { w, rows: await get(withQuery(path("workspaces", w.name, "proposals"), { all: all.checked ? "true" : "" })) };
      } catch (err) {
        return { w, err, rows: [] };
      }
    }));
    const some = found.filter((f) => f.rows.length > 0 || f.err);
    body.setAttribute("aria-busy", "false");
    fill(body, some.length === 0 ? h("p", { class: "quiet", text: all.checked ? "There was none yet." : "Nothing waits for you. What an agent or a member changed comes here where it conflicts with what is in main, or where the workspace asks for approvals." })
      : some.map((f) => [h("h2", {}, h("a", { href: `/workspaces/${encodeURIComponent(f.w.name)}`, text: f.w.name })), f.err ? problem(f.err) : h("ul", { class: "rows" }, f.rows.map((p) => row(f.w.name, p)))]));
  };
  all.addEventListener("change", () => draw().catch((err) => fill(body, problem(err))));
  await draw();
}

function row(name, p) {
  return h("li", {}, h("div", { class: "line" }, h("a", { class: "main", href: proposalAt(name, p.id), text: p.title || p.id }), badge(p)),
    h("p", { class: "quiet" }, ago(p.updatedAt), ` · into ${ref(p.target)}`, p.open > 0 && ` · ${plural(p.open, "conflict")}`, p.needed > 0 && ` · ${p.approved} of ${plural(p.needed, "approval")}`));
}

const ref = (r) => r.replace(/^refs\/heads\//, "");
const badge = (p) => h("span", { class: `badge ${{ open: "live", rejected: "bad" }[p.status] ?? ""}`, text: p.status });
const signer = (s) => s.name || (s.key ? `an unknown key ${s.key}` : "nobody who is known");

export async function proposal(page, name, id) {
  const root = h("div", { class: "proposal" });
  const draw = async (said) => {
    const [p, d] = await Promise.all([get(path("workspaces", name, "proposals", id)), get(path("workspaces", name, "proposals", id, "diff")).catch((err) => ({ err }))]);
    page.title(p.title);
    fill(root, header(name, p), said, review(name, p, d, draw), conversation(p), p.status === "open" && decide(name, p, draw));
    if (said) root.querySelector("h1").focus();
  };
  await draw();
  page.show(root);
}

function header(name, p) {
  return [
    h("p", { class: "up" }, h("a", { href: "/proposals", text: "Proposals" }), " · ", h("a", { href: `/workspaces/${encodeURIComponent(name)}`, text: name })),
    h("h1", { tabindex: "-1" }, p.title, " ", badge(p)),
    h("p", { class: "quiet" }, `Into ${ref(p.target)}`, p.branch && ` from ${ref(p.branch)}`, ` · opened by ${signer(p.openedBy)} · `, ago(p.events[0]?.time ?? p.updatedAt),
      p.unit && [" · ", h("a", { href: `/dispatches/${p.unit}`, text: "dispatch" })], p.undoes.length > 0 && ` · takes ${plural(p.undoes.length, "commit")} back`),
    p.problem && h("div", { class: "problem", text: p.problem }),
    p.body && h("div", { class: "said-body" }, render(p.body, inWorkspace(name))),
  ];
}

// review is what would be merged, and where both sides disagree.
function review(name, p, d, draw) {
  const conflicts = p.conflicts.map((c) => conflict(name, p, c, draw));
  return [
    p.conflicts.length > 0 && [h("h2", { text: p.open === 0 ? "Conflicts, resolved" : plural(p.open, "conflict") + (p.status === "open" ? " to resolve" : ", not resolved") }), conflicts],
    h("h2", { text: "What it changes" }),
    d.err ? problem(d.err) : showDiff(d.patch, { sides: true, whole: `vexa proposal diff ${name} ${p.id}` }),
  ];
}

function conflict(name, p, c, draw) {
  const body = h("div", {}, h("p", { class: "quiet", text: "Loading …" }));
  const el = h("details", { class: "conflict", open: c.resolution === "" && p.status === "open" }, h("summary", {}, sign(c.resolution ? "✓" : "!"), " ", h("span", { class: "path" }, seen(c.path)), " ",
    h("span", { class: "quiet", text: c.resolution ? { ours: "as in main", theirs: "as proposed", edited: "edited", removed: "removed" }[c.resolution] : c.why.join("; ") })), body);
  let loaded = false;
  const load = async () => {
    if (loaded || !el.open) return;
    loaded = true;
    try {
      fill(body, sides(name, p, c, draw, await get(withQuery(path("workspaces", name, "proposals", p.id, "sides"), { path: c.path }))));
    } catch (err) {
      loaded = false;
      fill(body, problem(err));
    }
  };
  el.addEventListener("toggle", load);
  if (el.open) load();
  return el;
}

// text reads bytes as the API has them, null where they are none or no text.
function text(base64) {
  if (base64 === null || base64 === undefined) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
  } catch {
    return null;
  }
}

function encode(string) {
  let out = "";
  for (const b of new TextEncoder().encode(string)) out += String.fromCharCode(b);
  return btoa(out);
}

function sides(name, p, c, draw, s) {
  const [ours, theirs, merged] = [text(s.ours), text(s.theirs), text(s.merged)];
  const pane = (title, there, content) => h("div", { class: "pane" }, h("h3", { text: title }), there ? (content === null ? h("p", { class: "quiet", text: "It is no text." }) : h("pre", { tabindex: "0" }, h("code", {}, seen(content)))) : h("p", { class: "quiet", text: "It is not there." }));
  const said = h("div");
  const resolve = async (request) => {
    try {
      await post(path("workspaces", name, "proposals", p.id, "resolve"), { paths: [c.path], from: s.from, source: s.source, ...request });
      await draw(done("Resolved: ", h("span", { class: "path" }, seen(c.path))));
    } catch (err) {
      fill(said, problem(err));
    }
  };
  const edit = h("textarea", { class: "edit", rows: String(Math.min(24, (merged ?? theirs ?? ours ?? "").split("\n").length + 2)), "aria-label": `What ${c.path} is to be`, spellcheck: "false" });
  edit.value = merged ?? theirs ?? ours ?? "";
  return [
    h("div", { class: "panes" }, pane(`In ${ref(p.target)}`, c.ours, ours), pane("Proposed", c.theirs, theirs)),
    p.status === "open" && [
      h("p", { class: "actions", role: "group", "aria-label": `What becomes of ${c.path}` }, c.ours && h("button", { type: "button", text: `Take what is in ${ref(p.target)}`, onclick: () => resolve({ how: "ours" }) }), " ",
        c.theirs && h("button", { type: "button", text: "Take what is proposed", onclick: () => resolve({ how: "theirs" }) }), " ",
        h("button", { type: "button", text: "Remove the file", onclick: () => resolve({ how: "removed" }) })),
      h("details", { class: "fold" }, h("summary", {}, sign("▸"), " Or write what it is to be"), edit, h("p", { class: "actions" }, h("button", { type: "button", class: "primary", text: "Take this", onclick: () => resolve({ how: "edited", content: encode(edit.value) }) }))),
    ],
    said,
  ];
}

function conversation(p) {
  return [
    p.approvals.length > 0 && [h("h2", { text: "Approvals" }), h("ul", { class: "rows" }, p.approvals.map((a) => h("li", {}, sign(a.counts ? "✓" : p.status === "open" ? "×" : "·"), ` ${signer(a.by)}, `, ago(a.time), a.counts ? "" : p.status === "open" ? `: does not count, ${a.why}` : `: would not count today, ${a.why}`)))],
    h("h2", { text: "History" }),
    h("ol", { class: "rows events" }, p.events.map((e) => h("li", {}, h("p", { class: "quiet" }, `${signer(e.by)} ${e.kind} `, ago(e.time), " ", code(short(e.sha))), e.text && h("div", { class: "said-body" }, render(e.text, null))))),
  ];
}

// done says what was done, once the proposal is drawn anew.
const done = (...what) => h("div", { class: "notice good", role: "status" }, sign("✓"), " ", what);

// decide is what a person can do with it. What is signed is the result that is shown.
function decide(name, p, draw) {
  const said = h("div");
  const words = h("textarea", { rows: "3", "aria-label": "Comment", placeholder: "Say something about it" });
  const say = async (verb, request, what) => {
    await post(path("workspaces", name, "proposals", p.id, verb), request());
    await draw(done(what));
  };
  const act = (verb, request, what) => async (e) => {
    e.target.disabled = true;
    try {
      await say(verb, request, what);
    } catch (err) {
      e.target.disabled = false;
      e.target.focus();
      fill(said, problem(err));
    }
  };
  const result = () => ({ result: p.result });
  const comment = (e) => {
    if (words.value.trim() !== "") return act("comment", () => ({ text: words.value.trim() }), "Said.")(e);
    fill(said, problem({ message: "there is nothing to say yet", hint: "Write it into the box above." }));
    return words.focus();
  };
  const blocked = p.open > 0 ? "Resolve the conflicts first." : p.stale ? `${ref(p.target)} has moved on: refresh the result, and look again.` : "";
  return h("section", { class: "decide", "aria-label": "Decide" }, h("h2", { text: "Decide" }),
    h("p", {}, "What would be merged is ", code(short(p.result)), p.needed > 0 && ` · ${p.approved} of ${plural(p.needed, "approval")}`),
    blocked && h("p", { class: "notice", text: blocked }),
    h("p", { class: "actions" },
      h("button", { type: "button", class: p.needed > p.approved ? "primary" : "", disabled: blocked !== "", text: "Approve and sign", onclick: act("approve", result, "Signed with this installation’s key.") }), " ",
      h("button", { type: "button", class: p.needed > p.approved ? "" : "primary", disabled: blocked !== "" || p.approved < p.needed, text: `Merge into ${ref(p.target)}`, onclick: act("accept", result, "Merged.") }), " ",
      h("button", { type: "button", text: "Refresh the result", title: `Merge it with what is in ${ref(p.target)} now, to look at it again`, onclick: act("refresh", () => ({}), `The result is of what is in ${ref(p.target)} now.`) })),
    p.needed > p.approved && h("p", { class: "quiet", text: `It can be merged once ${plural(p.needed, "member")} ${p.needed === 1 ? "has" : "have"} approved.` }),
    h("label", { class: "comment" }, words),
    h("p", { class: "actions" }, h("button", { type: "button", text: "Comment", onclick: comment }), " ",
      confirmed("Reject", "Close this proposal without merging it?", "Reject it", () => say("reject", () => ({ text: words.value.trim() }), "Rejected."), "danger")),
    said);
}
