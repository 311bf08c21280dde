# SPDX-License-Identifier: GPL-3.0-or-later

"""`rack-recipes demo` in an empty folder: on SSH hosts of its own, and without sshd on this machine alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from call_rack_recipes import environment, rack_recipes

HOSTS = [*(f"r{number:02}" for number in range(1, 7)), "here"]


def test_it_runs_on_hosts_of_its_own_and_leaves_none(project: Path):
    done = rack_recipes("demo", "new/demo", "--json")
    assert done.code == 0, done.stderr
    assert [(run["status"], run["hosts"]) for run in done.answer["runs"]] == [("ok", len(HOSTS))] * 2
    assert len([*Path("new/demo").rglob("report.html")]) == 2
    assert "$ rack-recipes run rack.recipes.numbers -i hosts.json --report" in done.stderr
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "rack-recipes-demo-" not in left
    assert {path.name for path in project.iterdir()} >= {"new"}


def test_without_sshd_it_runs_here_alone(project: Path, monkeypatch: pytest.MonkeyPatch):
    from rack_recipes.lab import loopback_hosts

    assert len(loopback_hosts.find_programs()) == 3
    monkeypatch.setattr(shutil, "which", lambda name, **_path: None if name == "sshd" else f"/bin/{name}")
    assert loopback_hosts.find_programs() == ()
    code = "from rack_recipes.cli import demo, main; demo.find_programs = tuple; main.main()"
    python = Path(environment()["PATH"].split(":")[0]) / "python"
    env = environment(PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    done = subprocess.run([python, "-c", code, "demo"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "there is no sshd here, so the demo has this machine alone" in done.stderr
    assert "ok: 3 passed on this machine alone" in done.stderr or "passed on 1 host of hosts.json" in done.stderr
    assert "rack-recipes-demo/.rack-recipes/runs/" in done.stdout
    assert f"see also: cd rack-recipes-demo && {python.with_name('rack-recipes')} show; on your own" in done.stdout


def test_a_file_is_no_folder(project: Path):
    Path("demo").touch()
    done = rack_recipes("demo", "demo")
    assert (done.code, "expected a folder, or a new one" in done.stderr) == (2, True)
