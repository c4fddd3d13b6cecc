// Patches as Git writes them, shown in one column or side by side. What was changed
// within a line is marked where two lines are much alike.

import { h, plural } from "./dom.js";

const mostLines = 4_000; // of one patch; what is beyond is said and not shown
const longestPair = 400; // characters of lines that are compared within

// parse reads a unified patch into files with hunks.
export function parse(patch) {
  const files = [];
  let file = null, hunk = null, a = 0, b = 0, left = 0, right = 0;
  for (const line of patch.split("\n")) {
    if (hunk && (left > 0 || right > 0 || line.startsWith("\\"))) {
      const c = line[0] ?? " ";
      if (c === "-") { hunk.lines.push({ kind: "del", a: a++, text: line.slice(1) }); left--; continue; }
      if (c === "+") { hunk.lines.push({ kind: "add", b: b++, text: line.slice(1) }); right--; continue; }
      if (c === "\\") { const last = hunk.lines.at(-1); if (last) last.bare = true; continue; }
      hunk.lines.push({ kind: "same", a: a++, b: b++, text: line.slice(1) });
      left--; right--;
      continue;
    }
    let m;
    if (line.startsWith("diff --git ")) {
      file = { from: "", to: "", notes: [], hunks: [], title: line.slice(11) };
      files.push(file);
      hunk = null;
    } else if (!file) {
      continue;
    } else if ((m = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)$/.exec(line))) {
      a = +m[1]; b = +m[3];
      left = m[2] === undefined ? 1 : +m[2];
      right = m[4] === undefined ? 1 : +m[4];
      hunk = { head: line, around: m[5].trim(), lines: [] };
      file.hunks.push(hunk);
    } else if (line.startsWith("--- ")) file.from = name(line.slice(4), "a/");
    else if (line.startsWith("+++ ")) file.to = name(line.slice(4), "b/");
    else if (line.startsWith("new file")) file.notes.push(/120000$/.test(line) ? "a new link" : "new");
    else if (line.startsWith("deleted file")) file.notes.push("removed");
    else if (/^(new mode|Binary|GIT binary)/.test(line)) file.notes.push(line);
    else if ((m = /^rename from (.*)$/.exec(line))) file.from = name(m[1]);
    else if ((m = /^rename to (.*)$/.exec(line))) file.to = name(m[1]);
  }
  return files;
}

// name is a path as Git writes it, without what it puts before one of a side.
function name(text, side = "") {
  const t = unquoted(text.replace(/\t$/, ""));
  return t === "/dev/null" ? "" : side && t.startsWith(side) ? t.slice(side.length) : t;
}

const escapes = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

// unquoted is a path that Git put into quotes, for the characters in it.
function unquoted(text) {
  if (!/^".*"$/s.test(text)) return text;
  const out = [];
  for (const m of text.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/gsu)) {
    if (m[1]) out.push(parseInt(m[1], 8));
    else if (m[2]) out.push(...(m[2] in escapes ? [escapes[m[2]]] : new TextEncoder().encode(m[2])));
    else out.push(...new TextEncoder().encode(m[3]));
  }
  return new TextDecoder().decode(new Uint8Array(out));
}

// title is the path that a file of a patch is about.
export function title(f) {
  if (f.to && f.from && f.to !== f.from) return `${f.from} → ${f.to}`;
  return f.to || f.from || f.title.replace(/^a\/(.*) b\/\1$/, "$1");
}

function count(f) {
  let add = 0, del = 0;
  for (const hunk of f.hunks) for (const l of hunk.lines) {
    if (l.kind === "add") add++;
    if (l.kind === "del") del++;
  }
  return [add, del];
}

// show returns a patch as an element. With sides it is side by side where there is room.
// whole is the command that prints all of it, for what is too long to show.
export function show(patch, { sides = false, open = true, link, whole = "vexa workspace diff" } = {}) {
  const files = parse(patch);
  if (files.length === 0) return h("p", { class: "quiet", text: "Nothing is different." });
  let room = mostLines;
  return h("div", { class: sides ? "diff sides" : "diff" }, files.map((f) => {
    const [add, del] = count(f);
    const lines = f.hunks.reduce((n, x) => n + x.lines.length, 0);
    const fits = lines <= room;
    if (fits) room -= lines;
    const to = link?.(f);
    return h("details", { class: "file", open: open && fits }, h("summary", {},
      h("span", { class: "path" }, seen(title(f))), " ",
      h("span", { class: "count" }, add > 0 && h("span", { class: "plus", "aria-hidden": "true", text: `+${add.toLocaleString("en")}` }), " ", del > 0 && h("span", { class: "minus", "aria-hidden": "true", text: `−${del.toLocaleString("en")}` }),
        h("span", { class: "sr", text: ` ${plural(add, "line")} added, ${del.toLocaleString("en")} removed` }), f.notes.length > 0 && h("span", { class: "quiet", text: ` ${f.notes.join(", ")}` }))),
    to && h("p", { class: "open" }, h("a", { href: to, text: "Open the file" })),
    !fits ? h("p", { class: "quiet" }, `${plural(lines, "line")}: too many to show here. In a terminal: `, h("code", { text: whole }))
      : f.hunks.length > 0 && h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Changes of ${title(f)}` }, sides ? beside(f) : column(f)));
  }));
}

const label = { add: "added", del: "removed", same: "" };

function column(f) {
  return h("table", {}, h("thead", { class: "sr" }, h("tr", {}, ["Line before", "Line after", "Text"].map((t) => h("th", { scope: "col", text: t })))), h("tbody", {}, f.hunks.map((hunk, i) => [
    (i > 0 || hunk.around) && h("tr", { class: "hunk" }, h("td", { colspan: "3", text: hunk.around ? `@@ ${hunk.around}` : "@@" })),
    alike(hunk.lines).map(([l, other]) => h("tr", { class: l.kind },
      h("td", { class: "no", text: l.a ?? "" }), h("td", { class: "no", text: l.b ?? "" }), text(l, other))),
  ])));
}

function beside(f) {
  return h("table", {}, h("colgroup", {}, h("col", { class: "c-no" }), h("col"), h("col", { class: "c-no" }), h("col")),
    h("thead", { class: "sr" }, h("tr", {}, ["Line before", "Before", "Line after", "After"].map((t) => h("th", { scope: "col", text: t })))), h("tbody", {}, f.hunks.map((hunk, i) => [
    (i > 0 || hunk.around) && h("tr", { class: "hunk" }, h("td", { colspan: "4", text: hunk.around ? `@@ ${hunk.around}` : "@@" })),
    pairs(hunk.lines).map(([l, r]) => h("tr", {},
      h("td", { class: "no", text: l?.a ?? "" }), l ? text(l, r) : h("td", { class: "none" }),
      h("td", { class: "no", text: r?.b ?? "" }), r ? text(r, l) : h("td", { class: "none" }))),
  ])));
}

// pairs puts what was removed beside what came in its place.
function pairs(lines) {
  const out = [];
  for (let i = 0; i < lines.length;) {
    if (lines[i].kind === "same") { out.push([lines[i], lines[i]]); i++; continue; }
    const del = [], add = [];
    while (lines[i]?.kind === "del") del.push(lines[i++]);
    while (lines[i]?.kind === "add") add.push(lines[i++]);
    for (let k = 0; k < Math.max(del.length, add.length); k++) out.push([del[k] ?? null, add[k] ?? null]);
  }
  return out;
}

// alike is every line in its order, with the one that it is compared with.
function alike(lines) {
  const other = new Map();
  for (const [l, r] of pairs(lines)) if (l && r && l !== r) other.set(l, r).set(r, l);
  return lines.map((l) => [l, other.get(l) ?? null]);
}

// text is the cell of a line. What differs from the other one is marked; characters that
// nobody sees are said.
function text(l, other) {
  const td = h("td", { class: `text ${l.kind === "same" ? "" : l.kind}` }, label[l.kind] && h("span", { class: "sr", text: `${label[l.kind]}: ` }));
  if (other && other.kind !== l.kind && l.text.length < longestPair && other.text.length < longestPair) {
    const [from, end] = middle(l.text, other.text);
    if (from + (l.text.length - end) > Math.min(l.text.length, other.text.length) / 3) {
      td.append(seen(l.text.slice(0, from)), h("mark", {}, seen(l.text.slice(from, end))), seen(l.text.slice(end)));
      return td;
    }
  }
  td.append(seen(l.text));
  if (l.bare) td.append(h("span", { class: "quiet", text: " (no newline at the end)" }));
  return td;
}

function middle(a, b) {
  let from = 0;
  while (from < a.length && from < b.length && a[from] === b[from]) from++;
  let ea = a.length, eb = b.length;
  while (ea > from && eb > from && a[ea - 1] === b[eb - 1]) { ea--; eb--; }
  return [from, ea];
}

const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu;

// seen is text in which what nobody sees, or what turns the direction of writing, is said.
export function seen(t) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const m of t.matchAll(unseen)) {
    out.append(t.slice(from, m.index), h("span", { class: "unseen", text: `U+${m[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` }));
    from = m.index + m[0].length;
  }
  out.append(t.slice(from));
  return out;
}
