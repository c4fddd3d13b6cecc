// Markdown becomes elements, block by block. HTML in it is text like any other; links go
// where linkTarget lets them, and pictures are named and never loaded.

import { h } from "./dom.js";
import { inline } from "./inline.js";
import { Asking, References, linkDefinition, noteDefinition } from "./references.js";

const longestLine = 4_000; // characters; a longer one is a paragraph, whatever it begins with
const deepest = 12; // lists and quotes in each other; beyond that a text is a text

// Document shows a text that may still grow: blocks that are as they were, and name
// nothing that was defined since, are left alone.
export class Document {
  // where says of a link's address what it leads to, see links.js.
  constructor(where) {
    this.where = where;
    this.el = h("div", { class: "md" });
    this.drawn = []; // {source, node, asked} of each block
    this.notes = null; // likewise, of the notes at the end
    this.references = undefined;
  }

  update(text) {
    const references = new References(this.references);
    const blocks = split(text.replace(/\r\n?/g, "\n").split("\n"), 0, references, true).filter((b) => b.kind !== "definition");
    this.references = references;
    this.drawn.splice(blocks.length).forEach((d) => d.node.remove());
    let changed = false; // from there on all is drawn: a text grows at its end
    blocks.forEach((b, i) => {
      const old = this.drawn[i];
      changed ||= old?.source !== b.source;
      if (!changed && references.says(old.asked)) return;
      const now = this.draw(b.source, (asking) => element(b, asking));
      if (old) old.node.replaceWith(now.node);
      else this.el.insertBefore(now.node, this.notes?.node ?? null);
      this.drawn[i] = now;
    });
    this.updateNotes();
  }

  updateNotes() {
    const all = [...this.references.notes.values()];
    const source = all.map((n) => n.label + "\n" + n.blocks.map((b) => b.source).join("\n")).join("\n\n");
    if (this.notes?.source === source && this.references.says(this.notes.asked)) return;
    this.notes?.node.remove();
    this.notes = all.length === 0 ? null : this.draw(source, (asking) => notes(all, asking, this.el));
    if (this.notes) this.el.append(this.notes.node);
  }

  draw(source, make) {
    const asking = new Asking(this.where, this.references);
    return { source, node: make(asking), asked: asking.asked };
  }
}

// render shows a text once.
export function render(text, where) {
  const d = new Document(where);
  d.update(text);
  return d.el;
}

// No two parts of a pattern may take the same characters: a line that an agent writes
// would be tried in all the ways there are to part it.
const fence = /^ {0,3}(`{3,}|~{3,})(?!~)([^`]*)$/;
const heading = /^ {0,3}(#{1,6})(?:\s+|$)(.*)$/s;
const rule = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const marker = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+|$)/;
const quoted = /^ {0,3}> ?/;
const blank = /^\s*$/;
const cells = /^\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?$/; // of a line without blanks around it

// split finds the blocks of lines. Each has its source, by which it is known again.
// What lines define goes into references.
function split(lines, depth, references, top = false) {
  const blocks = [];
  let i = 0;
  if (top && lines[0] === "---") {
    const end = lines.indexOf("---", 1);
    if (end > 1 && end < 200) {
      blocks.push({ kind: "front", lines: lines.slice(1, end), source: lines.slice(0, end + 1).join("\n") });
      i = end + 1;
    }
  }
  while (i < lines.length) {
    if (blank.test(lines[i])) { i++; continue; }
    const from = i;
    const b = block(lines, i, depth, references);
    i = b.next;
    b.source = b.kind + "\n" + lines.slice(from, i).join("\n");
    if (b.kind === "list") b.source = b.source.trimEnd(); // blank lines behind it make it no other
    blocks.push(b);
  }
  return blocks;
}

function block(lines, i, depth, references) {
  const line = lines[i];
  let m;
  if (line.length > longestLine) return paragraph(lines, i, depth);
  if ((m = fence.exec(line))) return fenced(lines, i, m);
  if ((m = heading.exec(line))) return { kind: "heading", level: m[1].length, text: m[2].trimEnd().replace(/(?:^|\s)#+$/, "").trimEnd(), next: i + 1 };
  if (rule.test(line)) return { kind: "rule", next: i + 1 };
  if ((m = linkDefinition(line))) {
    references.link(m.label, m.href);
    return { kind: "definition", next: i + 1 };
  }
  if (depth < deepest && (m = noteDefinition(line))) return note(lines, i, m, depth, references);
  if (/^( {4}|\t)/.test(line)) return indented(lines, i);
  if (depth < deepest && quoted.test(line)) return quote(lines, i, depth, references);
  if (depth < deepest && (m = marker.exec(line))) return list(lines, i, m, depth, references);
  if (line.includes("|") && i + 1 < lines.length && lines[i + 1].length < longestLine && cells.test(lines[i + 1].trim()) && lines[i + 1].includes("-")) {
    const t = table(lines, i);
    if (t) return t;
  }
  return paragraph(lines, i, depth);
}

function fenced(lines, i, m) {
  const indent = /^ */.exec(lines[i])[0].length;
  const close = new RegExp(`^ {0,3}${m[1][0]}{${m[1].length},}\\s*$`);
  const out = [];
  let n = i + 1;
  for (; n < lines.length && !close.test(lines[n]); n++) out.push(lines[n].replace(new RegExp(`^ {0,${indent}}`), ""));
  return { kind: "code", info: m[2].trim().split(/\s/)[0], text: out.join("\n"), next: Math.min(n + 1, lines.length) };
}

function indented(lines, i) {
  const out = [];
  let n = i;
  for (; n < lines.length && (/^( {4}|\t)/.test(lines[n]) || blank.test(lines[n])); n++) out.push(lines[n].replace(/^( {4}|\t)/, ""));
  return { kind: "code", info: "", text: out.join("\n").replace(/\n+$/, ""), next: n };
}

function quote(lines, i, depth, references) {
  const out = [];
  let n = i;
  for (; n < lines.length && !blank.test(lines[n]); n++) {
    if (!quoted.test(lines[n]) && begins(lines[n], depth)) break;
    out.push(lines[n].replace(quoted, ""));
  }
  return { kind: "quote", blocks: split(out, depth + 1, references), next: n };
}

// note is what [^name]: begins: its line, those that go on, and indented ones behind gaps.
function note(lines, i, m, depth, references) {
  const own = [m.text];
  let n = i + 1, end = n;
  for (let gap = false; n < lines.length; n++) {
    if (blank.test(lines[n])) { gap = true; own.push(""); continue; }
    const inside = /^( {2,4}|\t)/.exec(lines[n]);
    if (inside) own.push(lines[n].slice(inside[0].length));
    else if (!gap && !begins(lines[n], depth) && !linkDefinition(lines[n])) own.push(lines[n]);
    else break;
    gap = false;
    end = n + 1;
  }
  const blocks = split(own.slice(0, end - i), depth + 1, references);
  return references.note(m.label, blocks) ? { kind: "definition", next: end } : { kind: "paragraph", text: lines.slice(i, end).join("\n"), next: end };
}

function list(lines, i, first, depth, references) {
  const ordered = /\d/.test(first[2]);
  const kind = ordered ? first[2].at(-1) : first[2];
  const items = [];
  let n = i, loose = false, apart = false;
  while (n < lines.length) {
    const m = marker.exec(lines[n]);
    if (!m || (ordered ? !m[2].endsWith(kind) || !/\d/.test(m[2]) : m[2] !== kind) || rule.test(lines[n])) break;
    loose ||= apart;
    const width = m[1].length + m[2].length + (m[3].length > 4 || m[3] === "" ? 1 : m[3].length);
    const own = [lines[n].slice(Math.min(width, lines[n].length))];
    n++;
    let gap = false;
    for (; n < lines.length; n++) {
      if (blank.test(lines[n])) { gap = true; own.push(""); continue; }
      const indent = /^[ \t]*/.exec(lines[n])[0].replace(/\t/g, "    ").length;
      if (indent >= width) own.push(lines[n].replace(/\t/g, "    ").slice(width));
      else if (!gap && !begins(lines[n], depth)) own.push(lines[n]); // goes on lazily
      else break;
      if (gap) { loose = true; gap = false; }
    }
    apart = own.at(-1) === "";
    while (own.at(-1) === "") own.pop();
    items.push(own);
  }
  return { kind: "list", ordered, start: ordered ? parseInt(first[2], 10) : 0, loose, items: items.map((own) => split(own, depth + 1, references)), next: n };
}

function row(line) {
  const out = [];
  let cell = "", code = false;
  const text = line.trim().replace(/^\|/, "");
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\" && text[i + 1] === "|") { cell += "|"; i++; continue; }
    if (text[i] === "`") code = !code;
    if (text[i] === "|" && !code) { out.push(cell.trim()); cell = ""; continue; }
    cell += text[i];
  }
  if (cell.trim() !== "") out.push(cell.trim());
  return out;
}

function table(lines, i) {
  const head = row(lines[i]);
  const sides = row(lines[i + 1]).map((c) => (c.startsWith(":") && c.endsWith(":") ? "center" : c.endsWith(":") ? "right" : ""));
  if (head.length !== sides.length || head.length > 64) return null;
  const rows = [];
  let n = i + 2;
  for (; n < lines.length && !blank.test(lines[n]) && lines[n].includes("|"); n++) rows.push(row(lines[n]).slice(0, head.length));
  return { kind: "table", head, sides, rows, next: n };
}

// begins reports whether a line ends the paragraph before it.
function begins(line, depth) {
  if (line.length > longestLine) return false;
  if (fence.test(line) || heading.test(line) || rule.test(line)) return true;
  if (depth >= deepest) return false;
  const m = marker.exec(line);
  return quoted.test(line) || (m !== null && m[3] !== "") || noteDefinition(line) !== null;
}

function paragraph(lines, i, depth) {
  const out = [lines[i].trimStart()];
  let n = i + 1;
  for (; n < lines.length && !blank.test(lines[n]); n++) {
    const under = lines[n].length < longestLine && /^ {0,3}(=+|-+)\s*$/.exec(lines[n]);
    if (under) return { kind: "heading", level: under[1][0] === "=" ? 1 : 2, text: out.join("\n"), next: n + 1 };
    if (begins(lines[n], depth)) break;
    out.push(lines[n].trimStart());
  }
  return { kind: "paragraph", text: out.join("\n"), next: n };
}

// slug names a heading as links to it do. It is no name of anything else on the page.
export const slug = (text) => "h-" + text.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s+/g, "-").slice(0, 100);

function element(b, asking) {
  switch (b.kind) {
    case "heading": {
      const el = h("h" + Math.min(b.level + 1, 6), { class: `level-${b.level}` }, inline(b.text, asking));
      el.id = slug(el.textContent);
      return el;
    }
    case "rule": return h("hr");
    case "code": return codeBlock(b.text, b.info);
    case "quote": return h("blockquote", {}, b.blocks.map((x) => element(x, asking)));
    case "list": return listElement(b, asking);
    case "table": return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {},
      h("thead", {}, h("tr", {}, b.head.map((c, i) => h("th", { class: b.sides[i] }, inline(c, asking))))),
      h("tbody", {}, b.rows.map((r) => h("tr", {}, b.head.map((_, i) => h("td", { class: b.sides[i] }, inline(r[i] ?? "", asking))))))));
    case "definition": return [];
    case "front": return h("table", { class: "front" }, h("tbody", {}, fields(b.lines).map(([name, value]) =>
      h("tr", {}, name ? h("th", { scope: "row", text: name }) : h("th"), h("td", { text: value })))));
    default: return h("p", {}, inline(b.text, asking));
  }
}

// fields are the names and values before a page; a value that goes on over lines, such as
// a list, is one.
function fields(lines) {
  const out = [];
  for (const line of lines) {
    const colon = /^[\w-]+:/.exec(line);
    const more = line.trim().replace(/^- +/, "");
    const last = out.at(-1);
    if (colon) out.push([colon[0].slice(0, -1), line.slice(colon[0].length).trim()]);
    else if (!last) out.push(["", more]);
    else if (more !== "") last[1] = last[1] === "" || /^[>|][+-]?$/.test(last[1]) ? more : last[1] + (/^\s*- /.test(line) ? ", " : " ") + more;
  }
  return out;
}

// notes shows what was noted, at the end of the text. Each leads back to where it is named.
function notes(all, asking, el) {
  return h("section", { class: "notes", "aria-label": "Notes" }, all.map((n) => {
    const back = h("button", { type: "button", "aria-label": `Back to note ${n.label} in the text`, text: "↩" });
    back.addEventListener("click", () => [...el.querySelectorAll("sup > a")].find((a) => a.getAttribute("href") === "#" + n.id)?.focus());
    return h("div", { class: "note", id: n.id, tabindex: "-1" }, h("span", { class: "label", text: n.label }), h("div", {}, n.blocks.map((b) => element(b, asking))), back);
  }));
}

function listElement(b, asking) {
  const props = b.ordered && b.start !== 1 ? { start: String(b.start) } : {};
  return h(b.ordered ? "ol" : "ul", props, b.items.map((blocks) => {
    const task = blocks[0]?.kind === "paragraph" && /^\[([ xX])\]\s+/.exec(blocks[0].text);
    if (task) blocks[0] = { ...blocks[0], text: blocks[0].text.slice(task[0].length) };
    const box = task && h("input", { type: "checkbox", disabled: true, checked: task[1] !== " ", "aria-label": task[1] === " " ? "to do" : "done" });
    const inner = blocks.map((x) => (!b.loose && x.kind === "paragraph" ? inline(x.text, asking) : element(x, asking)));
    return h("li", { class: task ? "task" : undefined }, box, inner);
  }));
}

// codeBlock shows code, which can be copied whole.
export function codeBlock(text, info = "") {
  const copy = h("button", { type: "button", class: "copy", text: "Copy" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Not allowed";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  return h("div", { class: "code" }, info && h("span", { class: "lang", text: info }), copy, h("pre", { tabindex: "0" }, h("code", { text })));
}
