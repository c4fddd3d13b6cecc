// What became of commits since they were made: those that were taken back, and those whose
// undo waits for people.

import { h } from "./dom.js";
import { proposalAt } from "./links.js";
import { get, path, withQuery } from "./api.js";

const mostLogged = 300; // how far back it is looked

// takenBack returns of the commits of a history, the newest first, by which each was taken
// back, or "". One that was taken back itself took nothing back.
export function takenBack(log) {
  const by = new Map();
  for (const c of log) {
    if (!by.has(c.sha)) by.set(c.sha, "");
    if (by.get(c.sha) === "") for (const sha of c.undoes) by.set(sha, c.sha);
  }
  return by;
}

// lookBack returns that of the newest commits of a workspace, and by commit the proposal that
// is to take it back. Where it cannot be known they are shown as they were made.
export async function lookBack(workspace) {
  const none = () => [];
  const [log, open] = await Promise.all([
    get(withQuery(path("workspaces", workspace, "log"), { limit: String(mostLogged) })).catch(none),
    get(path("workspaces", workspace, "proposals")).catch(none),
  ]);
  return { by: takenBack(log), waits: new Map(open.filter((p) => p.target === "refs/heads/main").flatMap((p) => p.undoes.map((sha) => [sha, p.id]))) };
}

// undoWaits says of a commit that its undo is a proposal.
export const undoWaits = (workspace, proposal) => h("span", { role: "status" }, "The undo waits in ", h("a", { href: proposalAt(workspace, proposal), text: "a proposal" }));
