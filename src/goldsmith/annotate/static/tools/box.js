// The tool box beside the guide: a panel for each tool, one open at a time. A tool's key opens it and takes the selected words;
// what it finds belongs to the pair on the screen and goes with it.
//
// A tool's script, `/static/tools/<name>.js`, exports `makePanel({ say, ask, foreign, settings, replies })` and returns
// { body, take(taken), reset() }: the panel's inside, what to do with { words, block } when the key is pressed (words: the selected text,
// block: the code block it stands in, or null), and how to forget the last pair. `ask(path, body, show)` asks the server about this pair.

import { element } from "../view.js";

const SECONDS = 180; // the server itself gives up before
const byId = (id) => document.getElementById(id);

// `lease` gives the id of the pair on the screen, or null; `replies` those of the pair in the order of the screen.
export async function makeToolBox({ tools, call, say, foreign, lease, replies, explain }) {
  const panels = {};

  function makeAsk(name, status) {
    let number = 0;
    async function ask(path, body, show) {
      const here = lease();
      if (!here) return;
      const mine = ++number;
      const isCurrent = () => mine === number && lease() === here;
      tell(status, say("tools.working"));
      try {
        const found = await call("POST", `/api/leases/${here}/${path}`, body, SECONDS);
        if (!isCurrent()) return;
        tell(status, found.failure ? say(`tools.failure.${found.failure.kind}`, { detail: found.failure.detail }) : "", found.failure ? "alert" : "plain");
        if (found.answer) show(found.answer);
      } catch (refusal) {
        if (!isCurrent()) return;
        tell(status, refusal.status === 429 ? say("tools.too-many") : refusal.status === 410 ? say("late") : "", "alert");
        if (![410, 429].includes(refusal.status)) explain(refusal);
      }
    }
    return { ask, forget: () => number++ };
  }

  function tell(status, text, tone = "plain") {
    status.textContent = text;
    status.className = `told ${tone}`;
  }

  async function make(tool) {
    const status = element("p", { className: "told", role: "status" });
    const { ask, forget } = makeAsk(tool.name, status);
    const { makePanel } = await import(`/static/tools/${tool.name}.js`);
    const panel = makePanel({ say, ask, foreign, settings: tool.settings, replies });
    const close = element("button", { type: "button", className: "plain close", "aria-label": say("tools.close") }, "✕");
    close.addEventListener("click", () => open(null));
    const box = byId(`tool-${tool.name}`);
    box.replaceChildren(element("header", {}, element("h2", {}, say(`tool.${tool.name}`)), close), panel.body, status);
    panels[tool.name] = { ...panel, box, status, forget };
  }

  const buttonOf = (name) => document.querySelector(`[data-tool="${name}"]`);
  const isOpen = (name) => !panels[name].box.hidden;

  function open(name) {
    for (const [other, panel] of Object.entries(panels)) {
      panel.box.hidden = other !== name;
      buttonOf(other).setAttribute("aria-expanded", String(other === name));
    }
    byId("tools").hidden = name === null;
  }

  // The key, or the button: opens with what is selected; closes when nothing is and the tool was open.
  function use(name) {
    if (!lease()) return;
    const taken = selected();
    if (!taken.words && isOpen(name)) return open(null);
    open(name);
    byId("tools").scrollIntoView({ block: "nearest" });
    panels[name].take(taken);
  }

  // A tool whose script cannot be had must not keep anybody from voting.
  await Promise.allSettled(tools.map(make));
  const here = tools.filter((tool) => panels[tool.name]);
  for (const tool of tools) buttonOf(tool.name).disabled = !here.includes(tool);
  for (const { name } of here) {
    // Pressing a button would otherwise take the selection away before it is read.
    buttonOf(name).addEventListener("mousedown", (event) => event.preventDefault());
    buttonOf(name).addEventListener("click", () => use(name));
  }
  return {
    keys: Object.fromEntries(here.map((tool) => [tool.key.toLowerCase(), () => use(tool.name)])),
    reset() {
      for (const panel of Object.values(panels)) {
        panel.forget();
        tell(panel.status, "");
        panel.reset();
      }
    },
  };
}

function selected() {
  const found = window.getSelection();
  const at = found && found.anchorNode && (found.anchorNode.nodeType === 1 ? found.anchorNode : found.anchorNode.parentElement);
  const focused = document.activeElement?.closest?.(".text pre");
  const words = found && !found.isCollapsed ? found.toString().trim() : "";
  return { words, block: (words && at?.closest(".text pre")) || focused || null };
}
