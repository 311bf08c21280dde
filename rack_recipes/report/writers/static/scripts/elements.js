// Elements are made here. Text from the data only ever becomes a text node or an attribute, never markup.

const whole = new Intl.NumberFormat("en-US");

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const counted = (number, one, many = `${one}s`) => `${whole.format(number)} ${number === 1 ? one : many}`;

// A link within the page: `place` and then names with values.
function address(place, values = {}) {
  const pairs = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return `#${[place, ...pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`)].join("&")}`;
}

const head = JSON.parse(document.getElementById("head").textContent);

// The address of a host, and that of a result: places on this page, or pages of their own.
const hostAddress = (host) => (head.hostsAt ? `${head.hostsAt}/${encodeURIComponent(host)}` : address(`host=${encodeURIComponent(host)}`));
const resultAddress = (data, row) => (head.hostsAt ? `${hostAddress(data.text(row, "host"))}/${encodeURIComponent(data.text(row, "step"))}` : `#r${row + 1}`);

// The verdict like which a word is shown.
function lookOf(word) {
  const known = head.statuses[word] ?? word;
  return Object.hasOwn(head.symbols, known) ? known : head.other;
}

function verdictMark(word) {
  const look = lookOf(word);
  return [make("span", { "aria-hidden": "true" }, head.symbols[look]), ` ${word}`];
}

const hostNames = new Set(head.hosts);
