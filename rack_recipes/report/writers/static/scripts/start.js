// What happens once the page is there.

async function start() {
  for (const picture of document.querySelectorAll(".racks")) startRacks(picture);
  for (const map of document.querySelectorAll(".map")) startMap(map);
  startHosts();
  await startResults();
  startSection("measurements-table", abouts.has("criteria") ? "criteria" : "measurements", ["step", "verdict", "unit"]);
  startSection("context-table", "context", ["host", "key"]);
  await follow();
  window.addEventListener("hashchange", follow);
  performance.mark("ready");
  await startPaper();
  document.documentElement.dataset.ready = "";
}

start();
