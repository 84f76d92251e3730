// The form of an answer: what it says in the server's words, what it still lacks.

const byId = (id) => document.getElementById(id);

// `replies` gives those of the present task in the order of the screen; `seconds` the time spent on it.
export function makeAnswer({ form, say, replies, seconds, isExpert }) {
  function read() {
    const picked = form.elements.choice.value;
    const place = picked.startsWith("1") ? 0 : picked.startsWith("2") ? 1 : null;
    const choice = place === null ? picked || null : replies()[place].side;
    return {
      choice,
      strength: place === null ? 0 : picked.endsWith("-much") ? 2 : 1,
      confidence: Number(form.elements.confidence.value),
      rationale: form.elements.rationale.value,
      reason: choice === "discard" ? form.elements.reason.value || null : null,
      seconds: seconds(),
    };
  }

  function pick(value) {
    for (const input of form.elements.choice) input.checked = input.value === value;
    showNeeds();
  }

  function fill(draft) {
    form.reset();
    form.elements.confidence.value = String((draft && draft.confidence) || 2);
    form.elements.rationale.value = (draft && draft.rationale) || "";
    form.elements.reason.value = (draft && draft.reason) || "";
    const place = draft && draft.choice ? replies().findIndex((reply) => reply.side === draft.choice) : -1;
    pick(place >= 0 ? `${place + 1}${draft.strength === 2 ? "-much" : ""}` : (draft && draft.choice) || "");
  }

  function showNeeds() {
    const isDiscard = form.elements.choice.value === "discard";
    byId("reason-row").hidden = !isDiscard;
    byId("rationale-need").textContent = say(isDiscard || isExpert ? "required" : "optional");
    form.elements.rationale.required = isDiscard || isExpert;
    grow();
  }

  function grow() {
    const box = form.elements.rationale;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 160)}px`;
  }

  // What keeps the answer from being sent, and where to put it; null when nothing does.
  function missing() {
    const now = read();
    if (!now.choice) return [say("missing.choice"), form.elements.choice[0]];
    if (now.choice === "discard" && !now.reason) return [say("missing.reason"), form.elements.reason];
    if (form.elements.rationale.required && !now.rationale.trim()) return [say("missing.rationale"), form.elements.rationale];
    return null;
  }

  return { read, pick, fill, showNeeds, grow, missing };
}
