# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong recipe ends with exit code 2 and a clear error, and nothing is run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from call_rack_recipes import rack_recipes

CASES = Path(__file__).parent / "cases" / "refused"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=lambda case: case.stem)
def test_refused(case: Path, steps: Path):
    shutil.copy(case, "recipe.yml")
    done = rack_recipes("run", "recipe.yml")
    error = re.sub(r"[^ ]*/ansible_collections/rack/recipes/", "COLLECTION/", done.stderr)
    assert (done.code, done.stdout) == (2, "")
    assert error == case.with_suffix(".txt").read_text()
    assert error.count("\n") == 1
    assert not Path(".rack-recipes/runs").exists()


def test_missing_file(project: Path):
    done = rack_recipes("run", "absent.yml", "--json")
    assert done.code == 2
    assert done.answer == {"status": "error", "reason": done.stderr.strip(), "exit_code": 2}
    assert "absent.yml" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_host_matches(steps: Path):
    shutil.copy(CASES.parent / "ok.yml", "recipe.yml")
    done = rack_recipes("run", "recipe.yml", "--limit", "nobody")
    assert done.code == 2
    assert "nothing was run" in done.stderr
    assert "Traceback" not in done.stderr
    done = rack_recipes("run", "recipe.yml", "-i", "absent_inventory")
    assert done.code == 2


def test_step_that_matches_no_host(steps: Path):
    text = (CASES.parent / "ok.yml").read_text() + "    hosts: spines\n"
    Path("recipe.yml").write_text(text)
    done = rack_recipes("run", "recipe.yml")
    assert done.code == 2
    assert "no host of this run matches the hosts of any step: ok" in done.stderr
