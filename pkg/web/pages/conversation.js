// What the frames of a session come to: items, in the order in which a person reads
// them. Frames go in; which items changed comes out.

const key = (turn, call) => `${turn}\u0000${call}`;

export class Conversation {
  constructor() {
    this.items = [];
    this.calls = new Map();
    this.single = new Map(); // of plan and unknown a turn has one
    this.running = "";
    this.session = this.runner = this.model = this.container = this.state = this.unit = "";
    this.usage = null;
  }

  // apply takes a frame and returns the indexes of what is new or changed; a number below
  // 0 says that the last item went.
  apply(f) {
    const changed = new Set();
    if (this.items.at(-1)?.kind === "waiting") {
      changed.add(this.items.length - 1);
      this.items.pop();
    }
    this.body(f, changed);
    return changed;
  }

  body(f, changed) {
    switch (f.type) {
      case "turn-accepted":
        this.session = f.session;
        this.runner = f.runner;
        this.model = f.model ?? "";
        this.running = f.turn;
        this.add({ kind: "said", turn: f.turn, unit: f.unit, text: f.text, at: f.ts }, changed);
        break;
      case "message-delta": this.piece("answer", f, changed); break;
      case "reasoning": this.piece("reasoning", f, changed); break;
      case "message": this.whole(f, changed); break;
      case "tool-call":
        this.add({ kind: "call", turn: f.turn, open: true, tool: f.tool, args: f.arguments, result: null }, changed);
        this.calls.set(key(f.turn, f.callId), this.items.length - 1);
        break;
      case "tool-result": {
        const at = this.calls.get(key(f.turn, f.callId));
        if (at === undefined) break;
        this.calls.delete(key(f.turn, f.callId));
        Object.assign(this.items[at], { open: false, result: { ok: f.ok, output: f.output, truncated: f.truncated } });
        changed.add(at);
        break;
      }
      case "plan": this.once(f.turn, { kind: "plan", steps: f.steps }, changed); break;
      case "opaque": {
        const at = this.single.get(key(f.turn, "unknown"));
        const item = at === undefined ? { kind: "unknown", count: 0, events: [] } : this.items[at];
        item.count++;
        if (item.events.length < 50) item.events.push({ event: f.event, known: f.known, bytes: f.bytes });
        this.once(f.turn, item, changed);
        break;
      }
      case "commit": this.add({ kind: "commit", ...f }, changed); break;
      case "rejected": this.add({ kind: "rejected", ...f }, changed); break;
      case "card": this.add({ kind: "card", turn: f.turn, unit: f.unit, card: f.card }, changed); break;
      case "error": this.add({ kind: "problem", ...f }, changed); break;
      case "turn-done": this.done(f, changed); break;
      case "usage": this.usage = f; break;
      case "state":
        if (f.unit < this.unit) break; // the last words of a dispatch of before
        this.unit = f.unit;
        this.container = f.state === "stopped" || f.state === "destroyed" ? "" : f.container ?? this.container;
        this.state = f.state;
        if (f.detail && f.state === "starting") this.add({ kind: "waiting", turn: f.turn, text: f.detail }, changed);
        break;
      default: // a newer daemon's: this page was open while Vexa was upgraded
        this.body({ type: "opaque", turn: f.turn, event: String(f.type), known: false, bytes: new TextEncoder().encode(JSON.stringify(f)).length }, changed);
        break;
    }
  }

  // form is how an answer is shown: what a runner without a model prints is no Markdown.
  form() { return { printed: this.model === "" }; }

  add(item, changed) {
    const last = this.items.at(-1);
    if (last?.open && last.kind !== "call") {
      last.open = false;
      changed.add(this.items.length - 1);
    }
    changed.add(this.items.length);
    this.items.push(item);
  }

  piece(kind, f, changed) {
    if (f.text === "") return;
    const last = this.items.at(-1);
    if (last?.open && last.kind === kind && last.turn === f.turn) {
      last.text += f.text;
      changed.add(this.items.length - 1);
      return;
    }
    this.add({ kind, turn: f.turn, text: f.text, open: true, ...this.form() }, changed);
  }

  // whole is an answer that is complete: the pieces before it are the same.
  whole(f, changed) {
    const last = this.items.at(-1);
    if (last?.open && last.kind === "answer" && last.turn === f.turn) {
      last.text = f.text;
      last.open = false;
      changed.add(this.items.length - 1);
    } else if (f.text !== "") {
      this.add({ kind: "answer", turn: f.turn, text: f.text, open: false, ...this.form() }, changed);
    }
  }

  once(turn, item, changed) {
    const name = key(turn, item.kind);
    const at = this.single.get(name);
    if (at === undefined) {
      this.add({ ...item, turn }, changed);
      this.single.set(name, this.items.length - 1);
    } else {
      Object.assign(this.items[at], item);
      changed.add(at);
    }
  }

  done(f, changed) {
    if (this.running === f.turn) this.running = "";
    let answered = false;
    for (let i = this.items.length - 1; i >= 0 && this.items[i].turn === f.turn; i--) {
      const item = this.items[i];
      answered ||= item.kind === "answer";
      if (item.open) {
        item.open = false;
        changed.add(i);
      }
    }
    if (!answered && f.reply) this.add({ kind: "answer", turn: f.turn, text: f.reply, open: false, ...this.form() }, changed);
    if (!f.ok) this.add({ kind: "ended", turn: f.turn, outcome: f.outcome, error: f.error, exitCode: f.exitCode }, changed);
  }
}
