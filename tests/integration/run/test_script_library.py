# SPDX-License-Identifier: GPL-3.0-or-later

"""Scriptlets in shell, awk and C, with the library, on SSH hosts: directly, delegated, and as another user."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import rack_recipes, results, run_recipe
from service_supervisor import user

TEXT = "a \"b\" \\ $HOME 'c'\n  é;"
SECRET = {"pin": "hush-hush"}
SEED = {"name": "seed", "type": "shell", "module": "lib.seed", "success": "none"}
LANGUAGES = ("shell", "awk", "c")


def step(language: str, **more: Any) -> dict[str, Any]:
    args = {"text": TEXT, "celsius": 85.5, **({} if language == "c" else SECRET)}
    kind = "native" if language == "c" else "shell"
    made = {"name": language, "type": kind, "module": f"lib.in_{language}", "args": args, "parallel": True}
    return {**made, "depends_on": ["seed"], **more}


def ran(rack: Any, hosts: str, *steps: dict[str, Any]) -> Any:
    """The results of these steps."""
    recipe = {"test_meta": {"test_id": "LIBRARY-1"}, "hosts": hosts, "steps": steps}
    Path("library.yml").write_text(json.dumps(recipe))
    done = run_recipe("library.yml", "-i", "devices.yml", on=rack)
    found = results()
    assert done.code == 0, [row["reason"] for row in found.steps.values()]
    return found


def holds(found: Any, host: str, name: str, user: str, language: str = "") -> None:
    """Whether a step has recorded all that it was to record."""
    language = language or name
    row = found.steps[name, host]
    assert (row["verdict"], row["reason"]) == ("marginal", "heat: warn: 85.5 C is above max 80 C")
    assert f"{user} has ********" in row["stderr"]
    told = found.context[f"lib.{language}_v1", host]
    assert told == {"text": TEXT, **({} if language == "c" else {"seed": 'a "b" \\ é', "next": 42})}
    kept = {
        each["name"]: Path(".rack-recipes", "runs", found.run["run_id"], each["path"])
        for each in json.loads(rack_recipes("show", "--json").stdout)["artifacts"]
        if (each["step"], each["host"]) == (name, host)
    }
    assert kept["note.txt"].read_text(encoding="utf-8") == TEXT
    assert set(kept) == {"note.txt", *(["ostype"] if language == "shell" else [])}


@pytest.fixture(autouse=True)
def _devices(project: Path, rack: Any) -> None:
    """A device that r01 is asked about, which has the oldest Python; and a name of r02 with the system's own Python."""
    shutil.copytree(Path(__file__).parent / "cases" / "library" / "scriptlets", project / "scriptlets")
    system = {**rack.variables("r02"), "ansible_python_interpreter": "/usr/bin/python3"}
    inventory = {"rack": {"hosts": {"system": system}}, "devices": {"hosts": {"bmc": {"ansible_host": "192.0.2.1"}}}}
    Path("devices.yml").write_text(json.dumps(inventory))


def test_on_the_host_itself(rack: Any):
    found = ran(rack, "r01", SEED, *map(step, LANGUAGES))
    for language in LANGUAGES:
        holds(found, "r01", language, user())
    kept = [path.read_bytes() for path in Path(".rack-recipes").rglob("*") if path.is_file()]
    assert not any(b"hush-hush-made" in content for content in kept)


@pytest.mark.skipif(bool(os.geteuid()), reason="becomes another user, which only root may without a password")
def test_delegated_and_as_another_user(rack: Any):
    delegated = {"delegate_to": "r01", "become": True}
    other = [
        step(language, name=f"{language}_nobody", delegate_to="system", become="nobody", depends_on=["seed", language])
        for language in LANGUAGES
    ]
    seed = {**SEED, "delegate_to": "r01"}
    found = ran(rack, "devices", seed, *(step(language, **delegated) for language in LANGUAGES), *other)
    for language in LANGUAGES:
        holds(found, "bmc", language, "root")
        assert found.steps[language, "bmc"]["through"] == "r01"
        holds(found, "bmc", f"{language}_nobody", "nobody", language)
        assert found.steps[f"{language}_nobody", "bmc"]["through"] == "system"
