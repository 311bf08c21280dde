// What the part of the address behind # means. Any other is the id of a section, which browsers know by themselves.

const ROUTES = [
  [/^r([0-9]+)$/, (found) => showResult(Number(found[1]))],
  [/^host=(.*)$/, (found) => showHost(found[1])],
  [/^results$/, (_found, values) => showResults(values)],
  [/^table=(.*)$/, (found, values) => showTable(found[1], values)],
];

function parsed(hash) {
  const [place, ...pairs] = hash.replace(/^#/, "").split("&");
  const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const values = pairs.map((pair) => [pair.split("=", 1)[0], decode(pair.slice(pair.indexOf("=") + 1))]);
  return { place: decode(place), values: Object.fromEntries(values) };
}

async function follow() {
  const { place, values } = parsed(location.hash);
  for (const [pattern, show] of ROUTES) {
    const found = place.match(pattern);
    if (found) await show(found, values);
  }
}

// Bring a section into view, and the focus to it, so that screen readers go on from there.
function go(section, target = section) {
  const scroll = () => {
    section.scrollIntoView({ block: "start" });
    if (target !== section) target.scrollIntoView({ block: "nearest" });
  };
  scroll();
  target.focus({ preventScroll: true });
  requestAnimationFrame(() => requestAnimationFrame(scroll)); // what was drawn just now has moved it
}

// Tables that were drawn before they could be seen have not known their height.
function redraw(place) {
  for (const box of place.querySelectorAll(".scroll")) box.dispatchEvent(new Event("scroll"));
}
