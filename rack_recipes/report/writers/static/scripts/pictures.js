// What a picture tells where somebody points at it, and where a click leads.

const tip = document.getElementById("tip");

function tell(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${event.clientY + 18}px`;
}

function startMap(map) {
  const cells = map.querySelector(".cells");
  const names = head[map.dataset.rows];
  const [across, down] = [Number(cells.dataset.across), Number(cells.dataset.down)];
  const cell = (event) => {
    const box = cells.querySelector(".ground").getBoundingClientRect();
    const scale = box.width / (across * head.steps.length);
    return {
      name: names[Math.floor((event.clientY - box.top) / (down * scale))],
      step: head.steps[Math.floor((event.clientX - box.left) / (across * scale))],
      verdict: event.target.dataset.verdict ?? "",
    };
  };
  cells.addEventListener("mousemove", (event) => {
    const { name, step, verdict } = cell(event);
    tell(event, `${name} · ${step}: ${verdict || "not planned"}`);
  });
  cells.addEventListener("mouseleave", () => { tip.hidden = true; });
  cells.addEventListener("click", (event) => {
    const { name, step, verdict } = cell(event);
    tip.hidden = true;
    if (map.dataset.rows === "rows") openCell(name, step);
    else location.hash = address("results", head.hasRacks ? { rack: name, step, verdict } : { step, verdict });
  });
}

// A cell of one host: its result where it is one, else its instances.
function openCell(host, step) {
  const [row] = results?.data.where({ host, step }) ?? [];
  location.hash = row === undefined ? address("results", { host, step }) : `#r${row + 1}`;
}

// The verdict of a tile, by its colour.
function shownVerdict(tile) {
  const [css] = tile.classList;
  return { ground: "passed", none: "no result" }[css] ?? css.replace("v-", "");
}

function startRacks(picture) {
  const tiles = [...picture.querySelectorAll(".tile")];
  const names = head[picture.dataset.shows];
  for (const [place, tile] of tiles.entries()) {
    const said = tile.querySelector("title")?.textContent ?? `${names[place]}: ${shownVerdict(tile)}`;
    tile.addEventListener("mousemove", (event) => tell(event, said));
    tile.addEventListener("mouseleave", () => { tip.hidden = true; });
    if (tile.closest("a")) continue;
    const where = picture.dataset.shows === "hosts" ? hostAddress(names[place]) : address("results", { rack: names[place] });
    tile.addEventListener("click", () => location.assign(where));
  }
}
