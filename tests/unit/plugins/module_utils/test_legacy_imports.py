# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import decorators, legacy_imports

INSTALL = """
from ansible_collections.rack.recipes.plugins.module_utils import legacy_imports
legacy_imports.install()
legacy_imports.install()
"""
IMPORTS = """
from orchestrator.context import Context
from scriptlets.core.base import BaseScriptlet
from scriptlets.core.decorator import register_scriptlet, track_resources
from scriptlets.core.decorator import debug_trace, timeout_enforce
import scriptlets.core.base
print(Context.__name__, BaseScriptlet.__name__, scriptlets.core.base.BaseScriptlet is BaseScriptlet)
"""


def python(code, folder):
    """What a new interpreter prints, to whose path `folder` belongs."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run([sys.executable, "-c", code], env=env, cwd=folder, text=True, check=False, **streams).stdout


def test_the_import_lines_of_the_proposal_work(tmp_path):
    assert python(INSTALL + IMPORTS, tmp_path) == "ContextView BaseScriptlet True\n"


def test_without_it_they_do_not(tmp_path):
    assert "ModuleNotFoundError" in python(IMPORTS, tmp_path)


@pytest.mark.parametrize("package", [True, False])
def test_they_work_beside_drop_ins_of_the_same_name(tmp_path, package):
    folder = tmp_path / "scriptlets" / "steps"
    folder.mkdir(parents=True)
    if package:
        (folder.parent / "__init__.py").write_text("")
    (folder / "mine.py").write_text("from scriptlets.core.base import BaseScriptlet as Base\n")
    assert python(INSTALL + "import scriptlets.steps.mine as m; print(m.Base.__module__)", tmp_path) == (
        "ansible_collections.rack.recipes.plugins.module_utils.legacy_imports\n"
    )


def test_what_the_user_has_comes_first(tmp_path):
    (tmp_path / "orchestrator").mkdir()
    (tmp_path / "orchestrator" / "context.py").write_text("class Context: pass\n")
    printed = python(INSTALL + "from orchestrator.context import Context; print(Context.__module__)", tmp_path)
    assert printed == "orchestrator.context\n"


def test_other_names_are_not_found(tmp_path):
    assert "No module named 'scriptlets.core.other'" in python(INSTALL + "import scriptlets.core.other", tmp_path)


def test_the_base_class_is_a_scriptlet():
    assert legacy_imports.BaseScriptlet().validate(None, {}) is None


@pytest.mark.parametrize("name", ["debug_trace", "register_scriptlet", "timeout_enforce", "track_resources"])
def test_every_decorator_is_importable_by_the_name_of_the_proposal(name):
    assert legacy_imports.MODULES["scriptlets.core.decorator"][name] is getattr(decorators, name)
