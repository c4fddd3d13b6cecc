// The dispatches of a conversation, in the order in which they began: those of this page,
// and those that somebody began elsewhere.

import { get, path, raw, withQuery } from "./api.js";
import { Events } from "./stream.js";

const every = 4_000; // ms between two looks for what began elsewhere
const mostFailures = 5; // after which a dispatch is given up

// Following reads the frames of a session's dispatches, each once.
export class Following {
  // Of to, frame gets the frames, begun is called before those of one that a look found,
  // ended once they were all read, fail with why they cannot be and the dispatch that is
  // given up, and looked with the
  // dispatches after each look, or with why there was none.
  constructor(hub, session, to) {
    this.over = false;
    this.looking = null;
    this.hub = hub;
    this.session = session;
    this.to = to;
    this.seen = new Set();
    this.units = new Map(); // followed, with what ends that
    this.cursors = new Map(); // of the last frame of each
    this.failures = new Map(); // how often each could not be followed
    this.visible = () => { if (document.visibilityState === "visible") this.look(); };
  }

  // watch looks from now on whenever somebody may see it.
  watch() {
    document.addEventListener("visibilitychange", this.visible);
    window.addEventListener("focus", this.visible);
    this.timer = setInterval(this.visible, every);
  }

  // list are the dispatches of the session.
  async list() {
    if (!this.session) return [];
    const all = await get(withQuery(path("dispatches"), { all: "1", session: this.session }));
    return all.filter((d) => d.session === this.session).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  // look follows what it did not know of. Who asks while it looks waits for the same answer.
  look() {
    this.looking ??= this.list().then((own) => this.take(own)).then(this.to.looked, (err) => this.to.looked([], err)).finally(() => { this.looking = null; });
    return this.looking;
  }

  // first reads a list as look does, and fails where that fails.
  first(own) {
    this.looking = this.take(own).finally(() => { this.looking = null; });
    return this.looking;
  }

  async take(own) {
    for (const d of own) {
      if (this.over) break;
      if (this.seen.has(d.id)) {
        if (d.endedAt && this.units.has(d.id)) break; // what came after it is shown after its last words
        continue;
      }
      if (d.endedAt && d !== own.at(-1) && !this.cursors.has(d.id)) {
        await this.whole(d.id);
        continue;
      }
      this.to.begun();
      this.follow(d.id, "");
    }
    return own;
  }

  // whole reads a dispatch that has ended at once.
  async whole(unit) {
    const text = await (await raw(path("dispatches", unit, "frames"))).text();
    if (this.over || this.seen.has(unit)) return;
    this.seen.add(unit);
    new Events((e) => this.to.frame(JSON.parse(e.data))).push(text);
  }

  follow(unit, from) {
    if (this.over || this.seen.has(unit)) return;
    this.seen.add(unit);
    this.units.set(unit, this.hub.follow(unit, this.cursors.get(unit) ?? from, {
      frame: (f, cursor) => { this.cursors.set(unit, cursor); this.to.frame(f); },
      end: () => { this.units.delete(unit); this.to.ended(unit); this.look(); },
      fail: (err) => {
        this.units.delete(unit);
        const failures = (this.failures.get(unit) ?? 0) + 1;
        this.failures.set(unit, failures);
        if (failures < mostFailures) this.seen.delete(unit); // the next look follows it again
        this.to.fail(err, failures < mostFailures ? "" : unit);
      },
    }));
  }

  leave() {
    this.over = true;
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.visible);
    window.removeEventListener("focus", this.visible);
    for (const stop of this.units.values()) stop();
  }
}
