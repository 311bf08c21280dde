// A column of a table: numbers in a typed array, or codes into the words that occur in it.

const collator = new Intl.Collator("en", { numeric: true });
const EMPTY_LAST = Number.POSITIVE_INFINITY;

class NumberColumn {
  constructor({ name, label, kind, numbers }) {
    Object.assign(this, { name, label, kind, isNumeric: true });
    this.values = Float64Array.from(numbers, (value) => value ?? NaN);
  }

  text(row) {
    const value = this.values[row];
    if (Number.isNaN(value)) return "";
    return this.kind === "seconds" ? value.toFixed(3) : String(value);
  }

  keys() {
    return this.values.map((value) => (Number.isNaN(value) ? EMPTY_LAST : value));
  }
}

class TimeColumn {
  constructor({ name, label, kind, times }) {
    Object.assign(this, { name, label, kind });
    let last = 0;
    this.values = Float64Array.from(times, (change) => (change === null ? NaN : (last += change)));
  }

  text(row) {
    const value = this.values[row];
    return Number.isNaN(value) ? "" : new Date(value).toISOString().replace("T", " ").slice(0, 23);
  }

  keys() {
    return this.values.map((value) => (Number.isNaN(value) ? EMPTY_LAST : value));
  }
}

class WordColumn {
  constructor({ name, label, kind, words, codes }) {
    Object.assign(this, { name, label, kind, words });
    this.isNumeric = kind === "number" || kind === "seconds";
    this.codes = Uint32Array.from(codes);
    this.lower = null;
  }

  text(row) {
    return this.words[this.codes[row]];
  }

  // For each word whether it contains the term, or is equal to a term in quotes.
  matches(term) {
    this.lower ??= this.words.map((word) => word.toLowerCase());
    const wanted = term.startsWith('"') ? term.slice(1, -1) : null;
    return Uint8Array.from(this.lower, (word) => (wanted === null ? word.includes(term) : word === wanted));
  }

  // For each word whether it is one of these.
  oneOf(wanted) {
    return Uint8Array.from(this.words, (word) => wanted.has(word));
  }

  keys() {
    const places = this.words.map((_word, place) => place).sort((a, b) => this.compare(a, b));
    const ranks = new Float64Array(places.length);
    places.forEach((place, rank) => { ranks[place] = this.words[place] === "" ? EMPTY_LAST : rank; });
    return Float64Array.from(this.codes, (code) => ranks[code]);
  }

  compare(a, b) {
    if (this.kind !== "verdict") return collator.compare(this.words[a], this.words[b]);
    return head.order.indexOf(this.words[a]) - head.order.indexOf(this.words[b]);
  }
}

function column(packed) {
  if (packed.numbers) return new NumberColumn(packed);
  return packed.times ? new TimeColumn(packed) : new WordColumn(packed);
}
