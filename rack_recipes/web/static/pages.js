"use strict";
// On every page: load it again now and then, as the reader has chosen, and sign in by the address of the start line.
(() => {
  const select = document.getElementById("refresh");
  const key = "rack-recipes-refresh";
  let timer = 0;
  const start = () => {
    clearTimeout(timer);
    const seconds = Number(select.value);
    if (seconds) timer = setTimeout(() => (document.hidden ? start() : location.reload()), seconds * 1000);
  };
  if (select && !document.getElementById("live")) {
    select.closest("label").hidden = false;
    const kept = localStorage.getItem(key);
    if ([...select.options].some((one) => one.value === kept)) select.value = kept;
    select.addEventListener("change", () => { localStorage.setItem(key, select.value); start(); });
    start();
  }
  const filters = document.querySelector("form[data-at-once]");
  if (filters) filters.addEventListener("change", () => filters.requestSubmit());
  const moments = [...document.querySelectorAll("time[datetime]")];
  const times = document.getElementById("times");
  const units = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
  const words = {
    ago: (moment) => {
      const seconds = (moment - Date.now()) / 1000;
      const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || ["second", 1];
      return ago.format(Math.trunc(seconds / size), unit);
    },
    local: (moment) => moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    utc: (moment) => `${moment.toISOString().slice(0, 16).replace("T", " ")} UTC`,
  };
  const tell = () => {
    for (const one of moments) {
      const moment = new Date(one.dateTime);
      one.textContent = words[times.value](moment);
      one.title = `${words.local(moment)}, ${words.utc(moment)}`;
    }
  };
  if (times && moments.length) {
    times.closest("label").hidden = false;
    const kept = localStorage.getItem("rack-recipes-times");
    if (kept in words) times.value = kept;
    times.addEventListener("change", () => { localStorage.setItem("rack-recipes-times", times.value); tell(); });
    tell();
  }
  // One stop of the Tab key for each chart; the arrows go from value to value.
  for (const chart of document.querySelectorAll(".chart")) {
    if (chart.matches(".trend")) chart.parentElement.scrollLeft = chart.parentElement.scrollWidth; // the newest
    const points = [...chart.querySelectorAll(".point")];
    points.forEach((one, place) => one.setAttribute("tabindex", place === points.length - 1 ? "0" : "-1"));
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const to = step && points[points.indexOf(document.activeElement) + step];
      if (!to) return;
      event.preventDefault();
      document.activeElement.setAttribute("tabindex", "-1");
      to.setAttribute("tabindex", "0");
      to.focus();
    });
  }
  const form = document.getElementById("sign-in");
  if (form && location.hash.length > 1) {
    form.elements.token.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    if ("own" in form.dataset) form.submit();
    else document.getElementById("led-here").hidden = false;
  }
})();
