// The replies in their other forms, raw and as a difference: asked for once for each task, shown in place of the formatted one.

export function makeForms({ call, view, task, explain }) {
  let shownAs = "formatted";
  let texts = {};

  async function show(name) {
    const here = task();
    if (!here) return;
    if (name === shownAs) name = "formatted";
    try {
      if (name !== "formatted" && !texts[name]) texts[name] = await call("GET", `/api/leases/${here.lease_id}/${name}`);
      if (task() !== here) return;
      shownAs = name;
      const replies = name === "formatted" ? [] : texts[name].replies;
      view.showForm(name, replies.map((reply) => (name === "raw" ? view.rawBox(reply.text) : view.differenceBox(reply.html))));
    } catch (refusal) {
      explain(refusal);
    }
  }

  return {
    show,
    reset() {
      shownAs = "formatted";
      texts = {};
    },
  };
}
