# SPDX-License-Identifier: GPL-3.0-or-later

"""The module names of the first proposal, in plain programs and in tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = "import rack_recipes.legacy\n"


def python(code: str, folder: Path) -> str:
    """What a new interpreter prints in a folder."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_tests_and_scriptlets_of_the_proposal_find_their_modules(tmp_path: Path):
    (tmp_path / "scriptlets/steps").mkdir(parents=True)
    step = "from scriptlets.core.base import BaseScriptlet\nfrom scriptlets.core.decorator import track_resources\n"
    (tmp_path / "scriptlets/steps/mine.py").write_text(step)
    code = """
import rack_recipes, scriptlets.steps.mine
from orchestrator.context import Context
from orchestrator.runner import run_recipe
print(Context is rack_recipes.Context, run_recipe is rack_recipes.run_recipe, scriptlets.steps.mine.BaseScriptlet)
"""
    assert python(PROGRAM + code, tmp_path).startswith("True True <class ")


def test_what_the_user_has_comes_first(tmp_path: Path):
    (tmp_path / "orchestrator").mkdir()
    (tmp_path / "orchestrator/runner.py").write_text("def run_recipe(): pass\n")
    code = "from orchestrator.runner import run_recipe; print(run_recipe.__module__)"
    assert python(PROGRAM + code, tmp_path) == "orchestrator.runner\n"


def test_for_other_names_nothing_is_imported(tmp_path: Path):
    code = (
        "import sys\ntry: import absent\nexcept ImportError: print([n for n in sys.modules if 'legacy_imports' in n])"
    )
    assert python(PROGRAM + code, tmp_path) == "[]\n"
