// Any table of the report, one at a time, and the tables of the sections on measurements and context.

const MEASURED = new Set(["values", "criteria", "measurements", "statistics"]);
const opened = { name: null, shown: null };

async function showTable(name, { row, ...filter }) {
  const data = await table(name);
  const view = document.getElementById("table-view");
  for (const link of document.querySelectorAll("[data-table]")) {
    if (link.dataset.table === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (!data) return;
  if (opened.name !== name) {
    const link = (own) => address(`table=${name}`, { row: own + 1 });
    const chosen = (own) => history.replaceState(null, "", address(`table=${name}`, own));
    const facets = ["verdict", "host", "step", "unit", "kind", "grade"];
    opened.shown = new WindowedTable(data, { link, chosen, facets });
    opened.name = name;
    view.replaceChildren(make("h3", {}, data.title), make("p", { class: "about" }, data.about), opened.shown.element, make("div"));
    redraw(view);
  }
  opened.shown.apply(filter);
  if (row) showRow(data, opened.shown, Number(row) - 1, view.lastChild);
  else go(document.getElementById("tables"));
}

async function showRow(data, shown, row, place) {
  if (!(row >= 0 && row < data.length)) return;
  shown.reveal(row);
  const parts = (await historyOf(data, row)).filter(Boolean);
  const { made, heading } = panel(`${data.title}, row ${whole.format(row + 1)}`, () => shown.scroller.focus(), cells(data, row), ...parts);
  place.replaceChildren(made);
  redraw(made);
  go(place, heading);
}

// How the value of a row became so: the writes of a key in this run, and the numbers of earlier runs.
async function historyOf(data, row) {
  const text = (name) => data.text(row, name);
  if (data.name === "context") {
    const [key, host] = [text("key"), text("host")];
    return [await part("changes", { key, host }, `Writes of ${key} on ${host}`), await part("trend", { key }, `Numbers of ${key} over runs`)];
  }
  if (!MEASURED.has(data.name)) return [];
  const [step, name] = [text("step"), text("name")];
  return [await part("trend", { step, name }, `${name} of ${step} over runs`)];
}

// The table of a section, which stays closed until its section comes near.
function startSection(id, name, facets) {
  const place = document.getElementById(id);
  if (!place || !abouts.has(name)) return;
  const near = new IntersectionObserver(async (seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    near.disconnect();
    const link = (row) => address(`table=${name}`, { row: row + 1 });
    const data = await table(name);
    const shown = new WindowedTable(data, { facets, link, label: `${data.title} of this run` });
    place.append(shown.element);
    redraw(place);
  }, { rootMargin: "400px" });
  near.observe(place.parentNode);
}
