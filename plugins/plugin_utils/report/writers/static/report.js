
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const number = new Intl.NumberFormat("en-US");
  const order = new Map(data.verdicts.map((verdict, place) => [verdict, place]));
  const text = (cell) => (cell.classList.contains("v") ? cell.lastChild : cell).textContent.trim();
  const numeric = (cell) => { const value = parseFloat(text(cell)); return Number.isNaN(value) ? -Infinity : value; };
  const keys = {
    number: numeric,
    seconds: numeric,
    verdict: (cell) => order.get(text(cell)) ?? -1,
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b));

  function sort(table, head, place) {
    const kind = head.dataset.kind;
    const first = kind === "number" || kind === "seconds" ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const way = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", way);
    const key = keys[kind] ?? text;
    const sign = way === "ascending" ? 1 : -1;
    const rows = Array.from(table.tBodies[0].rows, (row) => [key(row.cells[place]), row]);
    rows.sort((a, b) => sign * compare(a[0], b[0]));
    table.tBodies[0].append(...rows.map((pair) => pair[1]));
  }

  function sortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, place));
      head.append(button);
    });
  }

  // Cells stand between END marks, so that a word in quotes finds a whole cell.
  const END = "\u0001";
  const content = (row) => END + Array.from(row.cells, text).join(END).toLowerCase() + END;
  const terms = (words) => (words.toLowerCase().match(/"[^"]*"|\S+/g) ?? []).map((term) => term.replace(/^"(.*)"$/, `${END}$1${END}`));

  function searchable(section, table) {
    const input = section.querySelector("input");
    const count = section.querySelector(".count");
    const total = Number(table.dataset.total);
    const rows = Array.from(table.tBodies[0].rows);
    let contents = null;
    input.addEventListener("input", () => {
      contents ??= rows.map(content);
      const words = terms(input.value);
      let found = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => contents[place].includes(word));
        if (!row.hidden) found += 1;
      });
      const all = `${number.format(total)} ${total === 1 ? "row" : "rows"}`;
      const searched = rows.length < total ? `the first ${number.format(rows.length)} of ${all}` : all;
      count.textContent = words.length ? `${number.format(found)} of ${searched}` : all;
    });
    section.querySelector(".search").hidden = false;
  }

  function search(section, words) {
    const input = section?.querySelector("input");
    if (!input) return;
    input.value = words;
    input.dispatchEvent(new Event("input"));
  }

  function heatMap(map) {
    const cells = map.querySelector(".cells");
    const tip = document.getElementById("tip");
    const across = Number(cells.dataset.across);
    const down = Number(cells.dataset.down);
    const cell = (event) => {
      const box = cells.querySelector(".ground").getBoundingClientRect();
      const scale = box.width / (across * data.steps.length);
      return {
        host: data.hosts[Math.floor((event.clientY - box.top) / (down * scale))],
        step: data.steps[Math.floor((event.clientX - box.left) / (across * scale))],
        verdict: event.target.dataset.verdict ?? "",
      };
    };
    cells.addEventListener("mousemove", (event) => {
      const { host, step, verdict } = cell(event);
      tip.textContent = `${host} · ${step}: ${verdict || "not planned"}`;
      tip.hidden = false;
      tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY + 18}px`;
    });
    cells.addEventListener("mouseleave", () => { tip.hidden = true; });
    cells.addEventListener("click", (event) => show(cell(event)));
  }

  function show({ host, step }) {
    const section = document.getElementById("verdicts");
    const rows = Array.from(section.querySelector("tbody").rows);
    const row = rows.find((one) => text(one.cells[0]) === host && text(one.cells[1]) === step);
    search(section, row ? "" : `"${host}" "${step}"`);
    (row ?? section).scrollIntoView({ block: "center" });
    for (const old of section.querySelectorAll(".found")) old.classList.remove("found");
    row?.classList.add("found");
  }

  for (const section of document.querySelectorAll("section")) {
    const table = section.querySelector("table");
    if (!table) continue;
    sortable(table);
    if (Number(table.dataset.total) > 5) searchable(section, table);
  }
  for (const link of document.querySelectorAll("[data-search]")) {
    link.addEventListener("click", () => search(document.querySelector(link.getAttribute("href")), `"${link.dataset.search}"`));
  }
  const map = document.querySelector(".map");
  if (map) heatMap(map);
  document.documentElement.dataset.ready = "";
})();
