// Seconds that a person has had the task before their eyes: it stands still while the page is hidden.

export function makeTimer(box) {
  let before = 0;
  let since = null;
  const seconds = () => Math.min(86400, before + (since === null ? 0 : (performance.now() - since) / 1000));
  const isSeen = () => document.visibilityState === "visible";

  function show() {
    const whole = Math.floor(seconds());
    box.textContent = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
    box.classList.toggle("paused", since === null);
  }
  document.addEventListener("visibilitychange", () => {
    before = seconds();
    since = since !== null && !isSeen() ? null : isSeen() && box.dataset.running ? performance.now() : null;
    show();
  });
  setInterval(show, 1000);

  return {
    seconds: () => Math.round(seconds() * 10) / 10,
    start(from) {
      before = from || 0;
      box.dataset.running = "yes";
      since = isSeen() ? performance.now() : null;
      show();
    },
    stop() {
      before = seconds();
      since = null;
      delete box.dataset.running;
      show();
    },
  };
}
