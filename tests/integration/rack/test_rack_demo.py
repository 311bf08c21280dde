# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from virtual_racks import NEEDS_ROOT

from call_rack_recipes import CHECKOUT, call


@pytest.mark.repeats  # tests/integration/soak/test_detection.py and test_roles_in_turns.py
@NEEDS_ROOT
def test_the_demo_finds_the_swapped_cables_and_leaves_no_rack(project: Path) -> None:
    """A healthy rack passes whole; then exactly the broken ends are named, by the results and by the analysis."""
    done = call(sys.executable, CHECKOUT / "tests/demo/rack_demo.py", project)
    said = done.stdout + done.stderr
    assert done.code == 0, said
    assert re.search(r"^run \S+ ok: \d+ passed on \d+ hosts of \S+$", said, re.MULTILINE), said
    failed = sorted(line.partition("  failed: ")[0] for line in said.splitlines() if "  failed: " in line)
    assert [line.split()[:2] for line in failed] == [
        ["leaf4", "cabling"],
        ["server7", "cabling"],
        ["server8", "cabling"],
    ]
    assert "leaf4 swp3 and leaf4 swp4 are swapped" in said
    assert done.stdout.rstrip().endswith("report.html")
    assert not (project / ".rack-recipes/rack").exists()
