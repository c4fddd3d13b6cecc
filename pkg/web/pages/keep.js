// What was written and not sent, and with what, and what was sent and not taken yet, is
// kept in this tab alone, until it is closed.

export const draftKey = (session) => `vexa.draft.${session}`;
export const queueKey = (session) => `vexa.queue.${session}`;
export const holdKey = (session) => `vexa.hold.${session}`; // why nothing of the queue is sent
export const sentKey = (session) => `vexa.sent.${session}`; // the request that the daemon has not taken yet
export const idleKey = (session) => `vexa.idle.${session}`;
export const choicesKey = "vexa.choices"; // of the chat that is to begin

const here = new Map(); // what the browser does not keep lasts as long as the page

export function load(name) {
  try { return JSON.parse(here.get(name) ?? sessionStorage.getItem(name)); } catch { return null; }
}

export function save(name, value) {
  here.delete(name);
  const none = value === "" || value?.length === 0;
  try {
    if (none) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    if (!none) here.set(name, JSON.stringify(value));
    try { sessionStorage.removeItem(name); } catch { /* nothing is kept there */ } // what was there before is not so any more
  }
}

// forget drops all of it: whoever signs in here next is somebody else.
export function forget() {
  here.clear();
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith("vexa.")) sessionStorage.removeItem(name);
  } catch { /* nothing is kept there */ }
}

// kept are the sessions of which something is kept under names that a function makes.
export function kept(nameOf) {
  const all = [...here.keys()];
  try { all.push(...Object.keys(sessionStorage)); } catch { /* nothing is */ }
  return all.filter((name) => name.startsWith(nameOf(""))).map((name) => name.slice(nameOf("").length));
}
