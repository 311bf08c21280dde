// What did not pass, as a plain table for the printer: a windowed table has only those rows that can be seen.

const MOST_ON_PAPER = 1000;

async function startPaper() {
  const data = await table("not_passed");
  if (!data) return;
  window.addEventListener("beforeprint", () => document.getElementById("paper").replaceChildren(...onPaper(data)));
  window.addEventListener("afterprint", () => document.getElementById("paper").replaceChildren());
}

function onPaper(data) {
  const heads = data.columns.map((own) => make("th", { scope: "col", class: own.isNumeric ? "n" : null }, own.label));
  const lines = Array.from({ length: Math.min(data.length, MOST_ON_PAPER) }, (_, row) => paperLine(data, row));
  const left = data.total - lines.length;
  return [
    make("h3", {}, "What did not pass"),
    make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines)),
    left ? make("p", { class: "left-out" }, `${whole.format(left)} of ${counted(data.total, "row")} are left out here. The page on a screen, and the Excel and CSV forms of this report, hold all of them.`) : "",
  ];
}

function paperLine(data, row) {
  const line = make("tr");
  for (const own of data.columns) {
    const text = own.text(row);
    const isVerdict = own.kind === "verdict" && text;
    const cell = make("td", { class: isVerdict ? `v v-${lookOf(text)}` : own.isNumeric ? "n" : null });
    cell.append(...(isVerdict ? verdictMark(text) : [own.kind === "log" ? make("pre", {}, text) : text]));
    line.append(cell);
  }
  return line;
}
