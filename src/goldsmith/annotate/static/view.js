// The task on the screen: conversation, the two replies in their three forms, attributes, the votes that an expert weighs.

import { usesList } from "./tools/uses.js";

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("data-") || name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function makeView(say) {
  // `html` comes from the server's sanitiser; it is the only markup that is ever set as such.
  function foreign(html, className) {
    const box = element("div", { className, dir: "auto" });
    box.innerHTML = html;
    for (const note of box.querySelectorAll(".raw-note")) {
      const cut = Number(note.dataset.cut) || 0;
      note.textContent = say(`raw.${note.dataset.reason}`) + (cut ? " " + say("raw.cut", { count: cut.toLocaleString() }) : "");
    }
    for (const region of box.querySelectorAll("[tabindex]")) {
      region.setAttribute("role", "region");
      region.setAttribute("aria-label", say(region.tagName === "PRE" ? "code" : "table"));
    }
    return box;
  }

  function showContext(task) {
    document.querySelector(".context").hidden = task.context.length === 0;
    byId("context-label").textContent = say(task.context.length === 1 ? "context.one" : "context.many", { count: task.context.length });
    byId("turns").replaceChildren(
      ...task.context.map((turn) =>
        element("div", { className: `turn ${turn.role}` }, element("p", { className: "role" }, say(`role.${turn.role}`)), foreign(turn.html, "text")),
      ),
    );
  }

  function showReplies(task) {
    byId("replies").replaceChildren(
      ...task.replies.map((reply, place) =>
        element(
          "article",
          { className: "reply", "aria-labelledby": `reply-${place}`, "data-place": place },
          element("h2", { id: `reply-${place}` }, say("reply", { number: place + 1 })),
          foreign(reply.html, "text formatted"),
          element("div", { className: "hints", hidden: true }),
        ),
      ),
    );
  }

  function fact(term, ...value) {
    return [element("dt", {}, term), element("dd", { dir: "auto" }, ...value)];
  }

  function showGuide(task) {
    const parts = [];
    const found = task.attributes;
    if (task.stage === "qualification") parts.push(element("p", { className: "message" }, say("qualification")));
    if (found && found.guideline) {
      parts.push(element("h2", {}, say("guideline")), element("p", { className: "guideline", dir: "auto" }, found.guideline));
    }
    if (found) {
      parts.push(
        element("h2", {}, say("attributes")),
        element(
          "dl",
          {},
          ...(found.desired && found.desired.length ? fact(say("desired"), found.desired.join(" › ")) : []),
          ...(found.task ? fact(say("task"), found.task) : []),
          ...(found.objectivity ? fact(say("objectivity"), say(`objectivity.${found.objectivity}`)) : []),
          ...(found.controversiality ? fact(say("controversiality"), say(`controversiality.${found.controversiality}`)) : []),
        ),
      );
    }
    if (task.votes) parts.push(element("h2", {}, say("votes")), element("ol", { className: "votes" }, ...task.votes.map((vote) => voteItem(task, vote))));
    byId("guide").replaceChildren(...parts);
    byId("guide").hidden = parts.length === 0;
  }

  function voteItem(task, vote) {
    const reason = vote.reason ? say(`reason.${vote.reason}`) : null;
    return element(
      "li",
      {},
      element("p", {}, element("strong", {}, sentence(task, vote)), ` · ${say(`confidence.${vote.confidence}`)}`, reason ? ` · ${reason}` : null),
      vote.rationale ? element("blockquote", { dir: "auto" }, vote.rationale) : element("p", { className: "soft" }, say("no-rationale")),
      usesList(say, vote.uses || []),
    );
  }

  // What an answer says in terms of this screen: sides have other numbers for other people.
  function sentence(task, vote) {
    if (vote.choice === "tie" || vote.choice === "discard") return say(`choice.${vote.choice}`);
    const number = task.replies.findIndex((reply) => reply.side === vote.choice) + 1;
    return say(vote.strength === 2 ? "choice.much" : "choice.better", { number });
  }

  function showHints(task, hints) {
    for (const [place, reply] of task.replies.entries()) {
      const box = document.querySelector(`.reply[data-place="${place}"] .hints`);
      const found = (hints && hints[reply.side]) || [];
      box.hidden = found.length === 0;
      box.replaceChildren(
        ...(found.length ? [element("h3", {}, say("hints"))] : []),
        ...found.map((hint) =>
          element("p", {}, element("strong", { className: hint.outcome }, say(`outcome.${hint.outcome}`)), " ", element("span", { dir: "auto" }, hint.reason), element("small", {}, ` ${hint.model}`)),
        ),
      );
    }
  }

  // Puts another form of the replies in place of the formatted one; null brings that back.
  function showForm(form, boxes) {
    for (const reply of document.querySelectorAll(".reply")) {
      reply.querySelector(".other")?.remove();
      reply.querySelector(".formatted").hidden = form !== "formatted";
      if (form !== "formatted") reply.querySelector("h2").after(boxes[Number(reply.dataset.place)]);
    }
    for (const button of document.querySelectorAll(".views button")) button.setAttribute("aria-pressed", String(button.dataset.do === form));
  }

  // Characters that reorder or hide text are shown by their number, as the server does in formatted text.
  const plain = (text) => text.replaceAll("\r\n", "\n").replace(UNSEEN, (character) => `[U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
  const rawBox = (text) => element("pre", { className: "other raw", tabIndex: 0, dir: "auto", role: "region", "aria-label": say("raw") }, plain(text));
  const differenceBox = (html) => foreign(html, "other difference");

  return {
    show(task) {
      showContext(task);
      showReplies(task);
      showGuide(task);
      showHints(task, task.hints);
      showForm("formatted");
      byId("context").open = true;
    },
    foreign,
    showHints,
    showForm,
    rawBox,
    differenceBox,
    sentence,
  };
}
