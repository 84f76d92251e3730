// Search in the team's own documents: the passage, with the words of the question marked, unfolds to its whole length.

import { element } from "../view.js";
import { makeSearchPanel } from "./results.js";

export function makePanel({ say, ask }) {
  const piece = ({ text, hit }) => (hit ? element("mark", {}, text) : text);
  function item({ title, place, pieces, passage }) {
    const whole = element("details", {}, element("summary", {}, say("tools.passage")), element("p", {}, passage));
    return element(
      "li",
      { dir: "auto" },
      element("strong", {}, title),
      element("span", { className: "from" }, place),
      element("p", {}, ...pieces.map(piece)),
      passage ? whole : null,
    );
  }
  return makeSearchPanel({ say, ask, path: "documents", item });
}
