// Votes on their way: each is kept in the browser before it is sent, and until the server has confirmed it.

export function makeOutbox({ keep, call, retrySeconds, onChange, onAnswer, onRefused }) {
  let clock = null;
  let sending = false;
  let problem = null;

  async function flush() {
    if (sending) return;
    sending = true;
    clearTimeout(clock);
    try {
      const tried = new Set();
      for (;;) {
        const vote = keep.waiting().find((one) => !tried.has(one.vote_id));
        if (!vote) break;
        tried.add(vote.vote_id);
        try {
          const answer = await call("POST", "/api/votes", vote);
          problem = null;
          await keep.remove(vote.vote_id);
          onAnswer(vote, answer);
        } catch (refusal) {
          if (refusal.isPassing || refusal.status === 401 || refusal.code === "csrf") {
            problem = refusal;
            break;
          }
          await keep.remove(vote.vote_id);
          onRefused(vote, refusal);
        }
      }
    } finally {
      sending = false;
    }
    if (keep.waiting().length) clock = setTimeout(flush, retrySeconds * 1000);
    else problem = null;
    onChange(keep.waiting().length, problem);
  }
  window.addEventListener("online", flush);

  return {
    flush,
    async send(vote) {
      await keep.add(vote);
      await flush();
    },
    // Takes a vote back that the server has not seen; false when it has.
    async takeBack(id) {
      if (sending || !keep.waiting().some((vote) => vote.vote_id === id)) return false;
      await keep.remove(id);
      onChange(keep.waiting().length, problem);
      return true;
    },
  };
}
