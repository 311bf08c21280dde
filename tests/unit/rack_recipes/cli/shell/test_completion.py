# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts, in the shells that this machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cli.shell.completion import SHELLS

PROGRAM = f"""#!{sys.executable}
from rack_recipes.cli.main import main
main()
"""
RECIPE = {"test_meta": {"test_id": "T"}, "params": {"vlan": {}}, "steps": [{"name": "prepare"}, {"name": "measure"}]}
# What is on the line -> what the shell offers.
CASES = [
    ("pl", ["plan"]),
    ("ctx ", ["diff", "export", "history", "show"]),
    ("run --resume", ["--resume", "--resume-from"]),
    ("run r.yml --only ", ["measure", "prepare"]),
    ("run r.yml --only prepare,m", ["prepare,measure"]),
    ("plan --format m", ["mermaid"]),
    ("plan r.", ["r.yml"]),
    ("validate rec", ["recipes/"]),
    ("validate recipes/", ["recipes/two words.yml"]),
    ("run r.yml --param-file not", ["notes.txt"]),
    ("run r.yml --param v", ["vlan="]),
    ("report --to rec", ["recipes/"]),
]


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "bin").mkdir()
    program = project / "bin/rack-recipes"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("HOME", str(project))
    (project / "recipes").mkdir()
    (project / "recipes/two words.yml").touch()
    (project / "recipes/readme.txt").touch()
    (project / "r.yml").write_text(json.dumps(RECIPE))
    (project / "notes.txt").touch()
    for shell in SHELLS:
        (project / f"complete.{shell}").write_text(call("completion", shell).out)


BASH = """
source complete.bash
COMP_WORDS=(rack-recipes {words}) COMP_CWORD={last}
_rack_recipes rack-recipes
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(("line", "found"), CASES)
def test_bash(line: str, found: list[str]):
    words = line.split(" ")
    script = BASH.format(words=" ".join(f"'{word}'" for word in words), last=len(words))
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, check=True, text=True, timeout=60)
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == [word.rstrip("/") for word in found]


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(("line", "found"), CASES)
def test_fish(line: str, found: list[str]):
    script = f"source complete.fish; complete --do-complete 'rack-recipes {line}'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, check=True, text=True, timeout=60)
    assert done.stderr == ""
    words = [word for offered in done.stdout.splitlines() if not (word := offered.partition("\t")[0]).startswith("?")]
    assert sorted({word.replace("\\ ", " ") for word in words}) == found


# What is typed before the tab key -> what stands on the line afterwards.
TYPED = [
    ("rack-recipes pl", "rack-recipes plan "),
    ("rack-recipes plan r.", "rack-recipes plan r.yml "),
    ("rack-recipes validate rec", "rack-recipes validate recipes/"),
    ("rack-recipes validate recipes/t", r"rack-recipes validate recipes/two\ words.yml "),
    ("rack-recipes run r.yml --only pr", "rack-recipes run r.yml --only prepare "),
    ("rack-recipes run r.yml --param v", "rack-recipes run r.yml --param vlan="),
    ("rack-recipes ctx h", "rack-recipes ctx history "),
    ("rack-recipes run --dry", "rack-recipes run --dry-run "),
]
SESSIONS = {
    "bash": ("bash", ["--norc", "--noprofile", "-i"], "source complete.bash"),
    "zsh": ("zsh", ["-f", "-i"], "unsetopt beep; autoload -Uz compinit && compinit -u -D; source complete.zsh"),
}


@pytest.mark.parametrize("shell", SESSIONS)
def test_the_tab_key(shell: str):
    program, arguments, setup = SESSIONS[shell]
    env = {"PATH": os.environ["PATH"], "HOME": str(Path.cwd()), "TERM": "dumb", "PS1": "$ "}
    with pexpect.spawn(program, arguments, env=env, encoding="utf-8", timeout=30, dimensions=(50, 200)) as session:
        session.sendline(f"{setup}; echo rea''dy")
        session.expect("ready")
        for typed, completed in TYPED:
            session.send(f"{typed}\t")
            session.expect_exact(completed)
            session.sendcontrol("u")
    session.close(force=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_are_printed(shell: str):
    text = Path(f"complete.{shell}").read_text()
    assert f"rack-recipes in {shell}" in text
    assert call("completion", shell, "--json").answer == {"status": "ok", "script": text}


def test_other_shells_have_none():
    done = call("completion", "tcsh")
    assert done.code == 2
    assert done.err.startswith("rack-recipes completion: argument shell: expected one of bash, zsh, fish, got 'tcsh'")
