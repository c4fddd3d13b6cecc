// Commits that were taken back since they were made.

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

// lookBack returns that of the newest commits of a workspace. Where it cannot be known they
// are shown as they were made.
export async function lookBack(workspace) {
  try {
    return takenBack(await get(withQuery(path("workspaces", workspace, "log"), { limit: String(mostLogged) })));
  } catch {
    return new Map();
  }
}
