// Drafts: in this browser at once, on the server every few seconds. Saving one also renews the lease of the pair.

const RENEW_MS = 300000;

// `lease` gives the id of the pair whose answer may still change, or null; `read` the answer on the form.
export function makeDrafts({ keep, call, everySeconds, lease, read, say, notice, explain }) {
  let clock = null;
  let sentAt = 0;
  let activeAt = Date.now();

  async function send() {
    clock = null;
    const here = lease();
    if (!here) return;
    sentAt = Date.now();
    try {
      await call("PUT", `/api/leases/${here}/draft`, read());
      if (lease() === here) notice("lease", "");
    } catch (refusal) {
      if (lease() !== here) return;
      if (refusal.status === 410) notice("lease", say("late"), { tone: "warn" });
      else if (refusal.status === 401 || refusal.code === "csrf") explain(refusal);
    }
  }

  function cancel() {
    clearTimeout(clock);
    clock = null;
  }

  function save() {
    if (!lease()) return;
    keep.saveDraft(lease(), read());
    clock ??= setTimeout(send, Math.max(300, sentAt + everySeconds * 1000 - Date.now()));
  }

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden" || !lease()) return;
    keep.saveDraft(lease(), read());
    cancel();
    send();
  });

  // A pair that is being read stays leased although nothing changes on the form; one that is forgotten on the screen does not.
  for (const name of ["keydown", "pointermove", "wheel", "touchstart"]) document.addEventListener(name, () => (activeAt = Date.now()), { passive: true });
  setInterval(() => {
    const isRead = document.visibilityState === "visible" && Date.now() - activeAt < RENEW_MS;
    if (isRead && Date.now() - sentAt > RENEW_MS) send();
  }, 60000);

  return { save, cancel, loaded: () => (sentAt = Date.now()) };
}
