// What a text defines for the rest of it: where [a name] leads to, and what [^1] notes. A
// definition may come after what names it. Names are foreign text: they are looked up in
// a Map, which knows nothing but what was put there.

const most = 1_000; // definitions of one text; what is beyond them is no definition
export const longestLabel = 300; // characters

const link = /^ {0,3}\[((?:[^[\]\\]|\\.){1,300})\]:\s*(?:<([^<>]{0,2000})>|([^\s<]\S{0,2000}))(?:\s+(?:"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\)))?\s*$/;
const note = /^ {0,3}\[\^([^\s[\]\\^]{1,300})\]:(?:\s+(.*))?$/s;

// plainly is a label as it is compared: blanks and capitals make no difference.
const plainly = (label) => label.trim().replace(/\s+/g, " ").toLowerCase();

// linkDefinition and noteDefinition read a line that defines something, or return null.
export function linkDefinition(line) {
  const m = line.length <= 4_000 && !line.startsWith("[^") ? link.exec(line) : null;
  return m && m[1].trim() !== "" ? { label: m[1], href: (m[2] ?? m[3]).replace(/\\([!-/:-@[-`{-~])/g, "$1") } : null;
}

export function noteDefinition(line) {
  const m = note.exec(line);
  return m && { label: m[1], text: m[2] ?? "" };
}

let texts = 0; // that have notes: the ids of one are not another's

// References are what one reading of a text found. The first definition of a name holds.
export class References {
  // before is what was found in the same text when it was shorter.
  constructor(before) {
    this.text = before?.text ?? ++texts;
    this.links = new Map();
    this.notes = new Map(); // in their order
  }

  link(label, href) {
    const name = plainly(label);
    if (this.links.size < most && !this.links.has(name)) this.links.set(name, href);
  }

  // note returns whether it is the one that holds.
  note(label, blocks) {
    const name = plainly(label);
    if (this.notes.size >= most || this.notes.has(name)) return false;
    this.notes.set(name, { label, blocks, id: `note-${this.text}-${this.notes.size + 1}` });
    return true;
  }

  // says reports whether all that was asked for would be answered the same.
  says(asked) {
    for (const [question, answer] of asked) if (this.answer(question) !== answer) return false;
    return true;
  }

  answer(question) {
    const name = question.slice(1);
    return question[0] === "^" ? this.notes.get(name)?.id : this.links.get(name);
  }
}

// Asking answers what one block asks, and keeps it: where an answer is another one later,
// the block is drawn again.
export class Asking {
  constructor(where, references) {
    this.where = where;
    this.references = references;
    this.asked = new Map(); // the answer by the question
  }

  link(label) {
    if (label.length > longestLabel) return undefined;
    return this.ask("=" + plainly(label));
  }

  // note returns the id of a note.
  note(label) {
    if (label.length > longestLabel) return undefined;
    return this.ask("^" + plainly(label));
  }

  ask(question) {
    const answer = this.references.answer(question);
    this.asked.set(question, answer);
    return answer;
  }
}
