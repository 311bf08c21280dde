# SPDX-License-Identifier: GPL-3.0-or-later

"""Take items of the proposal away from the product, and see whether the tests that docs/proposal.md names fail.

    .venv/bin/python tests/tools/broken_items.py [--seed 20261204] [--count 40] [--rows ITEM...] [--json]

`broken_items.yml` has an edit for each item that was drawn. It is made in a copy of the checkout, which stands in the
checkout's place for the processes of the test alone, so everything that they find is the broken copy. The test has to
pass before it and to fail after it. A page is taken away as a whole; then the test of the table has to fail.

Prints a table, or one JSON object; exit code 1 where an item is not shown, 2 where a word of --rows is no item.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import yaml

from proposal_rows import ROOT, Row, rows

EDITS = Path(__file__).with_suffix(".yml")
PAGES = "tests/unit/test_proposal_page.py"
SHOWN, NOT_SHOWN, NO_ENTRY = "failed", "passed: the test does not show it", "no entry"
FAILS_BEFORE, RUNS_NOT = "fails without the edit, too", "does not run"
PASSED, FAILED = 0, 1  # exit codes of pytest
MOUNTED = """\
copy=$1 checkout=$2; shift 2
for part in .git .venv; do
  if [ -d "$checkout/$part" ]; then mkdir -p "$copy/$part" && mount --bind "$checkout/$part" "$copy/$part"; fi
done
mount --rbind "$copy" "$checkout" && cd "$checkout" && exec "$@"
"""


class Edit(NamedTuple):
    """A text that stands once in a file, and what stands there when the item is gone."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file in a checkout. Raises ValueError if the old text is not there once."""
        text = (root / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times: {self.old}")
        (root / self.file).write_text(text.replace(self.old, self.new), encoding="utf-8")


def edits(path: Path = EDITS) -> dict[str, Edit]:
    """Read the edit of each item."""
    return {item: Edit(**entry) for item, entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items()}


def drawn(found: Sequence[Row], seed: int, count: int) -> list[Row]:
    """Draw rows, in their order. A row that is added or goes changes one of them at most."""
    lots = {row.item: random.Random(f"{seed} {row.item}").random() for row in found}
    chosen = sorted(lots, key=lots.__getitem__)[:count]
    return [row for row in found if row.item in chosen]


class Copy:
    """A copy of a checkout, in which one thing at a time is broken."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._checkout, self._folder = checkout.resolve(), folder
        for name in self._names():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._checkout / name, folder / name, follow_symlinks=False)

    def _names(self) -> list[str]:
        command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        listed = subprocess.run(command, cwd=self._checkout, stdout=subprocess.PIPE, text=True, check=True)
        return [name for name in listed.stdout.split("\0") if os.path.lexists(self._checkout / name) and name]

    def judge(self, row: Row, edit: Edit | None) -> str:
        """Say how the named test ends when the item is taken away."""
        if not edit and not row.is_page:
            return NO_ENTRY
        test = PAGES if row.is_page else row.shown_by
        if self._pytest(test) != PASSED:
            return FAILS_BEFORE
        with self._without(row, edit):
            return {PASSED: NOT_SHOWN, FAILED: SHOWN}.get(self._pytest(test), RUNS_NOT)

    @contextmanager
    def _without(self, row: Row, edit: Edit | None) -> Iterator[None]:
        file = edit.file if edit else row.path
        try:
            edit.apply(self._folder) if edit else (self._folder / file).unlink()
            self._forget_compiled(file)
            yield
        finally:
            shutil.copy2(self._checkout / file, self._folder / file)
            self._forget_compiled(file)

    def _forget_compiled(self, file: str) -> None:
        """Python takes what it compiled for a file of the same size and the same second."""
        shutil.rmtree((self._folder / file).with_name("__pycache__"), ignore_errors=True)

    def _pytest(self, test: str) -> int:
        """Run a test where the copy stands in the checkout's place. A mount of one's own needs no root."""
        own = self._checkout / ".venv/bin/python"
        become = () if os.geteuid() == 0 else ("--map-root-user",)
        command = (
            *("unshare", "--mount", *become, "sh", "-ec", MOUNTED, "sh", str(self._folder), str(self._checkout)),
            *(str(own) if own.exists() else sys.executable, "-m", "pytest", "-q", "--exitfirst"),
            *("-p", "no:cacheprovider", test),
        )
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode


def judged(checkout: Path, chosen: Iterable[Row], known: Mapping[str, Edit]) -> Iterator[dict[str, str]]:
    """Break one row after the other; a record of each."""
    with tempfile.TemporaryDirectory(prefix="broken-items-") as folder:
        copy = Copy(checkout, Path(folder))
        for row in chosen:
            edit = known.get(row.item)
            result = copy.judge(row, edit)
            print(f"--- {result}: {row.item}", file=sys.stderr, flush=True)
            broken = edit.file if edit else row.path if row.is_page else ""
            yield {"item": row.item, "shown by": row.shown_by, "broken": broken, "test": result}


def table(records: Sequence[Mapping[str, str]]) -> str:
    """The records as a table in Markdown."""
    heads = ("item", "broken", "shown by", "test")
    lines = [heads, ("---",) * len(heads), *([record[head] for head in heads] for record in records)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Draw rows, break each, and print what came of it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20261204)
    parser.add_argument("--count", type=int, default=40, help="how many rows are drawn")
    parser.add_argument("--rows", nargs="+", metavar="ITEM", default=(), help="these items, and none by chance")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    found = rows()
    if unknown := set(wanted.rows) - {row.item for row in found}:
        parser.error(f"no item of docs/proposal.md: {', '.join(sorted(unknown))}")
    chosen = [row for row in found if row.item in wanted.rows] or drawn(found, wanted.seed, wanted.count)
    records = list(judged(ROOT, chosen, edits()))
    day = datetime.now(UTC).date().isoformat()
    seed = None if wanted.rows else wanted.seed
    if wanted.json:
        print(json.dumps({"seed": seed, "date": day, "of": len(found), "rows": records}))
    else:
        print(f"{len(records)} of {len(found)} rows, seed {seed}, {day}:\n\n{table(records)}")
    return int(any(record["test"] != SHOWN for record in records))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
