// What a colleague asked tools before they voted, for the expert who decides.

import { element } from "../view.js";

export function usesList(say, uses) {
  if (!uses.length) return null;
  const item = ({ tool, question, answer, failure, flag }) =>
    element(
      "li",
      { dir: "auto" },
      element("strong", {}, say(`tool.${tool}`)),
      ` ${question.slice(0, 300)}`,
      failure ? element("span", { className: "badge undecided" }, say("used.failed")) : null,
      flag ? element("span", { className: "badge alert" }, say(`used.flag.${flag}`)) : null,
      answer ? element("details", {}, element("summary", {}, say("used.answer")), answer) : null,
    );
  return element("ul", { className: "uses", "aria-label": say("used") }, ...uses.map(item));
}
