// What the agent of a new chat gets: a form in which the person says so.

import { h, modelName } from "./dom.js";
import { get, path } from "./api.js";

// How long a container may wait for the next message, in seconds; the first is what holds
// unless somebody says otherwise, as in vexa chat.
export const idles = [[300, "5 minutes"], [0, "not at all"], [60, "a minute"], [3600, "an hour"]];

// pick chooses what was chosen before, where it is there still.
function pick(select, before, otherwise) {
  select.value = before ?? otherwise;
  if (select.selectedIndex < 0) select.value = otherwise;
  return select;
}

// choices asks for what there is to choose from. Where something was chosen before, it
// is that, and what is not among it is not given. changed is told of each choice.
export async function choices(before, changed) {
  const [workspaces, runners, models, tools] = await Promise.all([get(path("workspaces")), get(path("runners")), get(path("models")), get(path("tools"))]);
  const given = before?.workspaces ?? [{ workspace: "personal", mode: "rw" }];
  const rows = workspaces.filter((w) => !w.writeOnly).map((w) => {
    const mode = h("select", { "aria-label": `What the agent may do with ${w.name}` },
      h("option", { value: "", text: "no access" }), h("option", { value: "rw", text: "read and write" }), h("option", { value: "ro", text: "read" }));
    pick(mode, given.find((g) => g.workspace === w.name)?.mode, "");
    return { name: w.name, mode, el: h("label", { class: "choice" }, h("span", { text: w.name }), mode) };
  });
  const runner = pick(h("select", { id: "runner" }, runners.map((r) => h("option", { value: r.name, text: r.digest || r.image.startsWith("builtin:") ? r.name : `${r.name} (not built)` }))), before?.runner, "vexa");
  const names = models.flatMap((p) => p.models.map((m) => `${p.name}/${m}`));
  const model = pick(h("select", { id: "model" }, h("option", { value: "", text: "the default" }), names.map((m) => h("option", { value: m, text: modelName(m) }))), before?.model, "");
  const idle = pick(h("select", { id: "idle" }, idles.map(([value, text]) => h("option", { value: String(value), text }))), before?.idle, String(idles[0][0]));
  const picked = tools.map((t) => {
    const box = h("input", { type: "checkbox" });
    box.checked = before?.tools?.includes(t.name) ?? false;
    return { name: t.name, box, title: t.title };
  });
  const chosen = () => ({
    workspaces: rows.filter((r) => r.mode.value).map((r) => ({ workspace: r.name, mode: r.mode.value })),
    runner: runner.value, model: model.value, tools: picked.filter((t) => t.box.checked).map((t) => t.name),
  });
  const seconds = () => Number(idle.value);
  const brief = h("span");
  const tell = () => {
    const c = chosen();
    brief.textContent = [c.workspaces.map((w) => (w.mode === "ro" ? `${w.workspace} (read)` : w.workspace)).join(", ") || "no workspace", c.runner, modelName(c.model)].filter(Boolean).join(" · ");
  };
  const el = h("details", { class: "options" }, h("summary", {}, "With ", brief),
    h("div", { class: "grid" },
      h("fieldset", {}, h("legend", { text: "Workspaces" }), rows.map((r) => r.el)),
      h("fieldset", {}, h("legend", { text: "Agent" }), h("label", { class: "choice" }, h("span", { text: "Runner" }), runner), h("label", { class: "choice" }, h("span", { text: "Model" }), model), h("label", { class: "choice" }, h("span", { text: "Waits for the next message" }), idle)),
      picked.length > 0 && h("fieldset", {}, h("legend", { text: "Tools" }), picked.map((t) => h("label", { class: "check" }, t.box, " ", t.title || t.name)))));
  el.addEventListener("change", () => {
    tell();
    changed({ ...chosen(), idle: idle.value });
  });
  tell();
  return { el, chosen, seconds, models: models.length, rehearsal: (models.find((p) => p.default) ?? models[0])?.protocol === "rehearsal" };
}
