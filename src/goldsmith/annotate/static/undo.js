// Taking back the vote given before: from this browser while it waits there, from the server as long as that allows it.

const button = () => document.querySelector('[data-do="undo"]');

// `outbox` gives the votes on their way; `show` puts a task on the screen again; `said` and `explain` tell what happened.
export function makeUndo({ keep, call, outbox, show, said, explain, say }) {
  let last = null; // {vote_id, task, undoUntil}

  const isWaiting = () => keep.waiting().some((vote) => vote.vote_id === last.vote_id);
  const isPossible = () => last !== null && (last.undoUntil === null ? isWaiting() : Date.parse(last.undoUntil) > Date.now());
  const showWhether = () => (button().disabled = !isPossible());

  async function takeBack() {
    if (!isPossible()) return;
    const given = last;
    const vote = keep.waiting().find((one) => one.vote_id === given.vote_id);
    if (vote && (await outbox().takeBack(vote.vote_id))) {
      last = null;
      keep.saveDraft(vote.lease_id, vote);
      show({ ...given.task, draft: vote });
      return showWhether();
    }
    try {
      const found = await call("POST", `/api/votes/${given.vote_id}/undo`, {});
      last = null;
      show(found.task);
      said(say("undone"));
    } catch (refusal) {
      if (refusal.status === 409) last = null;
      refusal.status === 409 ? said(say("undo-late"), "warn", 6) : explain(refusal);
    }
    showWhether();
  }
  setInterval(showWhether, 5000);

  return {
    takeBack,
    showWhether,
    given: (vote, task) => (last = { vote_id: vote.vote_id, task, undoUntil: null }),
    confirmed(vote, until) {
      if (last && last.vote_id === vote.vote_id) last.undoUntil = until;
      showWhether();
    },
  };
}
