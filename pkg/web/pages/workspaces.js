// The reader of workspaces: files as they are meant to be read, their history, and what
// each commit changed.

import { h, fill, ago, code, short, plural, bytes, word, problem, confirmed } from "./dom.js";
import { get, post, path, raw, withQuery } from "./api.js";
import { render, codeBlock } from "./markdown.js";
import { show as showDiff, seen } from "./diff.js";
import { inWorkspace, called } from "./links.js";
import { lookBack, takenBack, undoWaits } from "./undone.js";

const longestText = 2_000_000; // bytes of a file that is shown
const pageOfLog = 50;
const mostNamed = 20; // files of the name of one that there is not

export async function workspaces(page) {
  page.title("Workspaces");
  const list = await get(path("workspaces"));
  page.show(h("h1", { text: "Workspaces" }), h("ul", { class: "rows" }, list.map((w) => h("li", {},
    h("div", { class: "line" }, h("a", { class: "main", href: `/workspaces/${encodeURIComponent(w.name)}`, text: w.name }), w.writeOnly && h("span", { class: "badge", text: "write only" })),
    w.problem ? h("p", { class: "quiet", text: w.problem }) : h("p", { class: "quiet" }, w.head ? ["changed ", ago(w.updatedAt)] : "empty")))),
  list.length === 0 && h("p", { class: "quiet", text: "There is none. Make one with: vexa workspace create NAME" }));
}

const address = (name, query) => withQuery(`/workspaces/${encodeURIComponent(name)}`, query);

export async function workspace(page, name) {
  const q = page.query;
  const [file, rev, commit, view] = ["path", "rev", "commit", "view"].map((k) => q.get(k) ?? "");
  page.title([{ history: "History", changes: "Last change" }[view], file, name].filter(Boolean).join(" · "));
  if (commit) return oneCommit(page, name, commit);
  const files = await get(withQuery(path("workspaces", name, "files"), { rev }));
  const side = sidebar(name, files, file, rev);
  const content = h("div", { class: "content", id: "content", tabindex: "-1" });
  const past = h("a", { class: "skip", href: "#content", text: `Skip ${plural(files.length, "file")}` });
  page.show(h("div", { class: "reader" }, past, side, content));
  try {
    if (view === "history") await history(content, name, file);
    else if (view === "changes") await changes(content, name, file);
    else await read(page, content, name, files, file, rev, view);
  } catch (err) {
    fill(content, crumbs(name, file, rev), problem(err));
  }
  if (location.hash.startsWith("#h-")) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

// sidebar is the tree, with those folders open that lead to the file.
function sidebar(name, files, file, rev) {
  const root = { dirs: new Map(), files: [] };
  for (const f of files) {
    const parts = f.path.split("/");
    let at = root;
    for (const d of parts.slice(0, -1)) {
      if (!at.dirs.has(d)) at.dirs.set(d, { dirs: new Map(), files: [] });
      at = at.dirs.get(d);
    }
    at.files.push([parts.at(-1), f.path]);
  }
  const branch = (node, prefix) => h("ul", {},
    [...node.dirs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([d, sub]) => h("li", {}, h("details", { open: file.startsWith(prefix + d + "/") || prefix === "" }, h("summary", {}, seen(d)), branch(sub, `${prefix}${d}/`)))),
    node.files.map(([base, full]) => h("li", {}, h("a", { href: address(name, { path: full, rev }), "aria-current": full === file ? "page" : undefined }, seen(base)))));
  return h("details", { class: "tree", open: window.innerWidth > 720 }, h("summary", {}, h("span", { text: plural(files.length, "file") })), h("nav", { "aria-label": `Files of ${name}` }, branch(root, "")));
}

function crumbs(name, file, rev, tab = "read") {
  const parts = file ? file.split("/") : [];
  const at = (view) => address(name, { path: file, rev, view });
  return [
    h("h1", { class: "crumbs" }, h("a", { href: address(name, { rev }), text: name }), parts.map((p) => [h("span", { class: "sep", "aria-hidden": "true", text: "/" }), seen(p)])),
    rev && h("p", { class: "notice" }, "As it was at ", h("a", { href: address(name, { commit: rev }) }, code(short(rev))), ". ", h("a", { href: address(name, { path: file }), text: "See it now" })),
    h("nav", { class: "tabs", "aria-label": "Views" }, [["read", "Read"], file && ["source", "Source"], ["history", "History"], ["changes", "Last change"]].filter(Boolean)
      .map(([view, text]) => h("a", { href: at(view === "read" ? "" : view), "aria-current": view === tab ? "page" : undefined, text }))),
  ];
}

async function read(page, content, name, files, file, rev, view) {
  const readme = file ? "" : files.find((f) => /^readme\.md$/i.test(f.path))?.path ?? "";
  const head = crumbs(name, file, rev, view === "source" ? "source" : "read");
  if (!file && !readme) {
    fill(content, head, files.length === 0 ? h("p", { class: "quiet", text: "There is nothing in it yet." }) : h("p", { class: "quiet", text: "Choose a file." }));
    return;
  }
  const shown = file || readme, paths = files.map((f) => f.path);
  const entry = files.find((f) => f.path === shown);
  if (!entry) {
    const below = files.filter((f) => f.path.startsWith(shown.replace(/\/$/, "") + "/"));
    const list = (some) => h("ul", { class: "rows" }, some.map((f) => h("li", {}, h("a", { href: address(name, { path: f, rev }) }, seen(f)))));
    if (below.length > 0) {
      fill(content, head, list(below.map((f) => f.path)));
      return;
    }
    const others = called(paths)(shown.slice(shown.lastIndexOf("/") + 1)).slice(0, mostNamed);
    fill(content, head, problem({ message: `there is no ${shown} in ${name}`, remedy: h("a", { href: address(name, { view: "history" }), text: rev ? `See the history of ${name}` : "It may be in an earlier state: see the history" }) }),
      others.length > 0 && [h("p", { text: "Of this name there is:" }), list(others)]);
    return;
  }
  if (entry.size > longestText) {
    fill(content, head, h("p", { class: "quiet", text: `It has ${bytes(entry.size)}, which is too much to show here.` }), fetched(name, shown, rev));
    return;
  }
  const data = new Uint8Array(await (await raw(withQuery(path("workspaces", name, "file"), { path: shown, rev }))).arrayBuffer());
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch { /* it is no text */ }
  const body = data.length === 0 ? h("p", { class: "quiet", text: "It is empty." }) : text === undefined || text.includes("\u0000") ? [h("p", { class: "quiet", text: `It is no text: ${bytes(data.length)}.` }), fetched(name, shown, rev)]
    : /\.(md|markdown)$/i.test(shown) && view !== "source" ? h("article", { class: "page" }, render(text, inWorkspace(name, shown, rev, paths)))
      : view === "source" || !/\.(md|markdown)$/i.test(shown) ? source(text) : codeBlock(text);
  fill(content, head, body);
}

// fetched says how to have a file that is not shown.
function fetched(name, file, rev) {
  return h("p", { class: "quiet" }, "To have it, in a terminal: ", code(`vexa workspace cat ${name} ${word(file)}${rev ? ` --rev ${word(rev, "REV")}` : ""} > COPY`));
}

// source is a text with the numbers of its lines.
function source(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  return h("div", { class: "scroll source", tabindex: "0", role: "region", "aria-label": "Source" }, h("table", {}, h("tbody", {},
    lines.map((l, i) => h("tr", {}, h("td", { class: "no", text: i + 1 }), h("td", { class: "text" }, seen(l)))))));
}

async function history(content, name, file) {
  let limit = pageOfLog;
  const draw = async () => {
    const log = await get(withQuery(path("workspaces", name, "log"), { limit: String(limit + 1), path: file }));
    const by = takenBack(log);
    const more = log.length > limit && h("p", {}, h("button", { type: "button", text: "Earlier", onclick: earlier }));
    fill(content, crumbs(name, file, "", "history"), log.length === 0 ? h("p", { class: "quiet", text: "Nothing was committed yet." })
      : h("ol", { class: "rows history" }, log.slice(0, limit).map((c) => commitRow(name, c, file, by.get(c.sha)))), more);
  };
  const earlier = async () => {
    const shown = limit;
    limit += pageOfLog;
    try {
      await draw();
      content.querySelectorAll(".history .main")[shown]?.focus();
    } catch (err) {
      content.append(problem(err));
    }
  };
  await draw();
}

function commitRow(name, c, file, undone = "") {
  return h("li", {}, h("div", { class: "line" }, h("a", { class: "main", href: address(name, { commit: c.sha }) }, firstLine(c.message)), undone && h("span", { class: "badge", text: "undone" }), code(short(c.sha))),
    h("p", { class: "quiet" }, ago(c.time), ` · ${author(c)}`, c.unit && [" · ", h("a", { href: `/dispatches/${c.unit}`, text: "dispatch" })], c.runner && ` · ${c.runner}`,
      file && [" · ", h("a", { href: address(name, { path: file, rev: c.sha }), text: "the file then" })]));
}

const author = (c) => c.author.replace(/ <[^<>]*>$/, "");
const firstLine = (text) => text.split("\n")[0] || "(no message)";

async function changes(content, name, file) {
  const [last] = await get(withQuery(path("workspaces", name, "log"), { limit: "1", path: file }));
  if (!last) throw { message: "nothing was committed yet" };
  const d = await get(withQuery(path("workspaces", name, "diff"), { to: last.sha, path: file }));
  fill(content, crumbs(name, file, "", "changes"), h("ol", { class: "rows" }, commitRow(name, last, "")), showDiff(d.patch, { whole: `vexa workspace diff ${name}${file ? ` --path ${word(file)}` : ""}` }));
}

async function oneCommit(page, name, sha) {
  const of = (...rest) => path("workspaces", name, ...rest);
  const [[c], d, { head }, since] = await Promise.all([get(withQuery(of("log"), { limit: "1", rev: sha })), get(withQuery(of("diff"), { to: sha })), get(of()), lookBack(name)]);
  page.title(firstLine(c.message));
  const undone = since.by.get(c.sha), waits = since.waits.get(c.sha);
  const undo = c.unit ? [{ dispatch: c.unit }, "Undo this dispatch", "Take back all that this dispatch changed here? The undo is a commit, too."]
    : c.sha === head ? [{}, "Undo", "Take this commit back? The undo is a commit, too."] : null;
  const back = c.parents.length > 0 && c.sha !== head && [{ to: c.sha }, "Go back to this state", "Make everything as it was after this commit? That is a commit, too."];
  const act = ([request, label, question]) => confirmed(label, question, "Yes", async () => {
    const u = await post(of("undo"), request);
    if (u.sha) return h("a", { href: address(name, { commit: u.sha }), text: `Done, by commit ${short(u.sha)}` });
    return u.proposal ? undoWaits(name, u.proposal) : h("span", { text: `It conflicts in ${u.conflicts.join(", ")}` });
  });
  const undoing = undone ? h("span", {}, "Taken back by ", h("a", { href: address(name, { commit: undone }) }, code(short(undone)))) : waits ? undoWaits(name, waits) : undo && act(undo);
  const body = c.message.split("\n").slice(1).join("\n").trim();
  page.show(h("p", { class: "up" }, h("a", { href: address(name, { view: "history" }), text: `History of ${name}` })),
    h("h1", {}, firstLine(c.message)), h("p", { class: "quiet" }, code(short(c.sha)), " · ", ago(c.time), ` · ${author(c)}`, c.launcher && ` · launched by ${c.launcher}`, c.unit && [" · ", h("a", { href: `/dispatches/${c.unit}`, text: "dispatch" })]),
    body && h("p", { class: "body", text: body }),
    h("p", { class: "actions" }, undoing, " ", back && act(back), " ", h("a", { href: address(name, { rev: c.sha }), text: "Browse it" })),
    showDiff(d.patch, { whole: `vexa workspace diff ${name} --to ${short(c.sha)}`, link: (f) => f.to && address(name, { path: f.to, rev: c.sha }) }));
}
