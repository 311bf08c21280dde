// The table of all results, with a permanent link for each: #r and its number.

let results = null;

async function startResults() {
  const data = await table("verdicts");
  if (!data) return;
  const link = (row) => resultAddress(data, row);
  const chosen = (filter) => {
    if (results.only && !Object.keys(filter).length) {
      results.only = null;
      results.apply({});
    }
    history.replaceState(null, "", address("results", filter));
  };
  results = new WindowedTable(data, { facets: ["verdict", "rack", "host", "step"], link, chosen, label: "Results" });
  document.getElementById("results-table").append(results.element);
  const verdicts = data.column("verdict");
  if (verdicts?.words && results.wanted(verdicts, NOT_PASSED).includes(1)) results.apply({ verdict: NOT_PASSED });
}

// The results that a filter leaves; `finding` is the number of a finding.
async function showResults({ finding, ...filter }) {
  if (!results) return;
  results.only = finding ? await resultsOf(finding) : null;
  results.apply(filter);
  results.clear.hidden = !finding && results.clear.hidden;
  if (finding) results.count.textContent += ` of finding ${finding}`;
  go(document.getElementById("results"));
}

async function resultsOf(finding) {
  const [data, rests] = [results.data, await table("finding_results")];
  const pairs = rests ? Array.from({ length: rests.length }, (_, row) => row).filter((row) => rests.text(row, "n") === finding) : [];
  const wanted = new Set(pairs.map((row) => JSON.stringify([rests.text(row, "host"), rests.text(row, "step")])));
  const hosts = new Set(pairs.map((row) => rests.text(row, "host")));
  const own = data.column("host");
  const codes = own.oneOf(hosts);
  const rows = [];
  for (let row = 0; row < data.length; row += 1) {
    if (codes[own.codes[row]] && wanted.has(JSON.stringify([own.text(row), data.text(row, "step")]))) rows.push(row);
  }
  return rows;
}

async function showResult(number) {
  const row = number - 1;
  if (!results || row < 0 || row >= results.data.length) return;
  results.only = null;
  results.reveal(row);
  const title = `Result ${whole.format(number)}: ${results.data.text(row, "step")} on ${results.data.text(row, "host")}`;
  const content = (await resultDetail(results.data, row)).filter(Boolean);
  const { made, heading } = panel(title, () => results.scroller.focus(), ...content);
  document.getElementById("result").replaceChildren(made);
  results.reveal(row);
  go(document.getElementById("results"), heading);
}
