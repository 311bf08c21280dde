// Everything about one host, drawn when somebody asks for it: #host= and its name.

async function showHost(name) {
  const section = document.getElementById("host");
  const title = document.getElementById("host-title");
  const [hosts, data] = [await table("hosts"), await table("verdicts")];
  const [row] = hosts?.where({ host: name }) ?? [];
  const only = data?.where({ host: name }) ?? [];
  title.textContent = only.length || row !== undefined ? `Host ${name}` : `This run has no host ${name}`;
  const parts = [
    hostChooser(name),
    row === undefined ? null : cells(hosts, row),
    await findingsAbout({ host: name }, `Findings about ${name}`, 3),
    await part("verdicts", { host: name }, `Results of ${name}`, { level: 3, link: (own) => `#r${own + 1}`, facets: ["verdict"] }),
    await part("values", { host: name }, `Measured on ${name}`, { level: 3 }),
    await part("context", { host: name }, `Context of ${name}`, { level: 3 }),
    await part("artifacts", { host: name }, `Artifacts of ${name}`, { level: 3 }),
  ];
  document.getElementById("host-view").replaceChildren(...parts.filter(Boolean));
  section.hidden = false;
  redraw(section);
  go(section);
}

// Links to the hosts before and after this one, in the order of the racks.
function hostChooser(name) {
  const place = head.hosts.indexOf(name);
  const line = make("p", { class: "chooser" });
  const link = (host, word) => host !== undefined && line.append(make("a", { href: hostAddress(host) }, `${word} ${host}`));
  if (place >= 0) {
    link(head.hosts[place - 1], "←");
    link(head.hosts[place + 1], "→");
  }
  return line;
}

function startHosts() {
  const input = document.getElementById("go");
  if (!input) return;
  const list = make("datalist", { id: "all-hosts" });
  input.after(list);
  input.addEventListener("focus", () => list.replaceChildren(...head.hosts.map((host) => make("option", { value: host }))), { once: true });
  input.hidden = false;
  input.addEventListener("change", () => {
    if (hostNames.has(input.value)) location.assign(hostAddress(input.value));
  });
}
