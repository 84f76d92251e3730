// Running code: a block of a reply is taken, may be changed, and runs in the server's sandbox. What it prints is text, never markup.

import { element } from "../view.js";

const NAMES = { python: "Python", javascript: "JavaScript" };

export function makePanel({ say, ask, settings }) {
  const block = element("select", { "aria-label": say("tools.block") });
  const language = element("select", { "aria-label": say("tools.language") }, ...settings.languages.map((name) => element("option", { value: name }, NAMES[name])));
  const field = (label, rows) => element("textarea", { rows, maxLength: 60000, spellcheck: false, dir: "ltr", className: "code", "aria-label": say(label) });
  const code = field("tools.code", 8);
  const tests = field("tools.tests", 3);
  const testBox = element("details", {}, element("summary", {}, say("tools.tests")), tests);
  const form = element("form", {}, block, code, testBox, language, element("button", {}, say("tools.run")), element("p", { className: "soft" }, say("tools.limits", settings)));
  const results = element("div", {});
  let found = null; // { blocks, tests } of the pair on the screen

  function run() {
    if (!code.value.trim()) return code.focus();
    ask("tools/code", { language: language.value, code: code.value, tests: tests.value }, show);
  }

  function show(result) {
    results.prepend(shown(result));
    // The line that says how it ended, with the code above it and the output below.
    results.firstChild.firstChild.scrollIntoView({ block: "center" });
  }

  function shown(result) {
    const head = [ended(result), result.tests && say(`tools.tests.${result.tests}`), say("tools.cost", { seconds: result.seconds.toFixed(2) }), result.megabytes !== null && say("tools.memory", { megabytes: result.megabytes })];
    const isFine = result.ended === "exit" && result.exit_code === 0 && result.tests !== "failed";
    const box = element("article", { className: "ran", "aria-label": say("tools.result") }, element("p", { className: isFine ? "fine" : "unlike" }, head.filter(Boolean).join(" · ")));
    box.append(...stream("stdout", result.stdout), ...stream("stderr", result.stderr));
    if (result.stdout.num_bytes + result.stderr.num_bytes === 0) box.append(element("p", { className: "soft" }, say("tools.silent")));
    return box;
  }

  function ended({ ended, exit_code, signal }) {
    return say(`tools.ended.${ended}`, { code: exit_code, signal, seconds: settings.seconds, megabytes: settings.megabytes });
  }

  function stream(name, { text, num_bytes, is_cut }) {
    if (num_bytes === 0) return [];
    const title = is_cut ? say("tools.stream-cut", { name, count: num_bytes.toLocaleString() }) : name;
    return [element("h3", {}, title), element("pre", { tabIndex: 0, role: "region", "aria-label": name, dir: "ltr" }, text)];
  }

  function choose(number) {
    const chosen = found.blocks[number];
    block.value = String(number);
    code.value = chosen.code;
    if (settings.languages.includes(chosen.language)) language.value = chosen.language;
  }

  // Which of the blocks a piece of the page is; the page shows the same text.
  const numberOf = (text) => found.blocks.findIndex((one) => one.code.trim() === text.trim());

  function offer() {
    const title = ({ place, language: named, code: text }) => `${say("reply", { number: place })}${named ? ` · ${named}` : ""} · ${text.trim().split("\n")[0].slice(0, 40)}`;
    block.replaceChildren(...found.blocks.map((one, number) => element("option", { value: String(number) }, title(one))));
    block.hidden = found.blocks.length === 0;
    tests.value = found.tests ? found.tests.code : "";
    testBox.open = Boolean(found.tests);
    testBox.querySelector("summary").textContent = say(found.tests ? "tools.tests-of-prompt" : "tools.tests");
  }

  function fill({ words, block: pre }) {
    const number = pre ? numberOf(pre.textContent) : -1;
    if (number >= 0) choose(number);
    else if (words) code.value = words;
    else if (!code.value && found.blocks.length) choose(0);
    code.focus();
  }

  block.addEventListener("change", () => choose(Number(block.value)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  // Elsewhere on this page Control+Enter sends the vote.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  });

  return {
    body: element("div", { className: "code-runner" }, form, results),
    take(taken) {
      if (found) return fill(taken);
      code.focus();
      ask("tools/code/blocks", {}, (answer) => {
        found = answer;
        offer();
        fill(taken);
      });
    },
    reset() {
      found = null;
      for (const emptied of [code, tests]) emptied.value = "";
      block.replaceChildren();
      results.replaceChildren();
    },
  };
}
