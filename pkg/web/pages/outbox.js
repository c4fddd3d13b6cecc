// What was sent is kept until the daemon has taken it, whatever the page shows meanwhile.
// Each message has a key of its own from when it was written, so that one that is sent
// again, or by a copy of the tab, is not another.

import { post, path } from "./api.js";
import { kept, load, save, choicesKey, draftKey, holdKey, idleKey, queueKey, sentKey } from "./keep.js";

const firstPause = 300, longestPause = 5_000; // ms between two tries

const ways = new Map(); // by session, the promise of what is on its way
let era = 0; // what began before it goes no further

// sent is the request of a session that the daemon has not taken yet, or null.
export const sent = (session) => load(sentKey(session));

export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

// keep notes a request that is to be delivered.
export const keep = (session, request) => save(sentKey(session), request);

// deliver sends what is kept of a session until the daemon takes it, and returns what that
// answers; nothing, where nothing is kept. What it refuses is the first of the queue again, which is held, and thrown is why.
export function deliver(session) {
  const request = sent(session);
  if (request && !ways.has(session)) {
    const way = go(session, request).finally(() => ways.delete(session));
    way.catch(() => {}); // whoever shows the session hears of it
    ways.set(session, way);
  }
  return ways.get(session);
}

// underway is what deliver gave to who asked before, where that goes on.
export const underway = (session) => ways.get(session);

// resume delivers what was on its way when the page was loaded anew.
export function resume() {
  for (const session of kept(sentKey)) deliver(session);
}

// drop ends what is on its way: the person signed out.
export function drop() {
  era++;
  ways.clear();
}

async function go(session, request) {
  const mine = era;
  for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
    try {
      const started = await post(path("dispatches"), request);
      if (mine !== era) return started;
      if (!session) begun(started.session, request);
      save(sentKey(session), "");
      return started;
    } catch (err) {
      if (mine !== era) throw err;
      if (err.code !== "daemon_unreachable") {
        save(queueKey(session), [{ text: request.text, key: request.idempotencyKey }, ...(load(queueKey(session)) ?? [])]);
        save(holdKey(session), { message: err.message, hint: err.hint });
        save(sentKey(session), "");
        throw err;
      }
    }
    await new Promise((done) => setTimeout(done, pause));
    if (mine !== era) throw new Error("the person signed out");
  }
}

// begun gives a session that began what was written for it in the meantime.
function begun(session, request) {
  for (const name of [draftKey, queueKey]) {
    save(name(session), load(name("")) ?? "");
    save(name(""), "");
  }
  save(idleKey(session), request.limits.idleSec);
  save(choicesKey, "");
}
