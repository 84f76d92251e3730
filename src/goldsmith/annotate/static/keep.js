// What a person has written outlives the page: drafts by lease, and votes that the server has not confirmed yet.
// Both stand in this browser's storage, under the person's own name, and are shared by all of their tabs.

const DAYS_KEPT = 14;
const memory = new Map(); // for browsers whose storage is full or forbidden: at least as long as the page is open

export function read(key) {
  if (memory.has(key)) return memory.get(key);
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

export function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    memory.delete(key);
  } catch {
    memory.set(key, value);
  }
}

function drop(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // there is nothing to remove
  }
}

function keys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

export function makeKeep(person) {
  const draftKey = (lease) => `goldsmith.draft.${person}.${lease}`;
  const queueKey = `goldsmith.queue.${person}`;
  function forgetOld() {
    const oldest = Date.now() - DAYS_KEPT * 86400000;
    for (const key of keys()) {
      if (key.startsWith(`goldsmith.draft.${person}.`) && !((read(key) || {}).at > oldest)) drop(key);
    }
  }

  // Runs `change` while no other tab does; browsers without locks run it at once, which the server's vote ids make harmless.
  async function alone(change) {
    return navigator.locks ? navigator.locks.request(queueKey, change) : change();
  }

  return {
    queueKey,
    draftKey,
    forgetOld,
    draft: (lease) => read(draftKey(lease)),
    saveDraft: (lease, draft) => write(draftKey(lease), { ...draft, at: Date.now() }),
    dropDraft: (lease) => drop(draftKey(lease)),
    waiting: () => read(queueKey) || [],
    add: (vote) => alone(() => write(queueKey, [...(read(queueKey) || []).filter((one) => one.vote_id !== vote.vote_id), vote])),
    remove: (id) => alone(() => write(queueKey, (read(queueKey) || []).filter((one) => one.vote_id !== id))),
  };
}
