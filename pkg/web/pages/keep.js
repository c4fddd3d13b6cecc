// What was written and not sent, and with what, is kept in this tab alone, until it is
// closed.

export const draftKey = (session) => `vexa.draft.${session}`;
export const queueKey = (session) => `vexa.queue.${session}`;
export const idleKey = (session) => `vexa.idle.${session}`;
export const choicesKey = "vexa.choices"; // of the chat that is to begin

export function load(name) {
  try { return JSON.parse(sessionStorage.getItem(name)); } catch { return null; }
}

export function save(name, value) {
  try {
    if (value === "" || value?.length === 0) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch { /* it is not kept */ }
}
