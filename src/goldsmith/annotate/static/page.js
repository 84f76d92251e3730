// What every page does beyond its HTML: times in the reader's own zone, copying an address, undoing a vote of the history,
// and coming back when the database does.

for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    time.textContent = moment.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent += " ✓";
    button.disabled = true;
  });
}

for (const button of document.querySelectorAll("[data-undo]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    const answer = await fetch(`/api/votes/${button.dataset.undo}/undo`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": button.dataset.csrf },
      body: "{}",
    }).catch(() => null);
    location.href = answer && answer.ok ? "/work" : location.href;
  });
}

const waiting = document.querySelector("[data-retry]");
if (waiting) {
  setInterval(async () => {
    const answer = await fetch("/api/health").catch(() => null);
    if (answer && answer.ok) location.reload();
  }, Number(waiting.dataset.retry) * 1000);
}
