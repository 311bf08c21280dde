// Any table of the report, one at a time, and the tables of the sections on measurements and context.

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
  const { made, heading } = panel(`${data.title}, row ${whole.format(row + 1)}`, () => shown.scroller.focus(), cells(data, row));
  place.replaceChildren(made);
  go(place, heading);
}

// The table of a section, which stays closed until its section comes near.
function startSection(id, name, facets) {
  const place = document.getElementById(id);
  if (!place || !abouts.has(name)) return;
  const near = new IntersectionObserver(async (seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    near.disconnect();
    const link = (row) => address(`table=${name}`, { row: row + 1 });
    const shown = new WindowedTable(await table(name), { facets, link });
    place.append(shown.element);
    redraw(place);
  }, { rootMargin: "400px" });
  near.observe(place.parentNode);
}
