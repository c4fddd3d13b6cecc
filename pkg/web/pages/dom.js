// Elements are made here and nowhere else. Text is always text: nothing in these pages
// parses markup, and the browser is told to refuse whoever would (Trusted Types).

// h makes an element. Of props, those that begin with "on" are listeners, class, text and
// dataset are what they say, true and false set or leave out an attribute. Children are
// nodes, texts, lists of them, or nothing.
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "class") el.className = value;
    else if (name === "text") el.textContent = value;
    else if (name === "value") el.value = value;
    else if (name === "dataset") Object.assign(el.dataset, value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  add(el, children);
  return el;
}

// add appends children to an element.
export function add(el, children) {
  for (const c of children) {
    if (c === undefined || c === null || c === false) continue;
    if (Array.isArray(c)) add(el, c);
    else el.append(c);
  }
  return el;
}

// fill replaces what an element holds.
export function fill(el, ...children) {
  el.replaceChildren();
  return add(el, children);
}

// sign shows a character that is a picture, which nobody has to have read out.
export const sign = (text) => h("span", { class: "sign", "aria-hidden": "true", text });

// ago says how long ago a time was, and the time itself on demand.
export function ago(time) {
  const at = new Date(time);
  const sec = Math.round((Date.now() - at.getTime()) / 1000);
  const form = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  let text;
  if (sec < 45) text = "just now";
  else if (sec < 45 * 60) text = form.format(-Math.max(1, Math.round(sec / 60)), "minute");
  else if (sec < 22 * 3600) text = form.format(-Math.max(1, Math.round(sec / 3600)), "hour");
  else if (sec < 26 * 86400) text = form.format(-Math.max(1, Math.round(sec / 86400)), "day");
  else text = at.toLocaleDateString("en-GB", { year: "numeric", month: "short", day: "numeric" });
  return h("time", { datetime: at.toISOString(), title: at.toLocaleString("en-GB"), text });
}

export const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
export const short = (sha) => sha.slice(0, 12);
// modelName is a model as people are shown it: provider/model, and one name where both have the same.
export const modelName = (full) => full.replace(/^([^/]+)\/\1$/, "$1");
export const code = (text) => h("code", { text });

// word is a file's name, or another text that is not ours, as one word of a command that a
// person may copy. One that a terminal or the command could take for something else is
// what instead says.
export function word(name, instead = "FILE") {
  if (/^[\w./@+-]+$/.test(name) && !name.startsWith("-")) return name;
  return name.startsWith("-") || /\p{C}/u.test(name) ? instead : `'${name.replaceAll("'", `'\\''`)}'`;
}

// bytes says a size as people do.
export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} kB`;
  return `${(n / 1e6).toFixed(1)} MB`;
}

// problem shows an error with what to do about it, which may be a link or a button.
export function problem(err) {
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, sign("!"), " ", err.message || String(err)),
    err.hint && h("p", { class: "quiet" }, err.hint),
    err.remedy && h("p", {}, err.remedy));
}

// keepFocus draws anew what an element holds. Who had the focus on a link or a button in
// it has it on the one of the same address or words afterwards, or on what instead is.
export function keepFocus(el, draw, instead) {
  const of = (x) => x.getAttribute("href") ?? x.getAttribute("aria-label") ?? x.textContent;
  const had = el.contains(document.activeElement) && document.activeElement !== el ? of(document.activeElement) : null;
  draw();
  if (had === null || el.contains(document.activeElement)) return;
  ([...el.querySelectorAll("a, button, summary")].find((x) => of(x) === had) ?? instead)?.focus({ preventScroll: true });
}

// confirmed is a button that asks once more before it does something; Escape keeps things
// as they are. What came of it, a node, is shown in its place and has the focus.
export function confirmed(label, question, yes, act, kind = "") {
  const box = h("span", { class: "confirm" });
  let asking = false;
  const first = () => {
    asking = false;
    fill(box, h("button", { type: "button", class: kind, onclick: second, text: label }));
  };
  const back = () => { first(); box.firstChild.focus(); };
  const outcome = (node) => {
    asking = false;
    if (!node || !box.isConnected) return; // what it was part of was drawn anew
    const el = h("span", { tabindex: "-1", role: "status" }, node);
    fill(box, el);
    el.focus();
  };
  box.addEventListener("keydown", (e) => {
    if (e.key !== "Escape" || !asking) return;
    e.stopPropagation(); // it is about this, and not about the agent
    back();
  });
  const second = () => {
    const go = h("button", { type: "button", class: "danger", text: yes });
    const keep = h("button", { type: "button", text: "Keep", onclick: back });
    go.addEventListener("click", async () => {
      asking = false;
      go.disabled = keep.disabled = true;
      try {
        outcome(await act());
      } catch (err) {
        if (!box.isConnected) return;
        back();
        box.append(problem(err));
      }
    });
    asking = true;
    fill(box, h("span", { class: "question", role: "group", "aria-label": question }, h("span", { text: question }), " ", go, " ", keep));
    go.focus();
  };
  first();
  return box;
}
