// The items of a conversation as elements.

import { h, fill, sign, code, short, plural, problem, confirmed, keepFocus, bytes } from "./dom.js";
import { Document, codeBlock } from "./markdown.js";
import { show as showDiff, seen } from "./diff.js";
import { inWorkspace, proposalAt } from "./links.js";
import { lookBack, undoWaits } from "./undone.js";
import { get, post, path, withQuery } from "./api.js";

const longOutput = 20_000; // characters of a tool's output that are shown
const lookAfter = 300; // ms between a commit's coming and the look whether it was taken back

// Reading shows items in an element, and draws those again that changed.
export class Reading {
  // workspace() names the workspace that links of files lead to.
  constructor(el, conversation, workspace) {
    this.el = el;
    this.conversation = conversation;
    this.workspace = workspace;
    this.nodes = [];
    this.dirty = new Set();
    this.drawn = () => {};
  }

  // apply takes a frame; what it changes is drawn with the next picture.
  apply(frame) {
    this.again(this.conversation.apply(frame));
  }

  // again draws items, with the next picture.
  again(changed) {
    for (const i of changed) this.dirty.add(i);
    if (this.asked) return;
    this.asked = true;
    const draw = () => {
      if (!this.asked) return;
      this.asked = false;
      this.draw();
    };
    requestAnimationFrame(draw);
    if (document.visibilityState !== "visible") setTimeout(draw, 200); // nothing is drawn there by itself
  }

  draw() {
    const items = this.conversation.items;
    while (this.nodes.length > items.length) this.nodes.pop().el.remove();
    for (const i of [...this.dirty].sort((a, b) => a - b)) {
      const item = items[i];
      if (!item) continue;
      if (item.kind === "commit" && !item.looked) this.look();
      let node = this.nodes[i];
      if (node && node.kind !== item.kind) {
        const fresh = make(item, this);
        node.el.replaceWith(fresh.el);
        node = this.nodes[i] = fresh;
      } else if (!node) {
        node = make(item, this);
        this.nodes[i] = node;
        this.el.append(node.el);
      }
      node.update(item);
    }
    this.dirty.clear();
    this.drawn();
  }

  // look asks what became of commits, once no more of them come: which were taken back, and
  // what people decided of those that were kept aside.
  look() {
    clearTimeout(this.looking);
    this.looking = setTimeout(async () => {
      const names = new Set(), aside = new Map(); // by the proposal, which several may share
      for (const item of this.conversation.items) {
        if (item.kind !== "commit" || item.looked) continue;
        item.looked = true;
        if (item.merged) names.add(nameOf(item));
        else aside.set(at(item), item);
      }
      for (const name of names) {
        const { by, waits } = await lookBack(name);
        this.undone(name, by, waits);
      }
      for (const [where, item] of aside) this.decided(where, await decision(item));
    }, lookAfter);
  }

  // undone marks the commits of a workspace that were taken back, each by which, and those
  // whose undo waits in a proposal.
  undone(name, by, waits = new Map()) {
    const changed = [];
    for (const [i, item] of this.conversation.items.entries()) {
      if (!inMain(item) || nameOf(item) !== name || !by.has(item.sha) && !waits.has(item.sha)) continue;
      const undone = by.get(item.sha) ?? item.undone ?? "", proposal = undone ? "" : waits.get(item.sha) ?? "";
      if (undone === (item.undone ?? "") && proposal === (item.undoing ?? "")) continue;
      item.undone = undone;
      item.undoing = proposal;
      changed.push(i);
    }
    if (changed.length > 0) this.again(changed);
  }

  // decided marks the commits of a proposal by what it is.
  decided(where, status) {
    const changed = [];
    for (const [i, item] of this.conversation.items.entries()) {
      if (item.kind !== "commit" || item.merged || at(item) !== where || item.decided === status) continue;
      item.decided = status;
      changed.push(i);
    }
    if (changed.length > 0) this.again(changed);
  }

  where() { return inWorkspace(this.workspace()); }
}

const inMain = (item) => item.kind === "commit" && item.merged;
const nameOf = (commit) => commit.name || commit.workspace;

// proposalOf is the id of the proposal of a commit that was kept aside, and at its page.
const proposalOf = (commit) => commit.branch.split("/").at(-1);
const at = (commit) => proposalAt(nameOf(commit), proposalOf(commit));

// decision returns what that proposal is, "" where it cannot be known.
async function decision(commit) {
  try {
    return (await get(path("workspaces", nameOf(commit), "proposals", proposalOf(commit)))).status;
  } catch {
    return "";
  }
}

function make(item, reading) {
  const kind = item.kind;
  const maker = makers[kind] ?? makers.other;
  return { kind, ...maker(item, reading) };
}

// Printed is a text as a program printed it.
class Printed {
  constructor() { this.el = h("pre", { class: "printed" }); }
  update(text) { this.el.textContent = text; }
}

// once is an item that does not change.
const once = (el) => ({ el, update: () => {} });

const makers = {
  said: (item) => once(h("article", { class: "said" }, h("h2", { class: "sr", text: "You" }), h("div", { class: "bubble", text: item.text }))),

  answer(item, reading) {
    const doc = item.printed ? new Printed() : new Document(reading.where());
    const el = h("article", { class: "answer" }, h("h2", { class: "sr", text: "Agent" }), doc.el);
    return { el, update: (item) => { doc.update(item.text); el.classList.toggle("open", item.open); } };
  },

  reasoning() {
    const text = h("div", { class: "thoughts" });
    const label = h("span");
    const el = h("details", { class: "fold reasoning" }, h("summary", {}, sign("◇"), " ", label), text);
    return {
      el, update(item) {
        label.textContent = item.open ? "Thinking …" : "Thoughts";
        text.textContent = item.text;
      },
    };
  },

  call(item) {
    const state = h("span", { class: "state" });
    const out = h("div");
    const args = item.args && Object.keys(item.args).length > 0 ? JSON.stringify(item.args, null, 2) : "";
    const el = h("details", { class: "fold call" },
      h("summary", {}, sign("▸"), " ", h("span", { class: "tool", text: item.tool }), " ", h("span", { class: "brief" }, seen(brief(item.args))), " ", state),
      args && [h("h3", { text: "Called with" }), codeBlock(args)], out);
    return {
      el, update(now) {
        el.classList.toggle("failed", now.result !== null && !now.result.ok);
        if (!now.result) {
          state.textContent = now.open ? "running …" : "no result";
          return;
        }
        state.textContent = now.result.ok ? "" : "failed";
        const text = now.result.output;
        fill(out, h("h3", { text: now.result.ok ? "Returned" : "Failed with" }), codeBlock(text.slice(0, longOutput)),
          (text.length > longOutput || now.result.truncated) && h("p", { class: "quiet", text: `This is the beginning of ${bytes(text.length)}${now.result.truncated ? ", and was cut off before" : ""}. All there is: vexa logs` }));
      },
    };
  },

  plan() {
    const list = h("ol");
    const label = h("span");
    const el = h("details", { class: "fold plan", open: true }, h("summary", {}, sign("☰"), " ", label), list);
    return {
      el, update(item) {
        const done = item.steps.filter((s) => s.state === "done").length;
        label.textContent = `Plan: ${done} of ${plural(item.steps.length, "step")} done`;
        fill(list, item.steps.map((s) => h("li", { class: s.state, "aria-current": s.state === "active" ? "step" : undefined },
          sign({ done: "✓", active: "▶", pending: "○" }[s.state]), h("span", { class: "sr", text: `${{ done: "done", active: "now", pending: "to come" }[s.state]}: ` }), " ", s.text)));
      },
    };
  },

  unknown() {
    const list = h("ul");
    const label = h("span");
    const el = h("details", { class: "fold unknown" }, h("summary", {}, sign("?"), " ", label), h("p", { class: "quiet", text: "This version of Vexa does not know them. They are kept: vexa logs" }), list);
    return {
      el, update(item) {
        label.textContent = `${plural(item.count, "event")} not understood`;
        fill(list, item.events.map((e) => h("li", {}, code(e.event), ` ${bytes(e.bytes)}`, e.known && ", of another shape")));
      },
    };
  },

  commit,

  rejected: (item) => once(h("div", { class: "notice" }, sign("!"), " Not saved: ", h("code", {}, seen(item.path)), ` (${item.reason})`)),

  card,

  problem: (item) => once(problem(item)),

  waiting: (item) => once(h("p", { class: "quiet waiting", text: item.text })),

  ended(item) {
    const says = {
      failed: "The turn failed", truncated: "The answer is incomplete", interrupted: "Interrupted. What was written is saved.",
      limit: "A limit of the dispatch is used up", lost: "The container ended during the turn", completed: "The turn could not be saved",
    }[item.outcome] ?? "The turn failed";
    const why = item.error && !says.startsWith(item.error) && item.outcome !== "interrupted" ? `: ${item.error}` : "";
    return once(h("div", { class: item.outcome === "interrupted" ? "notice" : "problem" }, sign(item.outcome === "interrupted" ? "■" : "!"), ` ${says}${why}`));
  },

  other: (item) => once(h("p", { class: "quiet", text: item.kind })),
};

// card shows an action that was proposed, and where it stands. Nothing in this version
// decides one: it says so, rather than to let somebody look for the button.
function card(item) {
  const c = item.card ?? {};
  const does = c.proposal?.call ? ["would call ", code(c.proposal.call.tool)] : c.proposal?.patch ? ["would change ", h("span", { text: c.proposal.patch.workspace })] : "";
  const until = c.expiresAt ? ` It expires on ${new Date(c.expiresAt).toLocaleString("en-GB")}.` : "";
  const stands = (c.state ?? "proposed") === "proposed" ? `It is not done, and this version of Vexa cannot have it done.${until} As it was proposed: ` : `It is ${c.state}. As it was proposed: `;
  return once(h("div", { class: "notice" }, h("p", {}, h("strong", { text: c.title ?? "A proposed action" }), does && [": ", does]), c.body && h("p", { text: c.body }),
    h("p", { class: "quiet" }, stands, code(`vexa logs ${item.unit} --json`))));
}

// brief is the argument of a call that says most, on one line.
function brief(args) {
  if (!args || typeof args !== "object") return "";
  const key = ["path", "file_path", "filePath", "command", "cmd", "pattern", "query", "url", "text"].find((k) => typeof args[k] === "string");
  const text = key ? args[key] : Object.values(args).find((v) => typeof v === "string") ?? "";
  return text.replace(/\s+/g, " ").slice(0, 120);
}

// decided is what became of a commit that was kept aside, by its proposal.
const decided = { accepted: "It waited for people, and was merged: ", rejected: "It was rejected, and is not in main: ", obsolete: "It waits no more, and nothing of it is left to merge: " };

// commit shows what a turn changed, the change itself when it is asked for, and takes it
// back when that is.
function commit(item, reading) {
  const name = nameOf(item);
  const body = h("div", { class: "body" }, h("p", { class: "quiet", text: "Loading …" }));
  const stands = h("strong", { text: item.merged ? "Saved" : "Kept aside" });
  const since = h("span");
  const el = h("details", { class: item.merged ? "fold commit" : "fold commit aside" }, h("summary", {}, sign("●"), " ",
    stands, " ", plural(item.files, "file"), " in ", h("span", { class: "name", text: name }), " ", code(short(item.sha)), since), body);
  let loaded = false;
  el.addEventListener("toggle", async () => {
    if (!el.open || loaded) return;
    loaded = true;
    try {
      const d = await get(withQuery(path("workspaces", name, "diff"), { to: item.sha }));
      fill(body, showDiff(d.patch, { whole: `vexa workspace diff ${name} --to ${short(item.sha)}`, link: (f) => f.to && `/workspaces/${encodeURIComponent(name)}?${new URLSearchParams({ path: f.to, rev: item.sha })}` }), foot);
      offer();
    } catch (err) {
      loaded = false;
      fill(body, problem(err));
    }
  });
  // An undo is of a dispatch: where it made more than one commit it says so.
  const foot = h("p", { class: "actions" });
  let offered, told = false; // told is what came of the undo that was asked for here
  const offer = () => {
    const now = item.undone || item.undoing || "";
    if (told || !item.merged || now === offered) return;
    offered = now;
    if (now) return fill(foot, item.undoing && undoWaits(name, item.undoing));
    const own = reading.conversation.items.filter((x) => inMain(x) && x.unit === item.unit && x.workspace === item.workspace);
    fill(foot, confirmed(own.length > 1 ? `Undo the ${own.length} commits of this dispatch` : "Undo", "Take this back? The undo is a commit, too.", "Undo it", async () => {
      const u = await post(path("workspaces", name, "undo"), { dispatch: item.unit });
      told = true;
      if (u.sha) {
        reading.undone(name, new Map(u.reverted.map((sha) => [sha, u.sha])));
        return h("span", { role: "status" }, sign("✓"), " Undone by ", code(short(u.sha)));
      }
      if (u.proposal) {
        reading.undone(name, new Map(), new Map(own.map((x) => [x.sha, u.proposal])));
        return undoWaits(name, u.proposal);
      }
      return h("span", { role: "status", text: `It conflicts in ${u.conflicts.join(", ")}` });
    }));
  };
  if (item.merged) {
    return {
      el, update(now) {
        stands.textContent = now.undone ? "Undone" : "Saved";
        fill(since, now.undone ? [", by ", code(short(now.undone))] : now.undoing && ", its undo waits");
        el.classList.toggle("undone", Boolean(now.undone));
        if (loaded) offer();
      },
    };
  }
  const why = item.conflicts?.length ? `It conflicts in ${item.conflicts.join(", ")}` : "It needs approval";
  const says = h("span"), link = h("a", { href: at(item) }), tail = h("div"), whole = h("div", {}, el, tail);
  let was = null;
  return {
    el: whole, update({ decided: status = "" }) {
      if (status === was) return;
      was = status;
      const merged = status === "accepted";
      stands.textContent = merged ? "Merged" : "Kept aside";
      el.classList.toggle("aside", !merged);
      says.textContent = decided[status] ?? `${why}, and is not in main: `;
      link.textContent = decided[status] ? "see the proposal" : "review the proposal";
      keepFocus(tail, () => fill(tail, merged ? h("p", { class: "quiet" }, says, link) : h("div", { class: "notice" }, sign("!"), " ", says, link)));
    },
  };
}
