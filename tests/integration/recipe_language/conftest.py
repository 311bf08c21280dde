# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects with recipes of every feature of the language, and one run of each recipe.

The first comments of `cases/NAME.yml` say what it needs: `hosts`, how many, by default 2; `options` of the command;
`root`, where only root may run it; `repeats`, the test that shows the same, so that this one is for `make soak`.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from call_rack_recipes import Done, Results, rack_recipes, results

HERE = Path(__file__).parent
SAID = re.compile(r"^# (\w+): (.*)$", re.MULTILINE)


class Ran(NamedTuple):
    """A run of a case: the folder of its project, how it ended, and its results."""

    folder: Path
    done: Done
    results: Results


@pytest.fixture
def features(project: Path) -> Path:
    """A project with these tests' recipes and scriptlets."""
    return fill(project)


@pytest.fixture(scope="session")
def feature(tmp_path_factory: pytest.TempPathFactory, rack: Any) -> Callable[[str], Ran]:
    """A function that runs a case, once for all tests that look at it, in a project of its own."""

    @cache
    def run(name: str) -> Ran:
        folder = fill(tmp_path_factory.mktemp(name))
        (folder / "ansible.cfg").write_text("[defaults]\nhost_key_checking = false\n")
        said = said_by(name)
        hosts = ",".join(f"r0{number + 1}" for number in range(int(said.get("hosts", "2"))))
        options = shlex.split(said.get("options", ""))
        with chdir(folder):
            done = rack_recipes("run", f"{name}.yml", "-i", rack.inventory, "--limit", hosts, *options)
            assert done.code in (0, 1), done.stdout + done.stderr
            return Ran(folder, done, results())

    return run


def said_by(name: str) -> dict[str, str]:
    """What the first comments of a case say."""
    return dict(SAID.findall((HERE / "cases" / f"{name}.yml").read_text()))


def fill(project: Path) -> Path:
    shutil.copytree(HERE.parent / "cases" / "scriptlets", project / "scriptlets")
    shutil.copytree(HERE / "cases", project, dirs_exist_ok=True)
    (project / "secret.json").write_text('{"password": "password-of-this-test"}')
    return project
