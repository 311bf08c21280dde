// One row of a table with all that is in its cells, and what belongs to a result.

// The cells as a list. Texts of several lines are folded.
function cells(data, row) {
  const list = make("dl", { class: "facts" });
  for (const own of data.columns) {
    const text = own.text(row);
    if (text === "") continue;
    const value = own.kind === "verdict" ? make("span", { class: `v v-${lookOf(text)}` }, ...verdictMark(text)) : folded(text);
    list.append(make("div", {}, make("dt", {}, own.label), make("dd", {}, value)));
  }
  return list;
}

function folded(text) {
  if (!text.includes("\n") && text.length <= 400) return text;
  const last = text.trimEnd().split("\n").pop();
  return make("details", { class: "log" }, make("summary", {}, last.slice(-100)), make("pre", {}, text));
}

function panel(title, close, ...content) {
  const heading = make("h3", { tabindex: -1 }, title);
  const button = make("button", { type: "button", class: "clear" }, "Close");
  const made = make("div", { class: "detail" }, make("div", { class: "bar" }, heading, button), ...content);
  button.addEventListener("click", () => { made.remove(); close(); });
  return { made, heading };
}

// A further table under a heading; nothing where there are no rows.
async function part(name, wanted, title, { level = 4, ...options } = {}) {
  const data = await table(name);
  const rows = data?.where(wanted) ?? [];
  if (!rows.length) return null;
  const shown = new WindowedTable(data, { only: rows, label: title, link: (row) => address(`table=${name}`, { row: row + 1 }), ...options });
  return make("div", { class: "part" }, make(`h${level}`, {}, title), shown.element);
}

// The log of a result: the table of what did not pass has its end.
async function logOf(host, step) {
  const data = await table("not_passed");
  const [row] = data?.where({ host, step }) ?? [];
  const text = row === undefined ? "" : data.text(row, "stderr");
  return text ? make("div", { class: "part" }, make("h4", {}, "End of the log"), make("details", { class: "log", open: true }, make("summary", {}, "log"), make("pre", {}, text))) : null;
}

// The findings that rest on some results, by their titles: each leads to its card, or to its row where it has no card.
async function findingsAbout(wanted, title, level = 4) {
  const [rests, all] = [await table("finding_results"), await table("findings")];
  const numbers = new Set((rests?.where(wanted) ?? []).map((row) => rests.text(row, "n")));
  const lines = [...numbers].filter((n) => n <= (all?.length ?? 0)).map((n) => findingLine(all, n));
  return lines.length ? make("div", { class: "part" }, make(`h${level}`, {}, title), make("ul", { class: "about-this" }, ...lines)) : null;
}

function findingLine(all, n) {
  const row = n - 1; // they are numbered in the order of their table
  const href = document.getElementById(`f${n}`) ? `#f${n}` : address("table=findings", { row: n });
  const advice = all.text(row, "advice");
  return make("li", {}, `${all.text(row, "grade")}: `, make("a", { href }, all.text(row, "title")), advice ? ` ${advice}` : "");
}

async function resultDetail(data, row) {
  const [host, step] = [data.text(row, "host"), data.text(row, "step")];
  return [
    cells(data, row),
    await logOf(host, step),
    await part("values", { host, step }, `Measured by ${step} on ${host}`),
    await part("artifacts", { host, step }, `Artifacts of ${step} on ${host}`),
    await findingsAbout({ host, step }, "Findings that rest on this result"),
  ];
}
