// The chat: a conversation with its live stream, and a box to write in.

import { h, fill, problem } from "./dom.js";
import { choices, idles } from "./choices.js";
import { load, save, draftKey, idleKey, choicesKey } from "./keep.js";
import { get, post, path } from "./api.js";
import { Conversation } from "./conversation.js";
import { Following } from "./following.js";
import { Standing } from "./standing.js";
import { keep, sent, deliver, underway } from "./outbox.js";
import { Queue } from "./queue.js";
import { Reading } from "./items.js";

const settleAfter = 400; // ms without a frame of before
const hush = 10_000, unheard = 4_000; // ms without a frame of a turn, or of a message, after which it is said how things stand

const headline = (text) => text.trim().split("\n")[0].slice(0, 80);

// chat shows a session, or with "" the beginning of one.
export function chat(page, session) {
  const talk = new Talk(page, session);
  page.leave(() => talk.leave());
  return talk.open();
}

class Talk {
  constructor(page, session) {
    this.page = page;
    this.session = session;
    this.conversation = new Conversation();
    this.log = h("div", { class: "log", role: "log", "aria-label": "Conversation", "aria-live": "polite" });
    this.reading = new Reading(this.log, this.conversation, () => this.workspaces[0]?.name ?? "personal");
    this.reading.drawn = () => this.drawn();
    this.workspaces = [];
    this.following = new Following(page.hub, session, {
      frame: (f) => this.frame(f), begun: () => { this.loading = true; this.settle(); },
      ended: (unit) => this.ended(unit), fail: (err, unit) => this.failed(err, unit), looked: (own, err) => this.looked(own, err),
    });
    this.idle = load(idleKey(session)) ?? idles[0][0];
    this.busy = false; // a message is on its way
    this.bubble = null; // shows it until the daemon's own word of it is there
    this.pending = null; // the turn of which that is waited for
    this.heard = performance.now(); // when there was a frame
    this.word = ""; // how things stand, where none came for long
    this.early = false; // what is in the box was to be sent before it was known with what
    this.followEnd = true;
    this.build();
  }

  build() {
    this.box = h("textarea", { id: "message", rows: "1", placeholder: "Ask, or say what to do", "aria-label": "Message", autocomplete: "off", spellcheck: "true" });
    this.box.value = load(draftKey(this.session)) ?? "";
    this.standing = new Standing(this.box);
    this.sendButton = h("button", { type: "submit", class: "primary", text: "Send" });
    this.stopButton = h("button", { type: "button", class: "stop", text: "Stop", title: "Esc", hidden: true, onclick: () => this.interrupt() });
    this.queue = new Queue(this.session, this.box, { write: (text) => this.write(text), released: () => fill(this.trouble) });
    this.trouble = h("div", {});
    this.options = h("div", {});
    this.form = h("form", { class: "composer" }, this.trouble, this.queue.el, h("div", { class: "box" }, this.box, h("div", { class: "buttons" }, this.stopButton, this.sendButton)),
      h("p", { class: "hint", text: "Enter sends, Shift+Enter is a new line, Esc stops the agent" }), this.options);
    this.form.addEventListener("submit", (e) => { e.preventDefault(); this.say(); });
    this.box.addEventListener("input", () => { this.early = false; this.write(); if (this.box.value === "") this.queue.place = null; });
    this.box.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.say(); }
      if (e.key === "ArrowUp" && this.box.value === "") { e.preventDefault(); this.recall(); }
    });
    this.onKey = (e) => { if (e.key === "Escape" && this.conversation.running) this.interrupt(); };
    document.addEventListener("keydown", this.onKey);
    this.onScroll = () => {
      const el = document.scrollingElement;
      this.followEnd = el.scrollHeight - el.scrollTop - el.clientHeight < 80;
    };
    window.addEventListener("scroll", this.onScroll, { passive: true });
    this.size = new ResizeObserver(() => { if (this.followEnd) this.toEnd(); });
    for (const el of [this.log, this.form]) this.size.observe(el);
    this.name = h("h1", { class: "sr", text: "Chat" });
    this.el = h("div", { class: "chat" }, this.session && this.name, this.log, this.standing.el, this.standing.spoken, this.form);
  }

  // call names the page by what the conversation is about.
  call(title) {
    this.called = title;
    this.page.title(title);
    this.name.textContent = title;
    if (!this.name.isConnected) this.el.prepend(this.name);
  }

  async open() {
    this.page.title(this.session ? "Chat" : "New chat");
    this.queue.draw();
    const first = !this.session && sent("");
    if (!this.session && !first) this.welcome();
    this.page.show(this.el);
    this.grow();
    if (!this.session) this.box.focus();
    if (this.session) await this.history();
    else if (!first) await this.choose(true);
    if (this.left) return;
    this.following.watch();
    if (this.session) this.box.focus({ preventScroll: true });
    if (this.busy) return; // it was sent meanwhile
    if (sent(this.session)) return this.deliver(Math.max(0, this.conversation.items.findLastIndex((i) => i.kind === "said"))); // its turn may be there, or one of the same words
    this.held();
    this.next();
  }

  welcome() {
    this.log.append(h("div", { class: "welcome" }, h("h1", { text: "What is to be done?" }),
      h("p", { class: "quiet" }, "The agent runs in a container of its own, without network, over the workspaces that you give it. What it changes is a commit, and can be taken back."), this.note = h("div")));
  }

  // rehearsed says that what answers is no model.
  rehearsed() {
    fill(this.note, h("p", { class: "notice" }, "No model is connected: a rehearsal plays prepared turns, as for “Write a note that says hello”. For a model, in a terminal: ", h("code", { text: "vexa model add" })));
  }

  // history shows what was said before. Dispatches that have ended are read at once, the
  // last is followed.
  async history() {
    this.followEnd = true;
    this.loading = true;
    const [own, sessions] = await Promise.all([this.following.list(), get(path("sessions"))]);
    const meta = sessions.find((s) => s.id === this.session);
    if (meta?.title) this.call(meta.title);
    if (own.length === 0) {
      if (!meta) throw { code: "not_found", message: "there is no such session", remedy: h("a", { href: "/sessions", text: "See the sessions that there are" }) };
      this.loading = false;
      this.log.append(h("p", { class: "quiet", text: `What was said in “${meta.title}” is not kept any more; the agent still knows it. Go on below.` }));
      return;
    }
    this.workspaces = own.at(-1).workspaces;
    await this.following.first(own);
    this.settle();
  }

  // settle ends the loading once nothing more of before comes: only then is it known
  // whether a turn runs, for which a message has to wait.
  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (this.following.looking) return this.settle();
      this.loading = false;
      this.drawn();
    }, settleAfter);
  }

  frame(f) {
    this.heard = performance.now();
    this.word = "";
    if (this.loading) this.settle();
    if (this.broken) fill(this.trouble);
    this.broken = false;
    this.reading.apply(f);
  }

  // failed says why frames do not come. A dispatch that is given up is as one that ended.
  failed(err, unit) {
    this.broken = true;
    fill(this.trouble, problem(err));
    if (unit) this.ended(unit);
  }

  ended(unit) {
    const c = this.conversation;
    if (this.following.units.size === 0) c.state = "ended";
    if (c.running && (this.unitOf(c.running) ?? unit) === unit) c.running = "";
    this.drawn();
    if (this.pending?.unit !== unit) return;
    this.pending = this.bubble = null; // it said nothing of it: what was written stays to be read
    this.drawn();
  }

  unitOf(turn) { return this.conversation.items.findLast((i) => i.kind === "said" && i.turn === turn)?.unit; }

  // looked says how things stand where no frame came for a while, by the dispatches of the
  // session or by why they cannot be had.
  async looked(own, err) {
    const c = this.conversation;
    if (this.left || !this.works() || performance.now() - this.heard < (c.running ? hush : unheard)) return;
    if (!this.session) await get(path("status")).catch((e) => { err = e; });
    if (!this.works()) return;
    const live = own.findLast((d) => !d.endedAt);
    if (err) this.word = err.message + (this.busy ? "; the message is kept, and goes once it does" : "");
    else this.word = "the daemon is there" + (live ? `; the dispatch is ${live.state}` : "") + (this.busy ? "; it has not taken the message yet" : "");
    this.drawn();
  }

  // works reports whether a turn runs, or a message is on its way to be one.
  works() { return Boolean(this.conversation.running || this.busy || this.pending); }

  // choose lets the person say what the agent gets. Until it is known what there is
  // nothing is sent: what was to be sent then goes when it is.
  async choose(opening) {
    if (this.asking) return;
    this.asking = true;
    let c;
    try {
      c = await choices(load(choicesKey), (now) => { this.idle = c.seconds(); save(choicesKey, now); });
    } catch (err) {
      if (opening && err.code === "daemon_unreachable") throw err; // the view is shown once it is back
      this.early = false;
      fill(this.trouble, problem(Object.assign(err, { remedy: h("button", { type: "button", text: "Try again", onclick: () => this.choose() }) })));
      return;
    } finally {
      this.asking = false;
    }
    if (this.left) return;
    this.chosen = c.chosen;
    this.idle = c.seconds();
    fill(this.options, c.el);
    fill(this.trouble, c.models === 0 && problem({ message: "no model is set up", hint: "set one up with: vexa model add" }));
    if (c.rehearsal) this.rehearsed();
    if (this.early) this.say();
    else if (!opening) this.next();
  }

  // write changes what is in the box, or notes that the person did.
  write(text = this.box.value) {
    this.box.value = text;
    save(draftKey(this.session), text);
    this.grow();
  }

  // say sends what was written, or has it wait for the end of the turn.
  say() {
    const text = this.box.value.trim();
    this.early = false;
    if (text === "") {
      if (this.queue.why) this.retry();
      return;
    }
    if (!this.known()) {
      this.early = true;
      fill(this.trouble, h("p", { class: "quiet", role: "status", text: "It goes as soon as it is known what the agent can be given." }));
      this.choose();
      return;
    }
    if (!this.granted()) return;
    this.write("");
    const knew = this.queue.why;
    this.queue.add(text);
    if (this.queue.why && !knew) return this.held(); // what was refused meanwhile comes first
    this.queue.release();
    this.next();
  }

  // held shows why a message was refused. Alone it goes back into the box; else it is the
  // first of the queue, and nothing is sent before the person says so.
  held() {
    this.queue.load();
    const why = this.queue.why;
    if (!why) return this.queue.draw();
    this.queue.give();
    fill(this.trouble, problem({ ...why, remedy: this.queue.why && h("button", { type: "button", text: "Send again", onclick: () => this.retry() }) }));
  }

  retry() {
    this.queue.release();
    this.box.focus({ preventScroll: true });
    if (!this.known()) this.choose();
    this.next();
  }

  // known reports whether it is known what the agent gets: left out of the request, it would
  // be given what nobody chose.
  known() { return Boolean(this.session || this.chosen); }

  // granted reports whether the agent has a workspace to work in. Where the person took
  // all of them away it is asked for one: left out of the request, personal would be given.
  granted() {
    if (this.session || this.chosen().workspaces.length > 0) return true;
    fill(this.trouble, problem({ message: "an agent needs a workspace to work in", hint: "Choose below what it may read, or read and write." }));
    const options = this.options.querySelector("details");
    options.open = true;
    options.querySelector("select")?.focus();
    return false;
  }

  // send has the daemon take a message, which is kept until it has.
  send({ text, key }) {
    keep(this.session, { text, idempotencyKey: key, limits: { idleSec: this.idle }, ...(this.session ? { session: this.session } : this.chosen()) });
    this.deliver();
  }

  // deliver shows the message that is on its way, and what comes of it. Where the view is
  // left it goes all the same. Its turn is none of the items before the given one.
  async deliver(from = this.conversation.items.length) {
    const session = this.session, request = sent(session);
    this.busy = true;
    this.followEnd = true;
    this.heard = performance.now();
    this.bubble = h("article", { class: "said pending" }, h("div", { class: "bubble", text: request.text }));
    this.log.querySelector(".welcome")?.remove();
    this.from = from;
    if (!session) this.call(headline(request.text));
    this.drawn();
    const way = underway(session) ?? this.following.look().then(() => deliver(session)); // what began elsewhere comes before it
    const started = await way.catch(() => null); // why is kept, too
    if (this.left) return;
    if (started) this.took(started, request);
    else await this.notTaken();
    this.busy = false;
    this.following.look();
    this.drawn();
  }

  took(started, request) {
    this.word = "";
    this.heard = performance.now();
    fill(this.trouble);
    if (!this.session) this.begun(started.session, request);
    this.pending = { unit: started.unit, turn: started.turn };
    this.following.follow(started.unit, ""); // somebody else may have begun it
  }

  async notTaken() {
    this.bubble.remove();
    this.bubble = null;
    if (!this.known()) await this.choose();
    if (!this.left) this.held();
  }

  // begun goes on as the chat of a session that its first message began.
  begun(session, request) {
    this.session = this.following.session = this.queue.session = session;
    this.page.replace(`/chat/${session}`);
    fill(this.options);
    this.workspaces = request.workspaces.map((w) => ({ name: w.workspace, mode: w.mode }));
  }

  drawn() {
    if (this.left) return;
    const c = this.conversation, first = c.items.find((i) => i.kind === "said");
    if (!this.called && first) this.call(headline(first.text)); // it was not saved yet
    if (this.pending && c.items.some((i) => i.kind === "said" && i.turn === this.pending.turn)) {
      this.bubble.remove();
      this.pending = this.bubble = null;
    }
    if (this.bubble) {
      const text = this.bubble.textContent;
      this.bubble.hidden = !this.pending && c.items.slice(this.from).some((i) => i.kind === "said" && i.text === text); // its turn may come before the answer does
      if (this.log.lastElementChild !== this.bubble) this.log.append(this.bubble);
    }
    const running = this.works();
    if (!running) this.word = "";
    if (!c.running && document.activeElement === this.stopButton) this.box.focus({ preventScroll: true });
    this.stopButton.hidden = !c.running;
    this.sendButton.textContent = running ? "Queue" : "Send";
    this.log.setAttribute("aria-busy", String(running));
    this.standing.tell(c, running, this.word, this.workspaces, [...this.following.units.keys()].at(-1));
    if (this.followEnd) this.toEnd();
    this.next();
  }

  toEnd() { document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight; }

  // next sends the first message that waits, once nothing runs.
  next() {
    if (this.loading || this.works() || this.queue.why || this.queue.waiting.length === 0 || this.left || !this.known() || !this.granted()) return;
    this.send(this.queue.next());
  }

  recall() {
    const last = this.conversation.items.findLast((i) => i.kind === "said");
    if (!last) return;
    this.write(last.text);
    this.box.setSelectionRange(last.text.length, last.text.length);
  }

  async interrupt() {
    const unit = this.unitOf(this.conversation.running);
    if (!unit || this.stopButton.disabled) return;
    if (document.activeElement === this.stopButton) this.box.focus({ preventScroll: true }); // what cannot be pressed has no focus
    this.stopButton.disabled = true;
    this.stopButton.textContent = "Stopping …";
    try {
      await post(path("dispatches", unit, "stop"), { interrupt: true });
    } catch (err) {
      fill(this.trouble, problem(err));
    } finally {
      this.stopButton.disabled = false;
      this.stopButton.textContent = "Stop";
    }
  }

  grow() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, window.innerHeight * 0.4)}px`;
  }

  leave() {
    this.left = true;
    clearTimeout(this.settling);
    document.removeEventListener("keydown", this.onKey);
    window.removeEventListener("scroll", this.onScroll);
    this.size.disconnect();
    this.following.leave();
  }
}
