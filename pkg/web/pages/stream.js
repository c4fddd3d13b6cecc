// Streams of frames (contract ws.v2). One WebSocket carries all that a page follows;
// where none can be had, each is read as server-sent events over HTTP. Either way the
// same events come: each has a cursor, and after any break the page goes on from the
// last one it has, so that nothing is lost, and what comes twice is passed over.

import { raw, withQuery, path, get } from "./api.js";

const quiet = 40_000; // ms without a word, after which a connection is given up: one is said every 15 s
const firstPause = 250, longestPause = 5_000;
const trySocketFirst = 5_000, trySocketAtLast = 60_000; // after the fallback was taken, each time later

// Events reads server-sent events from pieces of text.
export class Events {
  constructor(take) {
    this.take = take;
    this.rest = "";
  }

  push(text) {
    this.rest += text;
    let from = 0;
    for (;;) {
      const end = this.rest.indexOf("\n\n", from);
      if (end < 0) break;
      this.one(this.rest.slice(from, end));
      from = end + 2;
    }
    if (from > 0) this.rest = this.rest.slice(from);
  }

  one(block) {
    let id, kind = "message", data;
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      if (colon <= 0) continue; // a comment, or no field
      const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      switch (line.slice(0, colon)) {
        case "id": id = value; break;
        case "event": kind = value; break;
        case "data": data = data === undefined ? value : data + "\n" + value; break;
      }
    }
    if (data !== undefined) this.take({ id, kind, data });
  }
}

// Hub follows topics for as long as somebody wants each.
export class Hub {
  // state is called with "live", "waiting" (for a connection) or "fallback".
  constructor(state) {
    this.state = state;
    this.topics = new Map();
    this.pause = firstPause;
    this.failures = 0;
    this.socket = null;
    this.fallback = false;
    this.socketPause = trySocketFirst;
    this.closed = false;
    this.wake = () => {
      if (document.visibilityState !== "visible") return;
      if (this.socket?.readyState === WebSocket.OPEN && performance.now() - this.heard > quiet) this.socket.close();
      if (!this.socket && !this.fallback) this.connect();
    };
    document.addEventListener("visibilitychange", this.wake);
    window.addEventListener("online", this.wake);
    window.addEventListener("pageshow", this.wake);
    this.watch = setInterval(() => {
      if (this.fallback) this.look();
      if (this.socket?.readyState === WebSocket.OPEN && performance.now() - this.heard > quiet) this.socket.close();
    }, 5_000);
    this.connect();
  }

  // follow reads a dispatch from a cursor on, "" being its beginning. Of to, frame gets
  // each frame once and in order; end is called when the dispatch has ended and was
  // read whole, fail with why it cannot be read. What is returned ends it.
  follow(unit, from, to) {
    const topic = `unit:${unit}:out`;
    const t = { unit, topic, cursor: from, seq: 0, to, over: false, stop: null };
    this.topics.get(topic)?.stop?.();
    this.topics.set(topic, t);
    if (this.fallback) this.read(t);
    else if (this.socket?.readyState === WebSocket.OPEN) this.ask("subscribe", [t]);
    return () => {
      if (this.topics.get(topic) !== t) return;
      this.topics.delete(topic);
      t.over = true;
      t.stop?.();
      if (this.socket?.readyState === WebSocket.OPEN) this.ask("unsubscribe", [t]);
    };
  }

  close() {
    this.closed = true;
    clearInterval(this.watch);
    document.removeEventListener("visibilitychange", this.wake);
    window.removeEventListener("online", this.wake);
    window.removeEventListener("pageshow", this.wake);
    for (const t of this.topics.values()) { t.over = true; t.stop?.(); }
    this.socket?.close();
  }

  ask(action, topics) {
    for (let i = 0; i < topics.length; i += 32) {
      this.socket.send(JSON.stringify({
        action, topics: topics.slice(i, i + 32).map((t) => (t.cursor && action === "subscribe" ? { topic: t.topic, from: t.cursor } : { topic: t.topic })),
      }));
    }
  }

  connect() {
    if (this.closed) return;
    clearTimeout(this.later);
    const socket = new WebSocket(`ws://${location.host}/api/subscribe`);
    this.socket = socket;
    this.heard = performance.now();
    let opened = false;
    const events = new Events((e) => this.event(e));
    socket.onopen = () => {
      opened = true;
      this.failures = 0;
      this.pause = firstPause;
      this.socketPause = trySocketFirst;
      this.heard = performance.now();
      this.state("live");
      const open = [...this.topics.values()].filter((t) => !t.over);
      if (open.length > 0) this.ask("subscribe", open);
    };
    socket.onmessage = (m) => {
      this.heard = performance.now();
      events.push(m.data);
    };
    socket.onclose = () => {
      if (this.socket !== socket || this.closed) return;
      this.socket = null;
      if (!opened) this.failures++;
      this.state("waiting");
      this.again();
    };
  }

  // again connects after a pause. Where the daemon answers and no WebSocket comes about,
  // something between refuses it, and frames are read over HTTP for a while.
  async again() {
    if (this.failures >= 2) {
      try {
        await get("/api/status");
        if (!this.closed && !this.socket) this.takeFallback();
        return;
      } catch { /* nobody is there: it is not the WebSocket's fault */ }
      if (this.closed) return;
    }
    this.later = setTimeout(() => this.connect(), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(2 * this.pause, longestPause);
  }

  takeFallback() {
    this.fallback = true;
    this.state("fallback");
    for (const t of this.topics.values()) if (!t.over) this.read(t);
    this.later = setTimeout(() => this.leaveFallback(), this.socketPause);
    this.socketPause = Math.min(2 * this.socketPause, trySocketAtLast);
  }

  leaveFallback() {
    clearTimeout(this.later);
    this.fallback = false;
    this.failures = 0;
    for (const t of this.topics.values()) t.stop?.();
    this.connect();
  }

  // look finds out whether the daemon is there still, which a connection that nobody has
  // does not tell.
  async look() {
    if (this.looking) return;
    this.looking = true;
    try {
      await get("/api/status");
    } catch (err) {
      if (err.code !== "daemon_unreachable" || !this.fallback || this.closed) return;
      this.state("waiting");
      this.leaveFallback();
    } finally {
      this.looking = false;
    }
  }

  event(e) {
    if (e.kind === "message") {
      const frame = JSON.parse(e.data);
      const t = this.topics.get(`unit:${frame.unit}:out`);
      if (t) this.frame(t, e.id, frame);
    } else if (e.kind === "end") {
      const t = this.topics.get(e.data);
      if (t) this.end(t);
    } else if (e.kind === "error") {
      const { topic, error } = JSON.parse(e.data);
      const t = this.topics.get(topic);
      if (t) this.fail(t, error);
    }
  }

  frame(t, cursor, frame) {
    if (t.over || frame.seq <= t.seq) return; // it came before the break, too
    t.seq = frame.seq;
    t.cursor = cursor;
    t.to.frame(frame, cursor);
  }

  end(t) {
    if (t.over) return;
    this.forget(t);
    t.to.end?.();
  }

  fail(t, error) {
    if (t.over) return;
    this.forget(t);
    t.to.fail?.(error);
  }

  forget(t) {
    t.over = true;
    if (this.topics.get(t.topic) === t) this.topics.delete(t.topic);
  }

  // read is the fallback for one topic.
  async read(t) {
    const control = new AbortController();
    t.stop = () => control.abort();
    let pause = firstPause;
    while (!t.over && !control.signal.aborted) {
      try {
        const response = await raw(withQuery(path("dispatches", t.unit, "frames"), { follow: "1" }), t.cursor ? { "Last-Event-ID": t.cursor } : {});
        if (control.signal.aborted) {
          response.body.cancel();
          return;
        }
        const reader = response.body.getReader();
        const text = new TextDecoder(); // by hand: a pipe drops what it holds when the connection breaks
        control.signal.addEventListener("abort", () => reader.cancel(), { once: true });
        const events = new Events((e) => this.event(e));
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          pause = firstPause;
          events.push(text.decode(value, { stream: true }));
        }
        if (control.signal.aborted) return;
        const d = await get(path("dispatches", t.unit));
        if (d.endedAt) { this.end(t); return; }
      } catch (err) {
        if (control.signal.aborted || t.over) return;
        if (err.status && err.status !== 503) { this.fail(t, err); return; }
      }
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(2 * pause, longestPause);
    }
  }
}
