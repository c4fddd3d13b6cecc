// The messages that wait, in their order, kept. Where the first of them was refused none
// goes before the person says so.

import { h, fill, keepFocus } from "./dom.js";
import { load, save, queueKey, holdKey } from "./keep.js";
import { newKey } from "./outbox.js";

export class Queue {
  // Of to, write puts a text into the box, and released is called when nothing is held any more.
  constructor(session, box, to) {
    this.session = session;
    this.box = box;
    this.to = to;
    this.place = null; // of what is in the box to be edited
    this.el = h("ol", { class: "queue", "aria-label": "Messages that wait" });
    this.load();
  }

  // load takes what is kept, which a message that was refused is part of.
  load() {
    this.waiting = load(queueKey(this.session)) ?? [];
    this.why = load(holdKey(this.session)); // the first was refused, or null
  }

  // give takes the only message back into an empty box.
  give() {
    if (this.waiting.length === 1 && this.box.value === "") this.to.write(this.waiting.pop().text);
    this.draw();
  }

  // add has a message wait in the place from which it was taken, or behind all others.
  add(text) {
    this.load();
    this.waiting.splice(this.place ?? this.waiting.length, 0, { text, key: newKey() });
    this.place = null;
    this.draw();
  }

  // next takes the first, a text with its key.
  next() {
    const message = this.waiting.shift();
    if (this.place > 0) this.place--;
    this.draw();
    return message;
  }

  release() {
    this.why = null;
    save(holdKey(this.session), "");
    this.to.released();
  }

  draw() {
    save(queueKey(this.session), this.waiting);
    keepFocus(this.el, () => fill(this.el, this.waiting.map(({ text }, i) => h("li", {}, h("span", { class: "text", text }),
      h("button", { type: "button", text: "Edit", "aria-label": `Edit “${text.slice(0, 60)}”`, onclick: () => this.edit(i) }), " ",
      h("button", { type: "button", text: "Remove", "aria-label": `Remove “${text.slice(0, 60)}”`, onclick: () => this.remove(i) })))), this.box);
    this.el.hidden = this.waiting.length === 0;
    if (this.why && this.waiting.length === 0) this.release();
  }

  // again takes what is kept, and says where a message is then: one that was refused
  // meanwhile is before all others.
  again(i) {
    const before = this.waiting.length;
    this.load();
    const more = this.waiting.length - before;
    if (this.place !== null) this.place += more;
    return i + more;
  }

  remove(i) {
    i = this.again(i);
    this.waiting.splice(i, 1);
    if (this.place > i) this.place--;
    this.draw();
    this.box.focus();
  }

  // edit takes a message into the box, and what was in there has its place.
  edit(i) {
    i = this.again(i);
    const written = this.box.value.trim();
    const [{ text }] = this.waiting.splice(i, 1, ...(written ? [{ text: written, key: newKey() }] : []));
    this.to.write(text);
    this.draw();
    this.place = i;
    this.box.focus();
  }
}
