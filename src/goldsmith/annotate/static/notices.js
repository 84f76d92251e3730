// What the page tells: lines above the answer that stay until they are settled, and a word beside the buttons.

import { element } from "./view.js";

const byId = (id) => document.getElementById(id);

export function makeNotices(say) {
  // One line for each name: a new one of the same name takes the place of the old; no text takes it away.
  function notice(name, text, { tone = "plain", button = null } = {}) {
    const before = byId("notices").querySelector(`[data-name="${name}"]`);
    if (!text) return void before?.remove();
    if (before && before.dataset.text === text) return;
    const line = element("p", { className: `notice ${tone}`, "data-name": name, "data-text": text }, element("span", {}, text), button);
    before ? before.replaceWith(line) : byId("notices").append(line);
  }

  // A word beside the buttons, which moves nothing on the screen.
  let clock = null;
  function said(text, tone = "plain", seconds = 4) {
    byId("said").textContent = text;
    byId("said").className = `said ${tone}`;
    clearTimeout(clock);
    clock = setTimeout(() => (byId("said").textContent = ""), seconds * 1000);
  }

  // In the language of the page; the server's own sentence is English, and stands where it says something that the page does not know.
  function whyRefused(refusal) {
    const key = `refused.${refusal.code}`;
    return say(key) === key ? say("refused", { message: refusal.message }) : say(key);
  }

  function explain(refusal) {
    if (refusal.status === 401) {
      const link = element("a", { href: `/sign-in?next=${encodeURIComponent(location.pathname)}` }, say("sign-in"));
      return notice("problem", say("signed-out"), { tone: "alert", button: link });
    }
    if (refusal.code === "csrf") return notice("problem", say("reload"), { tone: "alert" });
    if (refusal.status === 0) return notice("problem", say("offline"), { tone: "alert" });
    if (refusal.status === 503) return notice("problem", say("unavailable"), { tone: "alert" });
    notice("problem", whyRefused(refusal), { tone: "alert" });
  }

  return { notice, said, explain };
}
