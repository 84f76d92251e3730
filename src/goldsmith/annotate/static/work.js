// The voting screen: one task at a time, from the server's answer to the server's confirmation.

import { makeAnswer } from "./answer.js";
import { makeDrafts } from "./drafts.js";
import { makeForms } from "./forms.js";
import { makeKeep } from "./keep.js";
import { makeKeys } from "./keys.js";
import { makeNotices } from "./notices.js";
import { makeOutbox } from "./outbox.js";
import { makeServer } from "./server.js";
import { makeTimer } from "./timer.js";
import { makeToolBox } from "./tools/box.js";
import { makeUndo } from "./undo.js";
import { element, makeView } from "./view.js";

const byId = (id) => document.getElementById(id);
const room = byId("room").dataset;
const settings = JSON.parse(room.settings);
const messages = JSON.parse(room.messages);
const say = (key, values = {}) => (messages[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const call = makeServer(room.csrf);
const keep = makeKeep(room.person);
const view = makeView(say);
const timer = makeTimer(byId("timer"));
const form = byId("answer");
const { notice, said, explain } = makeNotices(say);
const answer = makeAnswer({ form, say, replies: () => task.replies, seconds: timer.seconds, isExpert: settings.rationale_required });
const title = document.title;
const channel = "BroadcastChannel" in window ? new BroadcastChannel(`goldsmith.${room.person}`) : null;

const drafts = makeDrafts({ keep, call, everySeconds: settings.draft_seconds, lease: () => (task && mayGoOn && !isSending ? task.lease_id : null), read: answer.read, say, notice, explain });

let task = null; // what is on the screen
let mayGoOn = true; // false while the person reads the answer to a qualification item
let isSending = false; // while the answer is on its way it does not change
let pendingChoice = Promise.resolve();

function showStanding(standing) {
  if (!standing) return;
  const parts = [say(standing.daily_limit ? "standing.limit" : "standing", { today: standing.today, limit: standing.daily_limit })];
  const test = standing.qualification;
  if (test && test.passed === null) parts.push(say("standing.qualification", { done: test.done, needed: test.needed }));
  byId("standing").textContent = parts.join(" · ");
}

// --- one task after another

// While an answer is on its way nothing on the form changes, and no key meant for the next pair falls on this one.
function lock(isLocked) {
  isSending = isLocked;
  form.querySelector(".ask").inert = isLocked;
  byId("submit").disabled = isLocked;
}

function show(found) {
  task = found;
  mayGoOn = true;
  lock(false);
  forms.reset();
  tools.reset();
  drafts.cancel();
  drafts.loaded();
  pendingChoice = Promise.resolve();
  const own = keep.draft(task.lease_id);
  const draft = own && !(task.draft && task.draft.seconds > own.seconds) ? own : task.draft;
  view.show(task);
  byId("nothing").hidden = true;
  byId("task").hidden = form.hidden = false;
  byId("feedback").hidden = true;
  answer.fill(draft);
  timer.start(draft ? draft.seconds : 0);
  byId("title").textContent = say(`title.${task.stage}`);
  document.title = title;
  notice("lease", "");
  notice("problem", "");
  notice("hint", "");
  if (task.first_choice && task.hints) notice("hint", say("hint-shown"));
  showStanding(task.standing);
  window.scrollTo(0, 0);
  byId("title").focus({ preventScroll: true });
}

function showNothing(why) {
  task = null;
  timer.stop();
  byId("task").hidden = form.hidden = true;
  byId("nothing").hidden = false;
  byId("nothing-title").textContent = say(`nothing.${why}`);
  byId("nothing-text").textContent = say(`nothing.${why}.text`);
  byId("title").textContent = say("title.nothing");
  byId("nothing-title").setAttribute("tabindex", "-1");
  byId("nothing-title").focus();
}

let asking = false;
async function next() {
  if (asking) return;
  asking = true;
  try {
    const found = await call("POST", "/api/next", { queue: room.mode });
    showStanding(found.standing);
    found.task ? show(found.task) : showNothing(found.why);
    asking = false;
  } catch (refusal) {
    asking = false;
    explain(refusal);
    byId("title").textContent = say("title.waiting");
    if (refusal.isPassing) setTimeout(next, settings.retry_seconds * 1000);
  }
}

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(18)), (byte) => byte.toString(36).padStart(2, "0")).join("").slice(0, 32);

async function submit() {
  if (!task || !mayGoOn) return void next();
  if (isSending) return void outbox.flush();
  const lack = answer.missing();
  notice("missing", lack ? lack[0] : "", { tone: "warn" });
  if (lack) return lack[1].focus();
  const vote = { vote_id: newId(), lease_id: task.lease_id, ...answer.read(), tools: [] };
  drafts.cancel();
  lock(true);
  keep.saveDraft(task.lease_id, vote);
  undo.given(vote, task);
  timer.stop();
  await pendingChoice;
  await outbox.send(vote);
}

// The server has the vote, or this browser keeps it: either way the person goes on.
function afterVote(vote, confirmed) {
  const isThis = task && task.lease_id === vote.lease_id;
  keep.dropDraft(vote.lease_id);
  showStanding(confirmed.standing);
  undo.confirmed(vote, confirmed.undo_until);
  said(say(confirmed.state === "late" ? "saved.late" : "saved"), "good");
  channel?.postMessage({ voted: vote.lease_id });
  if (!isThis) return;
  if (confirmed.feedback) return showFeedback(confirmed.feedback);
  next();
}

function showFeedback(feedback) {
  mayGoOn = false;
  const box = byId("feedback");
  const known = view.sentence(task, { choice: feedback.choice, strength: 1 });
  box.replaceChildren(
    element("p", {}, element("strong", {}, say(feedback.right ? "feedback.right" : "feedback.wrong", { known }))),
    ...(feedback.rationale ? [element("p", { dir: "auto" }, feedback.rationale)] : []),
  );
  box.className = `feedback ${feedback.right ? "good" : "warn"}`;
  box.hidden = false;
  byId("submit").disabled = false;
  box.setAttribute("tabindex", "-1");
  box.focus();
}

const outbox = makeOutbox({
  keep,
  call,
  retrySeconds: settings.retry_seconds,
  onAnswer: afterVote,
  onRefused(vote, refusal) {
    keep.dropDraft(vote.lease_id);
    if (refusal.status === 409) {
      said(say("already"), "warn", 8);
      if (task && task.lease_id === vote.lease_id) next();
      return;
    }
    keep.saveDraft(vote.lease_id, vote);
    lock(false);
    explain(refusal);
    if (task && task.lease_id === vote.lease_id) timer.start(vote.seconds);
  },
  onChange(count, problem) {
    if (count && problem && problem.status !== 0) explain(problem);
    notice("queue", count ? say(count === 1 ? "queue.one" : "queue.many", { count, seconds: settings.retry_seconds }) : "", { tone: "warn" });
    if (!count) notice("problem", "");
    undo.showWhether();
  },
});
const undo = makeUndo({ keep, call, outbox: () => outbox, show, said, explain, say });
const forms = makeForms({ call, view, task: () => task, explain });
const tools = await makeToolBox({ tools: settings.tools, call, say, foreign: view.foreign, lease: () => (task && mayGoOn ? task.lease_id : null), replies: () => task.replies, explain });

// --- actions

function pick(value) {
  if (!task || !mayGoOn || isSending) return;
  answer.pick(value);
  picked();
}

function picked() {
  notice("missing", "");
  answer.showNeeds();
  drafts.save();
  if (form.elements.choice.value === "discard" && !form.elements.reason.value) form.elements.reason.focus();
  recordFirst();
}

// The first choice is recorded before any hint is shown, so that a change of mind can be told from a first opinion.
function recordFirst() {
  if (!task.has_hints || task.first_choice) return;
  const here = task;
  const { choice, strength } = answer.read();
  here.first_choice = { choice, strength };
  pendingChoice = call("POST", `/api/leases/${here.lease_id}/choice`, { choice, strength }).then(
    (found) => {
      here.hints = found.hints;
      if (task !== here || !found.hints) return;
      view.showHints(here, found.hints);
      notice("hint", say("hint-shown"));
    },
    () => {
      here.first_choice = null;
    },
  );
}

async function skip() {
  if (!task || !mayGoOn || isSending) return;
  lock(true);
  try {
    await call("POST", `/api/leases/${task.lease_id}/skip`, { reason: "" });
    await next();
  } catch (refusal) {
    if (refusal.status === 410 || refusal.status === 404) return void next();
    lock(false);
    explain(refusal);
  }
}

function toggleContext() {
  byId("context").open = !byId("context").open;
}

const actions = {
  1: () => pick("1-much"), 2: () => pick("1"), 3: () => pick("tie"), 4: () => pick("2"), 5: () => pick("2-much"), x: () => pick("discard"), 0: () => pick("discard"),
  q: () => confidence(1), w: () => confidence(2), e: () => confidence(3),
  r: () => byId("rationale").focus(), s: skip, u: undo.takeBack, c: toggleContext, f: () => forms.show("formatted"), t: () => forms.show("raw"), d: () => forms.show("difference"),
  j: () => window.scrollBy({ top: window.innerHeight * 0.5 }), k: () => window.scrollBy({ top: -window.innerHeight * 0.5 }),
  "?": () => byId("keys").showModal(), ...tools.keys,
};

function confidence(value) {
  if (!task || !mayGoOn || isSending) return;
  form.elements.confidence.value = String(value);
  drafts.save();
}

const buttons = { formatted: () => forms.show("formatted"), raw: () => forms.show("raw"), difference: () => forms.show("difference"), undo: undo.takeBack, skip, again: next, keys: () => byId("keys").showModal() };
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur(); // after a click of the mouse, Enter is to submit again
    buttons[button.dataset.do]();
  });
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
form.addEventListener("change", (event) => (event.target.name === "choice" ? picked() : drafts.save()));
form.addEventListener("input", () => {
  answer.grow();
  notice("missing", "");
  drafts.save();
});
makeKeys(actions, submit);

// --- other tabs of this person, closing, coming back

window.addEventListener("storage", (event) => {
  if (event.key === keep.queueKey) return void outbox.flush();
  if (task && event.key === keep.draftKey(task.lease_id) && event.newValue && document.visibilityState === "hidden") {
    answer.fill(keep.draft(task.lease_id));
    timer.start(keep.draft(task.lease_id).seconds);
  }
});
channel?.addEventListener("message", (event) => {
  if (!task || event.data.voted !== task.lease_id || !mayGoOn) return;
  said(say("other-tab"), "plain", 6);
  next();
});

keep.forgetOld();
showStanding(JSON.parse(room.standing));
outbox.flush().finally(next);
