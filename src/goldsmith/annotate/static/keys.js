// Every action has a key. Single letters can be switched off (WCAG 2.1.4); Enter, Escape and Control+Enter stay.

import { read, write } from "./keep.js";

const TYPED = "textarea, select, input:not([type=radio]):not([type=checkbox])";
const WORDS_KEY = "goldsmith.single-keys";

export function makeKeys(actions, onEnter) {
  const box = document.getElementById("single-keys");
  box.checked = read(WORDS_KEY) !== "off";
  const apply = () => document.body.classList.toggle("no-single-keys", !box.checked);
  box.addEventListener("change", () => {
    write(WORDS_KEY, box.checked ? "on" : "off");
    apply();
  });
  apply();

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.matches?.(TYPED);
    if (event.key === "Enter") return enter(event, isTyping);
    if (event.key === "Escape" && isTyping) return void event.target.blur();
    if (isTyping || event.ctrlKey || event.metaKey || !box.checked) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action && !event.repeat) {
      event.preventDefault();
      action();
    }
  });

  // In the rationale Enter is a new line and Control+Enter sends; on a link or button Enter is that link's or button's.
  function enter(event, isTyping) {
    const isControl = event.target.matches?.("a, button, summary");
    if ((isTyping && !event.ctrlKey && !event.metaKey) || isControl || event.repeat) return;
    event.preventDefault();
    onEnter();
  }
}
