// The line below a conversation: whether the agent works, with what, and where.

import { h, fill, short, modelName, keepFocus } from "./dom.js";

export class Standing {
  // instead has the focus where what had it in the line is gone.
  constructor(instead) {
    this.el = h("p", { class: "status" }); // its numbers change all the time: nobody has them read out
    this.spoken = h("p", { class: "sr", role: "status" });
    this.instead = instead;
  }

  // tell writes the line, where that is another than before. word is how things stand where
  // nothing came for long, live the dispatch that is followed.
  tell(c, running, word, workspaces, live) {
    const now = JSON.stringify([running, word, c.running !== "", c.model, c.runner, workspaces, c.usage && used(c.usage), c.container, c.state]);
    if (now === this.told) return;
    this.told = now;
    const says = running ? `The agent works.${sentence(word)}` : this.spoken.textContent && "The agent is done.";
    if (says !== this.spoken.textContent) this.spoken.textContent = says;
    keepFocus(this.el, () => fill(this.el, running && h("span", { class: "working" }, h("span", { class: "dot", "aria-hidden": "true" }), c.running ? "working" : "starting"), word && h("span", { text: word }),
      c.model && h("span", { text: modelName(c.model) }), c.runner && c.runner !== "vexa" && h("span", { text: c.runner }),
      workspaces.length > 0 && h("span", {}, workspaces.map((w, i) => [i > 0 && ", ", h("a", { href: `/workspaces/${encodeURIComponent(w.name)}`, text: w.name }), w.mode === "ro" && " (read)"])),
      c.usage && h("span", { text: used(c.usage) }),
      where(c, running, live)), this.instead);
  }
}

// where is the container that works for a conversation, or that none does now.
function where(c, running, live) {
  if (!c.container) return !running && c.state !== "" && h("span", { text: "no container now" });
  const unit = live ?? c.items.findLast((i) => i.unit)?.unit ?? "";
  return h("a", { href: `/dispatches/${unit}`, title: "The dispatch that runs this", text: `container ${short(c.container)}` });
}

const sentence = (text) => text && ` ${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function used(u) {
  const tokens = `${compact(u.inputTokens)} in, ${compact(u.outputTokens)} out`;
  return u.costUsd ? `${tokens}, $${u.costUsd.toFixed(u.costUsd < 0.1 ? 4 : 2)}` : tokens;
}

const compact = (n) => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(n);
