// Questions to a model about the pair. Whatever it says is marked as a model's; it is never asked which reply is better.

import { element } from "../view.js";

export function makePanel({ say, ask, foreign, settings }) {
  const model = element("select", { "aria-label": say("tools.model") }, ...settings.models.map(({ name, about }) => element("option", { value: name }, about ? `${name}: ${about}` : name)));
  const field = element("textarea", { rows: 3, maxLength: 4000, required: true, dir: "auto", placeholder: say("tools.question"), "aria-label": say("tools.question") });
  const form = element("form", {}, field, model, element("button", {}, say("tools.ask")));
  const answers = element("div", {});

  function send() {
    const question = field.value.trim();
    if (!question) return;
    ask("tools/specialists", { question, model: model.value }, (found) => {
      const by = say("tools.by-model", { model: found.model });
      const box = element("article", { className: "machine", "aria-label": by }, element("p", { className: "by" }, by), element("p", { className: "asked", dir: "auto" }, question));
      box.append(foreign(found.html, "text"), ...(found.cut ? [element("p", { className: "soft" }, say("tools.cut"))] : []));
      answers.prepend(box);
      field.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  // Elsewhere on this page Control+Enter sends the vote.
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  });

  return {
    body: element("div", {}, element("p", { className: "soft" }, say("tools.no-verdict")), form, answers),
    take({ words }) {
      if (words) field.value = `${field.value ? `${field.value}\n` : ""}“${words.slice(0, 1000)}” `;
      field.focus();
    },
    reset() {
      field.value = "";
      answers.replaceChildren();
    },
  };
}
