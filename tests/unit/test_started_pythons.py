# SPDX-License-Identifier: GPL-3.0-or-later

"""Every Python that we start looks for modules in its own folders alone, never in the one in which it is started."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rack_recipes.run.host.remote_executor import BOOT
from rack_recipes.run.start_python import PYTHON, python_environment

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("plugins", "rack_recipes", "scriptlets", "roles", "playbooks")
NAMED = re.compile(
    r"sys\.executable|\$\{?(?:RACK_PYTHON|python)\b|ansible_playbook_python|(?<![\w./-])python3?\b(?= -)"
)
ALONE = re.compile(r"[^,\s]*,? \"?(?:-S )?-[PI]\b")  # what follows where the option is given
# Where no Python is started, or one that is to look elsewhere: the file, a part of the line, and why.
OTHERS = {
    ("plugins/module_utils/executor/child/program_by_scriptlet_kind.py", "RACK_PYTHON"): "a name for rack.sh",
    ("plugins/module_utils/executor/child/sandbox.py", "sys.prefix"): "folders that a sandbox shows",
    ("plugins/module_utils/executor/child/sandbox.py", '"-c", boot'): "it sets sys.path before it imports a file",
    ("plugins/module_utils/check_library.py", "-m pip install"): "what a message tells people to type",
    ("rack_recipes/cli/authors/templates/project/inventory.yml.in", "ansible_python"): "a setting of Ansible's",
    ("rack_recipes/cli/demo.py", "ansible_python"): "a setting of Ansible's",
    ("rack_recipes/lab/loopback_hosts.py", "ansible_python"): "a setting of Ansible's",
    ("rack_recipes/run/launcher/ansible_playbook.py", "ansible_python"): "a setting of Ansible's",
    ("rack_recipes/run/launcher/ansible_playbook.py", 'os.execv(sys.executable, [sys.executable, "-P"'): "",
    ("rack_recipes/integrations/across/job_folders.py", 'PYTHON = ["{{ ansible_playbook_python }}", "-P"]'): "",
    ("rack_recipes/lab/bmc/ipmi_bmcs.py", "python=sys.executable"): "a word for ipmi_chassis.sh",
    ("scriptlets/tools/suite_programs.py", '"-m", module'): "pytest or robot, in the folder of the suite that it runs",
}


def test_every_start_of_a_python_says_that_it_looks_nowhere_else():
    missing, used = [], set()
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()):
        name = str(path.relative_to(ROOT))
        for line in () if path.suffix in (".pyc", ".png") else path.read_text(encoding="utf-8").splitlines():
            excepted = [key for key in OTHERS if key[0] == name and key[1] in line]
            used.update(excepted)
            if not excepted and any(not ALONE.match(line, found.end()) for found in NAMED.finditer(line)):
                missing.append(f"{name}: {line.strip()}")
    assert missing == []
    assert used == {*OTHERS}


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, None), ("", None), (":", None), ("/a:", "/a"), (":/a::/b", "/a:/b"), (".", ".")],
)
def test_an_empty_part_of_pythonpath_is_left_out(
    given: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if given is not None:
        monkeypatch.setenv("PYTHONPATH", given)
    assert python_environment().get("PYTHONPATH") == expected
    assert python_environment("/first")["PYTHONPATH"] == ":".join(filter(None, ("/first", expected)))
    assert {**python_environment(), "PYTHONPATH": ""} == {**os.environ, "PYTHONPATH": ""}


STARTS = {
    "own": (*PYTHON, "-c", "import sys;"),
    "on a host": (sys.executable, "-c", BOOT.partition("e=sys.stderr")[0]),
    "on a host, without packages": (sys.executable, "-S", "-c", BOOT.partition("e=sys.stderr")[0]),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("path", ["/not/here", ":/not/here:"])
def test_the_folder_in_which_it_is_started_is_not_searched(
    start: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("gc", "json", "os"):
        (tmp_path / f"{name}.py").write_text("1 / 0")
    monkeypatch.setenv("PYTHONPATH", path)
    env = python_environment() if start == "own" else {**os.environ}
    words = (*STARTS[start][:-1], f"{STARTS[start][-1]}import json;print(json.dumps(sys.path))")
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    searched = json.loads(done.stdout)
    assert "/not/here" in searched
    assert not {"", ".", str(tmp_path)} & {*searched}
