# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rack_recipes.lab.faults import FAULTS
from rack_recipes.lab.start_rack import NEEDED

PAGE = Path(__file__).resolve().parents[4] / "docs/virtual-rack.md"
START, END = "<!-- faults: ", "<!-- /faults -->"


def test_the_page_lists_the_faults_of_the_table(golden: Callable[[Path, str], None]) -> None:
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    comment = rest.partition("\n")[0]
    rows = "\n".join(f"| `{name}` | {fault.about} |" for name, fault in FAULTS.items())
    table = f"| fault | what it is |\n| --- | --- |\n{rows}"
    golden(PAGE, f"{head}{start}{comment}\n\n{table}\n\n{END}\n")


def test_the_page_names_the_packages_that_are_needed() -> None:
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("Debian packages:"))
    assert not {package for package in NEEDED.values() if package not in line} - {"util-linux", "e2fsprogs"}
