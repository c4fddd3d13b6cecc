// The text of a paragraph: emphasis, code, links. It is scanned once; what a text does
// not close stays as it is. The time it takes grows with its length and no faster.

import { h } from "./dom.js";
import { anchor, page } from "./links.js";
import { longestLabel } from "./references.js";

const longest = 20_000; // characters; a longer run is shown as it is

const entities = { amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'", nbsp: "\u00a0", mdash: "—", ndash: "–", hellip: "…", copy: "©" };
const punctuation = /[\p{P}\p{S}]/u;

// inline returns nodes. asking answers where links lead to, see references.js.
export function inline(text, asking) {
  if (text.length > longest) return [text];
  return new Scanner(text, asking).run();
}

class Scanner {
  constructor(text, asking) {
    this.text = text;
    this.asking = asking;
    this.where = asking.where;
    this.at = 0;
    this.out = []; // strings, nodes, and delimiters until they are matched
    this.brackets = []; // where each [ stands in out, and what is in it in text
    this.ticks = null; // where runs of backticks begin, by length
  }

  run() {
    const stop = /[\\`*_~[\]!<&\n]|https?:\/\//g;
    while (this.at < this.text.length) {
      stop.lastIndex = this.at;
      const m = stop.exec(this.text);
      const end = m ? m.index : this.text.length;
      if (end > this.at) this.out.push(this.text.slice(this.at, end));
      this.at = end;
      if (m) this.special(m[0]);
    }
    return emphasis(this.out);
  }

  special(c) {
    switch (c) {
      case "\\": return this.escape();
      case "`": return this.code();
      case "*": case "_": case "~": return this.delimiter(c);
      case "!":
        if (this.text[this.at + 1] === "[") return this.bracket("![");
        return this.plain(1);
      case "[": return this.wiki() || this.bracket("[");
      case "]": return this.close();
      case "<": return this.auto();
      case "&": return this.entity();
      case "\n": return this.newline();
      default: return this.bare();
    }
  }

  plain(n) {
    this.out.push(this.text.slice(this.at, this.at + n));
    this.at += n;
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === "\n") {
      this.out.push(h("br"));
      this.at += 2;
    } else if (next && /[!-/:-@[-`{-~]/.test(next)) {
      this.out.push(next);
      this.at += 2;
    } else {
      this.plain(1);
    }
  }

  newline() {
    const last = this.out.at(-1);
    if (typeof last === "string" && last.endsWith("  ")) {
      this.out[this.out.length - 1] = last.trimEnd();
      this.out.push(h("br"));
    } else {
      this.out.push("\n");
    }
    this.at++;
  }

  code() {
    if (!this.ticks) {
      this.ticks = new Map();
      for (const m of this.text.matchAll(/`+/g)) {
        if (!this.ticks.has(m[0].length)) this.ticks.set(m[0].length, []);
        this.ticks.get(m[0].length).push(m.index);
      }
    }
    const n = /^`+/.exec(this.text.slice(this.at, this.at + 200))[0].length;
    const places = this.ticks.get(n) ?? [];
    while (places.length > 0 && places[0] <= this.at) places.shift();
    if (places.length === 0) return this.plain(n);
    let inner = this.text.slice(this.at + n, places[0]).replace(/\n/g, " ");
    if (/^ .* $/.test(inner) && inner.trim() !== "") inner = inner.slice(1, -1);
    this.out.push(h("code", { text: inner }));
    this.at = places[0] + n;
  }

  delimiter(c) {
    let n = 1;
    while (this.text[this.at + n] === c) n++;
    const before = this.at === 0 ? " " : this.text[this.at - 1];
    const after = this.text[this.at + n] ?? " ";
    const left = !/\s/.test(after) && (!punctuation.test(after) || /\s/.test(before) || punctuation.test(before));
    const right = !/\s/.test(before) && (!punctuation.test(before) || /\s/.test(after) || punctuation.test(after));
    const word = c === "_";
    this.out.push({
      delimiter: c, count: n,
      opens: c === "~" ? left && n === 2 : left && (!word || !right || punctuation.test(before)),
      closes: c === "~" ? right && n === 2 : right && (!word || !left || punctuation.test(after)),
    });
    this.at += n;
  }

  bracket(text) {
    this.at += text.length;
    this.brackets.push({ out: this.out.length, at: this.at });
    this.out.push(text);
  }

  // wiki is a link to a page by its name: [[page]] or [[page|text]]. What leads nowhere
  // stays as it is.
  wiki() {
    if (this.text[this.at + 1] !== "[") return false;
    const m = /^\[\[([^\s[\]|^](?:[^[\]|\n]{0,298}[^\s[\]|])?)(?:\|([^[\]\n]{1,300}))?\]\](?!\()/.exec(this.text.slice(this.at, this.at + 620));
    const to = m && this.asking.link(m[1]) === undefined ? page(m[1], this.where) : null;
    if (to === null) return false;
    this.out.push(h("a", { href: to, text: m[2] ?? m[1] }));
    this.at += m[0].length;
    this.brackets = []; // no link is in another
    return true;
  }

  // close ends a link, where there is an address behind it or somewhere in the text.
  close() {
    const from = this.brackets.pop();
    const m = from === undefined ? null : address(this.text, this.at + 1) ?? this.reference(from);
    if (!m) return this.plain(1);
    const picture = this.out[from.out] === "![";
    const inner = emphasis(this.out.splice(from.out).slice(1));
    this.at = m.end;
    if (m.note) {
      if (picture) this.out.push("!");
      this.out.push(mark(m.label, m.note));
    } else {
      this.out.push(anchor(inner, m.href, this.where, picture));
    }
    if (!picture || m.note) this.brackets = []; // no link is in another
  }

  // reference finds what [text][name], [name][] and [name] stand for, and [^note].
  reference(from) {
    const own = this.text.slice(from.at, Math.min(this.at, from.at + longestLabel + 1));
    const behind = /^\[((?:[^[\]\\]|\\.){0,300})\]/.exec(this.text.slice(this.at + 1, this.at + longestLabel + 4));
    const end = this.at + 1;
    if (own[0] === "^" && /^\^[^\s[\]\\^]+$/.test(own)) {
      const note = this.asking.note(own.slice(1));
      return note === undefined ? null : { note, label: own.slice(1), end };
    }
    if (behind && behind[1].trim() !== "") {
      const href = this.asking.link(behind[1]);
      return href === undefined ? null : { href, end: end + behind[0].length };
    }
    if (own.trim() === "" || !/^(?:[^[\]\\]|\\.)*$/s.test(own)) return null;
    const href = this.asking.link(own);
    return href === undefined ? null : { href, end: end + (behind?.[0].length ?? 0) };
  }

  auto() {
    const m = /^<(https?:\/\/[^\s<>]{1,2000})>/i.exec(this.text.slice(this.at, this.at + 2010));
    if (!m) return this.plain(1);
    this.out.push(anchor([m[1]], m[1], this.where));
    this.at += m[0].length;
  }

  bare() {
    const before = this.text[this.at - 1];
    const m = /^https?:\/\/[^\s<>"'`\]|*]{1,2000}/i.exec(this.text.slice(this.at, this.at + 2010));
    if (!m || (before && /[\p{L}\p{N}]/u.test(before)) || this.brackets.length > 0) return this.plain(m ? 4 : 1);
    let url = m[0].replace(/[.,:;!?]+$/, "");
    while (url.endsWith(")") && url.split(")").length > url.split("(").length) url = url.slice(0, -1);
    this.out.push(anchor([url], url, this.where));
    this.at += url.length;
  }

  entity() {
    const m = /^&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,6}));/.exec(this.text.slice(this.at, this.at + 12));
    if (!m) return this.plain(1);
    const point = m[1] ? parseInt(m[1], 10) : m[2] ? parseInt(m[2], 16) : 0;
    const text = m[3] ? entities[m[3]] : point > 0 && point <= 0x10ffff && !(point >= 0xd800 && point < 0xe000) ? String.fromCodePoint(point) : "\ufffd";
    if (text === undefined) return this.plain(1);
    this.out.push(text);
    this.at += m[0].length;
  }
}

// mark leads to a note.
const mark = (label, id) => h("sup", {}, h("a", { href: "#" + id, "aria-label": `note ${label}`, text: label }));

// address reads (where "title") behind a link's text.
function address(text, at) {
  if (text[at] !== "(") return null;
  const m = /^\(\s*(?:<([^<>\n]{0,2000})>|((?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.){0,500}\)){0,2000}))(?:\s+(?:"[^"]{0,500}"|'[^']{0,500}'))?\s*\)/.exec(text.slice(at, at + 3000));
  return m && { href: (m[1] ?? m[2]).replace(/\\([!-/:-@[-`{-~])/g, "$1"), end: at + m[0].length };
}

const depths = new WeakMap(); // of emphasis in emphasis
const deepest = 16;

// emphasis matches delimiters, as CommonMark does, and returns nodes and strings.
function emphasis(tokens) {
  const list = tokens.slice();
  const bottoms = new Map(); // below which no opener of a kind is
  for (let i = 0; i < list.length; i++) {
    const closer = list[i];
    if (!closer?.delimiter || !closer.closes || closer.count === 0) continue;
    const bottom = bottoms.get(kindOf(closer)) ?? 0;
    let open = -1;
    for (let j = i - 1; j >= bottom; j--) {
      const o = list[j];
      if (o?.delimiter === closer.delimiter && o.opens && o.count > 0 && fits(o, closer)) { open = j; break; }
    }
    if (open < 0) {
      bottoms.set(kindOf(closer), i);
      continue;
    }
    const o = list[open];
    const n = closer.delimiter === "~" ? 2 : Math.min(2, o.count, closer.count);
    const inner = list.slice(open + 1, i).map(leftOver);
    const depth = inner.reduce((most, x) => Math.max(most, (typeof x === "object" && depths.get(x)) || 0), 0) + 1;
    if (depth > deepest) {
      o.opens = false;
      continue;
    }
    const el = h(closer.delimiter === "~" ? "s" : n === 2 ? "strong" : "em", {}, inner);
    depths.set(el, depth);
    o.count -= n;
    closer.count -= n;
    list.splice(open + 1, i - open - 1, el);
    for (const [k, v] of bottoms) if (v > open) bottoms.set(k, open + 1);
    i = open + 1; // the closer stands behind the element, and may close more
  }
  return list.map(leftOver).filter((x) => x !== "");
}

const kindOf = (d) => `${d.delimiter}${d.opens}${d.count % 3}`;
const fits = (o, c) => !((o.closes || c.opens) && (o.count + c.count) % 3 === 0 && !(o.count % 3 === 0 && c.count % 3 === 0));
const leftOver = (x) => (x?.delimiter ? x.delimiter.repeat(x.count) : x);
