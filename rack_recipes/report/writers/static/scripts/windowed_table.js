// A table of any length, of which only the rows that can be seen are in the document.

const ROW = 30; // pixels, as --row in the style sheet
const HEAD = 34;
const BEYOND = 10; // rows drawn above and below those that can be seen
const WIDEST = 56; // letters
const NOT_PASSED = "not passed";
const NONE = "(none)";
const terms = (words) => words.toLowerCase().match(/"[^"]*"|\S+/g) ?? [];

class WindowedTable {
  // `facets` are names of columns to choose from, `only` the rows to show (all without it), `link` gives the address
  // of a row, `chosen` is called with the filter whenever somebody changes it.
  constructor(data, { facets = [], only = null, link = null, chosen = () => {}, label = data.title } = {}) {
    Object.assign(this, { data, only, link, chosen, label });
    this.filter = {};
    this.sorted = null;
    this.marked = -1;
    this.facets = facets.map((name) => data.column(name)).filter((own) => own?.words);
    this.element = make("div", { class: "windowed" }, this.tools(), this.box());
    this.apply({});
  }

  tools() {
    this.input = make("input", { type: "search", autocomplete: "off", spellcheck: "false", placeholder: 'words or "cell"' });
    this.input.addEventListener("input", () => this.change("q", this.input.value));
    this.selects = new Map(this.facets.map((own) => [own.name, this.select(own)]));
    this.clear = make("button", { type: "button", class: "clear", hidden: true }, "Show all");
    this.clear.addEventListener("click", () => { this.apply({}); this.chosen({}); this.input.focus(); });
    this.count = make("p", { class: "count", role: "status" });
    const search = make("label", { class: "search" }, "Search ", this.input);
    const chooses = this.facets.map((own) => make("label", { class: "facet" }, `${own.label} `, this.selects.get(own.name)));
    const few = (this.only?.length ?? this.data.length) <= 5;
    this.toolbar = make("div", { class: "tools" }, ...(few ? [] : [search, ...chooses, this.clear]), this.count);
    return this.toolbar;
  }

  select(own) {
    const found = this.present(own);
    const words = [...found.keys()].sort((a, b) => own.compare(a, b));
    const select = make("select", {}, make("option", { value: "" }, "all"));
    if (own.kind === "verdict") select.append(make("option", { value: NOT_PASSED }, NOT_PASSED));
    for (const code of words) {
      const word = own.words[code] || NONE;
      select.append(make("option", { value: word }, `${word} (${whole.format(found.get(code))})`));
    }
    select.addEventListener("change", () => this.change(own.name, select.value));
    return select;
  }

  // How often each word of a column occurs.
  present(own) {
    const counts = new Map();
    const add = (code) => counts.set(code, (counts.get(code) ?? 0) + 1);
    if (this.only) this.only.forEach((row) => add(own.codes[row]));
    else own.codes.forEach(add);
    return counts;
  }

  box() {
    const { data } = this;
    this.body = make("tbody");
    const heads = data.columns.map((own) => this.heading(own));
    const number = make("th", { scope: "col", class: "n" }, "No.");
    this.table = make("table", {}, make("caption", {}, this.label), this.widths(),
      make("thead", {}, make("tr", { "aria-rowindex": 1 }, number, ...heads)), this.body);
    this.tall = make("div", { class: "tall" }, this.table);
    this.scroller = make("div", { class: "box scroll", tabindex: 0, role: "region", "aria-label": `Rows of ${this.label}` }, this.tall);
    this.scroller.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()), { passive: true });
    return this.scroller;
  }

  widths() {
    const group = make("colgroup", {}, make("col"));
    group.firstChild.style.width = "5.5em";
    let all = 5.5;
    for (const own of this.data.columns) {
      const texts = own.words ? own.words.slice(0, 2000) : [own.text(0), own.text(this.data.length - 1)];
      const longest = texts.reduce((most, text) => Math.max(most, text.length), own.label.length + 3);
      const width = Math.min(longest, WIDEST) * 0.58 + (own.kind === "verdict" ? 3.4 : 1.9);
      const col = make("col");
      col.style.width = `${width}em`;
      all += width;
      group.append(col);
    }
    this.least = `${all}em`;
    return group;
  }

  heading(own) {
    const button = make("button", { type: "button" }, own.label);
    const cell = make("th", { scope: "col", class: own.isNumeric ? "n" : null }, button);
    button.addEventListener("click", () => this.sortBy(own, cell));
    return cell;
  }

  sortBy(own, cell) {
    const first = own.isNumeric ? -1 : 1;
    const way = this.sorted?.own === own ? -this.sorted.way : first;
    for (const other of cell.parentNode.children) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
    this.sorted = { own, way };
    this.apply(this.filter);
  }

  change(name, value) {
    const filter = { ...this.filter, [name]: value };
    if (!value) delete filter[name];
    this.apply(filter);
    this.chosen(filter);
  }

  // Show the rows that a filter leaves: words under `q`, and a text for each facet.
  apply(filter) {
    this.filter = filter;
    if (this.input.value !== (filter.q ?? "")) this.input.value = filter.q ?? "";
    for (const [name, select] of this.selects) select.value = filter[name] ?? "";
    this.clear.hidden = Object.keys(filter).length === 0;
    this.rows = this.order(this.found(filter));
    this.say(filter);
    this.tall.style.height = `${HEAD + this.rows.length * ROW}px`;
    this.table.style.minWidth = this.least;
    this.tall.style.minWidth = this.least;
    this.table.setAttribute("aria-rowcount", this.rows.length + 1);
    this.scroller.scrollTop = 0;
    this.draw(true);
  }

  found(filter) {
    const tests = this.facets.filter((own) => filter[own.name]).map((own) => [own.codes, this.wanted(own, filter[own.name])]);
    const words = terms(filter.q ?? "").map((term) => this.data.columns.filter((own) => own.words).map((own) => [own.codes, own.matches(term)]));
    const given = this.only;
    const total = given ? given.length : this.data.length;
    const rows = new Uint32Array(total);
    let length = 0;
    for (let place = 0; place < total; place += 1) {
      const row = given ? given[place] : place;
      if (holds(tests, words, row)) rows[length++] = row;
    }
    return rows.subarray(0, length);
  }

  wanted(own, word) {
    if (own.kind === "verdict" && word === NOT_PASSED) {
      const others = own.words.filter((one) => one && !head.passing.includes(one) && !head.notTried.includes(one));
      return own.oneOf(new Set(others));
    }
    return own.oneOf(new Set([word === NONE ? "" : word]));
  }

  order(rows) {
    if (!this.sorted) return rows;
    const { own, way } = this.sorted;
    const keys = own.keys();
    // Empty cells come last both ways; equal cells keep the order of the table.
    const compare = (a, b) => {
      if (keys[a] === keys[b]) return a - b;
      if (keys[a] === EMPTY_LAST || keys[b] === EMPTY_LAST) return keys[a] === EMPTY_LAST ? 1 : -1;
      return way * (keys[a] - keys[b]);
    };
    return Uint32Array.from(rows).sort(compare);
  }

  say(filter) {
    const all = this.only ? this.only.length : this.data.length;
    const left = this.only ? 0 : this.data.total - this.data.length;
    const rows = left ? `the first ${whole.format(all)} of ${counted(this.data.total, "row")}` : counted(all, "row");
    this.count.textContent = Object.keys(filter).length ? `${whole.format(this.rows.length)} of ${rows}` : rows;
  }

  // Draw the rows that can be seen, if they are not drawn yet.
  draw(anew = false) {
    const seen = Math.ceil((this.scroller.clientHeight || 600) / ROW);
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - BEYOND);
    const end = Math.min(this.rows.length, first + seen + 2 * BEYOND);
    if (!anew && first === this.first && end === this.end) return;
    [this.first, this.end] = [first, end];
    const focused = this.focused();
    const drawn = [];
    for (let place = first; place < end; place += 1) drawn.push(this.row(this.rows[place], place));
    this.body.replaceChildren(...drawn);
    this.table.style.top = `${first * ROW}px`;
    if (focused) this.body.querySelector(`[data-row="${focused.row}"]`)?.querySelectorAll("a")[focused.link]?.focus({ preventScroll: true });
  }

  // The link that has the focus, since drawing replaces it.
  focused() {
    const line = document.activeElement?.closest?.("tr[data-row]");
    if (!line || !this.body.contains(line)) return null;
    return { row: line.dataset.row, link: [...line.querySelectorAll("a")].indexOf(document.activeElement) };
  }

  row(row, place) {
    const line = make("tr", { "data-row": row, "aria-rowindex": place + 2, class: row === this.marked ? "found" : null });
    const number = whole.format(row + 1);
    line.append(make("td", { class: "n" }, this.link ? make("a", { href: this.link(row), "aria-label": `Row ${number}` }, number) : number));
    this.data.columns.forEach((own, at) => line.append(this.cell(own, row, at)));
    return line;
  }

  cell(own, row, at) {
    const text = own.text(row);
    const cell = make(at === this.headColumn() ? "th" : "td", at === this.headColumn() ? { scope: "row" } : {});
    if (own.isNumeric) cell.className = "n";
    if (own.kind === "verdict" && text) {
      cell.className = `v v-${lookOf(text)}`;
      cell.append(...verdictMark(text));
    } else if (own.name === "host" && hostNames.has(text)) {
      cell.className = "c";
      cell.append(make("a", { href: hostAddress(text) }, text));
    } else {
      const line = text.length > 300 ? `${text.slice(0, 300)}…` : text;
      cell.append(line.replaceAll("\n", "⏎"));
      if (text.length > 24) cell.title = line;
    }
    return cell;
  }

  headColumn() {
    const place = this.data.columns.findIndex((own) => own.name === "host");
    return Math.max(place, 0);
  }

  // Bring a row into view and mark it; a filter that hides it goes.
  reveal(row) {
    if (!this.rows.includes(row)) this.apply({});
    const place = this.rows.indexOf(row);
    this.marked = row;
    if (place < 0) return false;
    this.draw(true);
    this.scroller.scrollTop = Math.max(0, place * ROW - this.scroller.clientHeight / 3);
    this.draw(true);
    return true;
  }
}

function holds(tests, words, row) {
  for (const [codes, wanted] of tests) if (!wanted[codes[row]]) return false;
  for (const columns of words) {
    let any = false;
    for (const [codes, wanted] of columns) if (wanted[codes[row]]) { any = true; break; }
    if (!any) return false;
  }
  return true;
}
