// Web search. What a page says of itself is text here; its link opens elsewhere and tells it nothing.

import { element } from "../view.js";
import { makeSearchPanel } from "./results.js";

export function makePanel({ say, ask }) {
  const item = ({ title, url, host, text }) =>
    element(
      "li",
      { dir: "auto" },
      element("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow", referrerPolicy: "no-referrer" }, title || host),
      element("span", { className: "from", dir: "ltr" }, host),
      text ? element("p", {}, text) : null,
    );
  return makeSearchPanel({ say, ask, path: "search", item });
}
