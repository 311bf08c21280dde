"use strict";
// The page of a run that goes on: drawn anew whenever the server says that something has changed.
(() => {
  const place = document.getElementById("live");
  const looks = JSON.parse(document.getElementById("looks").textContent);
  const by = (id) => document.getElementById(id);

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  function mark(verdict) {
    if (!verdict) return null;
    const look = Object.hasOwn(looks.symbols, verdict) ? verdict : looks.other;
    return make("span", { class: `v-${look} mark` }, make("span", { "aria-hidden": "true" }, looks.symbols[look]), ` ${verdict} `);
  }

  // What the reader has opened or closed stays so; `first` says whether a part that is new is open.
  function details(box, key, first, css, summary, ...content) {
    const before = [...box.querySelectorAll("details")].find((one) => one.dataset.key === key);
    return make("details", { class: css, "data-key": key, open: before ? before.open : first }, make("summary", {}, ...summary), ...content);
  }

  function failures(told) {
    const box = by("failures-view");
    const shown = told.failures.map((one, at) => details(box, `${one.step} ${one.host}`, at === 0, "failure",
      [mark(one.verdict), make("b", {}, one.step), ` on ${one.host}${one.reason ? `: ${one.reason}` : ""}`], one.log ? make("pre", {}, one.log) : ""));
    if (!shown.length) shown.push(make("p", { class: "nothing" }, "Nothing yet."));
    if (told.more_failures) shown.push(make("p", { class: "more" }, `${told.more_failures} more`));
    box.replaceChildren(...shown);
  }

  function stages(told) {
    const box = by("stages-view");
    box.replaceChildren(...told.stages.map((stage) => details(box, `${stage.stage} ${stage.state}`, stage.state === "goes on", "stage",
      [`Stage ${stage.stage}: ${stage.state}, ${stage.done} of ${stage.planned}`],
      make("ul", {}, ...stage.steps.map((step) => make("li", {}, mark(step.verdict), make("span", { class: "c" }, step.step), ` ${step.done} of ${step.planned}`))))));
  }

  function hosts(told) {
    const shown = told.hosts.map((one) => make("li", {}, mark(one.verdict), make("span", { class: "c" }, one.host), one.left ? ` ${one.left} step${one.left === 1 ? "" : "s"} left` : " done"));
    if (told.more_hosts) shown.push(make("li", {}, `${told.more_hosts} more`));
    by("hosts-view").replaceChildren(...shown);
  }

  function newest(told) {
    const shown = told.measured.map((one) => make("li", {}, mark(one.verdict), `${one.name} `, make("b", {}, one.value), " ", make("span", { class: "c" }, one.step), ` on ${one.host}`));
    by("measured-view").replaceChildren(...(shown.length ? shown : [make("li", { class: "nothing" }, "Nothing yet.")]));
    by("said").hidden = !told.said.length;
    by("said-view").textContent = told.said.join("\n");
    by("stopped").textContent = told.stopped_by ? `Stopped by ${told.stopped_by}.` : "";
    by("running").replaceChildren(...told.running.map((one) => {
      const since = one.since ? `, the last result at ${new Date(one.since).toLocaleTimeString()}` : "";
      return make("li", {}, "Now ", make("span", { class: "c" }, one.step), `: ${one.done} of ${one.planned}${since}`);
    }));
  }

  const events = new EventSource(place.dataset.events);
  events.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    by("line").textContent = told.line;
    by("progress").max = told.planned;
    by("progress").value = told.done;
    failures(told);
    stages(told);
    hosts(told);
    newest(told);
    document.documentElement.dataset.live = told.done;
  });
  events.addEventListener("end", () => { events.close(); location.replace(place.dataset.page); });
})();
