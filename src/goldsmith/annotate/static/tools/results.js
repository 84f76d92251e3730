// A field and a list of what was found: the panel of every search.

import { element } from "../view.js";

// `path` names the tool in addresses; `item` makes the list's entry of one result.
export function makeSearchPanel({ say, ask, path, item }) {
  // Not of type search: Escape would empty it, and here it leads back to the keys of the vote.
  const field = element("input", { type: "text", enterKeyHint: "search", maxLength: 500, required: true, dir: "auto", autocomplete: "off", "aria-label": say("tools.words") });
  const form = element("form", {}, field, element("button", {}, say("tools.search")));
  const list = element("ul", { className: "found" });

  function search() {
    const question = field.value.trim();
    if (!question) return;
    list.replaceChildren();
    ask(`tools/${path}`, { question }, ({ results }) => {
      list.replaceChildren(...(results.length ? results.map(item) : [element("li", { className: "soft" }, say("tools.none"))]));
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });

  return {
    body: element("div", {}, form, list),
    take({ words }) {
      if (!words) return field.focus();
      field.value = words.replace(/\s+/g, " ").slice(0, 500);
      search();
    },
    reset() {
      field.value = "";
      list.replaceChildren();
    },
  };
}
