// The page of a run: its results come after the first screen is there.

// A table of the run, which the server sends when it is first needed.
async function inflated(name) {
  return (await fetch(`${head.tablesAt}/${name}`)).json();
}

async function showFiltered(values) {
  await ready;
  await showResults(values);
}

function parsed(hash) {
  const [place, ...pairs] = hash.replace(/^#/, "").split("&");
  const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  return { place, values: Object.fromEntries(pairs.map((pair) => [pair.split("=", 1)[0], decode(pair.slice(pair.indexOf("=") + 1))])) };
}

function go(section) {
  section.scrollIntoView({ block: "start" });
  section.focus({ preventScroll: true });
}

async function follow() {
  const { place, values } = parsed(location.hash);
  if (place === "results") await showFiltered(values);
  else if (place.startsWith("table=")) await showFiltered({ verdict: NOT_PASSED }); // further reasons
}

for (const picture of document.querySelectorAll(".racks")) startRacks(picture);
const ready = startResults().then(() => { document.documentElement.dataset.ready = ""; });
window.addEventListener("hashchange", follow);
follow();
