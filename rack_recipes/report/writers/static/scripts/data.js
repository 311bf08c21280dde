// The tables of the report. Each is read (`inflated`) when somebody first looks at it.

const abouts = new Map(head.tables.map((about) => [about.name, about]));
const loaded = new Map();

class Data {
  constructor(about, { rows, total, columns }) {
    Object.assign(this, about, { total });
    this.length = rows;
    this.columns = columns.map(column);
    this.byName = new Map(this.columns.map((own) => [own.name, own]));
  }

  column(name) {
    return this.byName.get(name);
  }

  text(row, name) {
    return this.byName.get(name)?.text(row) ?? "";
  }

  // The rows in which each of these columns has this text.
  where(wanted) {
    const tests = [];
    for (const [name, text] of Object.entries(wanted)) {
      const own = this.column(name);
      const code = own?.words ? own.words.indexOf(text) : -1;
      if (code < 0) return [];
      tests.push([own.codes, code]);
    }
    const found = [];
    for (let row = 0; row < this.length; row += 1) {
      if (tests.every(([codes, code]) => codes[row] === code)) found.push(row);
    }
    return found;
  }
}

// A table by its name; null where it has no rows.
async function table(name) {
  if (!abouts.has(name)) return null;
  if (!loaded.has(name)) loaded.set(name, inflated(name).then((packed) => new Data(abouts.get(name), packed)));
  return loaded.get(name);
}
