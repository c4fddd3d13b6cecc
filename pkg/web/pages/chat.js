// The chat: a conversation with its live stream, and a box to write in.

import { h, fill, short, modelName, problem, keepFocus } from "./dom.js";
import { choices, idles } from "./choices.js";
import { load, save, draftKey, queueKey, idleKey, choicesKey } from "./keep.js";
import { get, post, path, raw, withQuery } from "./api.js";
import { Conversation } from "./conversation.js";
import { Events } from "./stream.js";
import { Reading } from "./items.js";

const settleAfter = 400; // ms without a frame of before

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
    this.units = new Map(); // followed, with what ends that
    this.idle = load(idleKey(session)) ?? idles[0][0];
    this.busy = false; // a message is on its way
    this.early = false; // what is in the box was to be sent before it was known with what
    this.queue = load(queueKey(session)) ?? [];
    this.followEnd = true;
    this.build();
  }

  build() {
    this.status = h("p", { class: "status" }); // its numbers change all the time: nobody has them read out
    this.spoken = h("p", { class: "sr", role: "status" });
    this.box = h("textarea", { id: "message", rows: "1", placeholder: "Ask, or say what to do", "aria-label": "Message", autocomplete: "off", spellcheck: "true" });
    this.box.value = load(draftKey(this.session)) ?? "";
    this.sendButton = h("button", { type: "submit", class: "primary", text: "Send" });
    this.stopButton = h("button", { type: "button", class: "stop", text: "Stop", title: "Esc", hidden: true, onclick: () => this.interrupt() });
    this.queued = h("ol", { class: "queue", "aria-label": "Messages that wait" });
    this.trouble = h("div", {});
    this.options = h("div", {});
    this.form = h("form", { class: "composer" }, this.trouble, this.queued, h("div", { class: "box" }, this.box, h("div", { class: "buttons" }, this.stopButton, this.sendButton)),
      h("p", { class: "hint", text: "Enter sends, Shift+Enter is a new line, Esc stops the agent" }), this.options);
    this.form.addEventListener("submit", (e) => { e.preventDefault(); this.say(); });
    this.box.addEventListener("input", () => { this.early = false; this.grow(); save(draftKey(this.session), this.box.value); });
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
    this.el = h("div", { class: "chat" }, this.session && this.name, this.log, this.status, this.spoken, this.form);
  }

  // call names the page by what the conversation is about.
  call(title) {
    this.page.title(title);
    this.name.textContent = title;
    if (!this.name.isConnected) this.el.prepend(this.name);
  }

  async open() {
    this.page.title(this.session ? "Chat" : "New chat");
    this.renderQueue();
    if (!this.session) {
      this.welcome();
      this.page.show(this.el);
      this.grow();
      this.box.focus();
      await this.choose(true);
      return;
    }
    this.page.show(this.el);
    this.grow();
    await this.history();
    this.box.focus({ preventScroll: true });
  }

  welcome() {
    this.log.append(h("div", { class: "welcome" }, h("h1", { text: "What is to be done?" }),
      h("p", { class: "quiet" }, "Each message runs an agent in a container of its own, without network, over the workspaces that you give it. What it changes is a commit, and can be taken back."), this.note = h("div")));
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
    const [all, sessions] = await Promise.all([get(withQuery(path("dispatches"), { all: "1" })), get(path("sessions"))]);
    const own = all.filter((d) => d.session === this.session).sort((a, b) => (a.id < b.id ? -1 : 1));
    const meta = sessions.find((s) => s.id === this.session);
    if (meta?.title) this.call(meta.title);
    if (own.length === 0) {
      if (!meta) throw { code: "not_found", message: "there is no such session", remedy: h("a", { href: "/sessions", text: "See the sessions that there are" }) };
      this.loading = false;
      this.log.append(h("p", { class: "quiet", text: `What was said in “${meta.title}” is not kept any more; the agent still knows it. Go on below.` }));
      return;
    }
    this.workspaces = own.at(-1).workspaces;
    for (const d of own.slice(0, -1)) {
      if (d.endedAt) await this.whole(d.id);
      else this.follow(d.id, "");
    }
    this.follow(own.at(-1).id, "");
    this.settle();
  }

  // settle ends the loading once nothing more of before comes: only then is it known
  // whether a turn runs, for which a message has to wait.
  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => { this.loading = false; this.drawn(); }, settleAfter);
  }

  async whole(unit) {
    const response = await raw(path("dispatches", unit, "frames"));
    const events = new Events((e) => this.reading.apply(JSON.parse(e.data)));
    events.push(await response.text());
  }

  follow(unit, from) {
    if (this.units.has(unit)) return;
    this.units.set(unit, this.page.hub.follow(unit, from, {
      frame: (f) => { if (this.loading) this.settle(); this.reading.apply(f); },
      end: () => { this.units.delete(unit); this.ended(); },
      fail: (err) => { this.units.delete(unit); fill(this.trouble, problem(err)); },
    }));
  }

  ended() {
    this.conversation.state = "ended";
    if (this.conversation.running) this.conversation.running = "";
    this.drawn();
  }

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
  }

  // say sends what was written, or has it wait for the end of the turn.
  say() {
    const text = this.box.value.trim();
    this.early = false;
    if (text === "") return;
    if (!this.known()) {
      this.early = true;
      fill(this.trouble, h("p", { class: "quiet", role: "status", text: "It goes as soon as it is known what the agent can be given." }));
      this.choose();
      return;
    }
    if (!this.granted()) return;
    this.box.value = "";
    save(draftKey(this.session), "");
    this.grow();
    fill(this.trouble);
    if (this.loading || this.busy || this.pending || this.conversation.running || this.queue.length > 0) {
      this.queue.push(text);
      this.renderQueue();
      this.next();
      return;
    }
    this.send(text);
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

  async send(text) {
    this.busy = true;
    this.followEnd = true;
    const pending = h("article", { class: "said pending" }, h("div", { class: "bubble", text }));
    this.log.querySelector(".welcome")?.remove();
    this.log.append(pending);
    this.drawn();
    const first = !this.session;
    if (first) this.call(text.split("\n")[0].slice(0, 80));
    const request = { text, idempotencyKey: key(), limits: { idleSec: this.idle } };
    if (first) {
      Object.assign(request, this.chosen());
    } else {
      request.session = this.session;
    }
    try {
      const started = await post(path("dispatches"), request, true);
      if (first) {
        this.session = started.session;
        save(queueKey(this.session), this.queue);
        save(queueKey(""), []);
        save(idleKey(this.session), this.idle);
        save(draftKey(""), "");
        save(choicesKey, "");
        this.page.replace(`/chat/${this.session}`);
        fill(this.options);
        this.workspaces = this.chosen().workspaces.map((w) => ({ name: w.workspace, mode: w.mode }));
      }
      this.expect(started.unit, started.turn, pending);
      this.follow(started.unit, started.from);
    } catch (err) {
      pending.remove();
      if (this.box.value === "") this.box.value = text;
      else this.queue.unshift(text);
      this.grow();
      this.renderQueue();
      fill(this.trouble, problem(err));
    } finally {
      this.busy = false;
      this.drawn();
    }
  }

  // expect takes the message away that was shown before the daemon had it, once the
  // daemon's own word of it is there.
  expect(unit, turn, pending) {
    this.pending = { unit, turn, pending };
  }

  drawn() {
    const c = this.conversation;
    if (this.pending && c.items.some((i) => i.kind === "said" && i.turn === this.pending.turn)) {
      this.pending.pending.remove();
      this.pending = null;
    }
    const running = c.running !== "" || this.busy || this.pending;
    if (!c.running && document.activeElement === this.stopButton) this.box.focus({ preventScroll: true });
    this.stopButton.hidden = !c.running;
    this.sendButton.textContent = running ? "Queue" : "Send";
    this.log.setAttribute("aria-busy", String(Boolean(running)));
    this.tell(running);
    if (this.followEnd) this.toEnd();
    this.next();
  }

  // tell writes the line below the conversation, where that is another than before.
  tell(running) {
    const c = this.conversation;
    const now = JSON.stringify([Boolean(running), c.running !== "", c.model, c.runner, this.workspaces, c.usage && used(c.usage), c.container, c.state]);
    if (now === this.told) return;
    this.told = now;
    const says = running ? "The agent works." : this.spoken.textContent && "The agent is done.";
    if (says !== this.spoken.textContent) this.spoken.textContent = says;
    keepFocus(this.status, () => fill(this.status, running && h("span", { class: "working" }, h("span", { class: "dot", "aria-hidden": "true" }), c.running ? "working" : "starting"),
      c.model && h("span", { text: modelName(c.model) }), c.runner && c.runner !== "vexa" && h("span", { text: c.runner }),
      this.workspaces.length > 0 && h("span", {}, this.workspaces.map((w, i) => [i > 0 && ", ", h("a", { href: `/workspaces/${encodeURIComponent(w.name)}`, text: w.name }), w.mode === "ro" && " (read)"])),
      c.usage && h("span", { text: used(c.usage) }),
      this.where(running)), this.box);
  }

  // where is the container that works for this conversation, or that none does now.
  where(running) {
    const c = this.conversation;
    if (!c.container) return !running && c.state !== "" && h("span", { text: "no container now" });
    const unit = [...this.units.keys()].at(-1) ?? c.items.findLast((i) => i.unit)?.unit ?? "";
    return h("a", { href: `/dispatches/${unit}`, title: "The dispatch that runs this", text: `container ${short(c.container)}` });
  }

  toEnd() { document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight; }

  // next sends the first message that waits, once nothing runs.
  next() {
    if (this.loading || this.busy || this.pending || this.conversation.running || this.queue.length === 0 || this.left || !this.known() || !this.granted()) return;
    const text = this.queue.shift();
    this.renderQueue();
    this.send(text);
  }

  renderQueue() {
    save(queueKey(this.session), this.queue);
    keepFocus(this.queued, () => fill(this.queued, this.queue.map((text, i) => h("li", {}, h("span", { class: "text", text }),
      h("button", { type: "button", text: "Edit", "aria-label": `Edit “${text.slice(0, 60)}”`, onclick: () => { this.queue.splice(i, 1); this.box.value = text; this.renderQueue(); this.grow(); this.box.focus(); } }), " ",
      h("button", { type: "button", text: "Remove", "aria-label": `Remove “${text.slice(0, 60)}”`, onclick: () => { this.queue.splice(i, 1); this.renderQueue(); this.box.focus(); } })))), this.box);
    this.queued.hidden = this.queue.length === 0;
  }

  recall() {
    const last = this.conversation.items.findLast((i) => i.kind === "said");
    if (!last) return;
    this.box.value = last.text;
    this.grow();
    this.box.setSelectionRange(last.text.length, last.text.length);
  }

  async interrupt() {
    const unit = this.conversation.items.findLast((i) => i.kind === "said" && i.turn === this.conversation.running)?.unit;
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
    for (const stop of this.units.values()) stop();
  }
}

function used(u) {
  const tokens = `${compact(u.inputTokens)} in, ${compact(u.outputTokens)} out`;
  return u.costUsd ? `${tokens}, $${u.costUsd.toFixed(u.costUsd < 0.1 ? 4 : 2)}` : tokens;
}

const compact = (n) => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(n);

// key names a message, so that one that is sent again is not another.
function key() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
