# SPDX-License-Identifier: GPL-3.0-or-later

"""Call the command rack-recipes as users do, and read the results from the store."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

CHECKOUT = Path(__file__).parents[2]
COMMAND = "from rack_recipes.cli.main import main; main()"
TIMEOUT = 300
# Commands that are called in this process: the start of one of their own takes longer than most of them do. Ansible is
# a process of its own in any case. Not those that ask it here: it reads the settings of one project for good.
HERE = {
    *(
        "analyse",
        "baseline",
        "compile",
        "coverage",
        "ctx",
        "db",
        "diff",
        "export",
        "finish",
        "flush",
        "learn",
        "mutate",
    ),
    *("plan", "prune", "rejudge", "report", "run", "runs", "show", "token", "trend", "validate", "verify", "waivers"),
}
ASKS_ANSIBLE_HERE = {"--locked", "-k", "-K", "--ask-pass", "--ask-become-pass"}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}  # a host that is this machine
SUCCESS = {"ok": {"ctx_has_keys": ["t.ok_v1"]}}  # a run in which nothing is checked does not pass


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@dataclass(frozen=True)
class Results:
    """The results of a run in the store: steps by (step, host), context by (key, host)."""

    run: dict[str, Any]
    steps: dict[tuple[str, str], dict[str, Any]]
    context: dict[tuple[str, str], Any]
    measurements: list[tuple[Any, ...]]

    def verdicts(self) -> dict[tuple[str, str], str]:
        """The verdict of each (step, host)."""
        return {place: step["verdict"] for place, step in self.steps.items()}

    def span(self, step: str, host: str) -> tuple[float, float]:
        """When the last try of a step began and ended, in seconds."""
        row = self.steps[step, host]
        begun = datetime.fromisoformat(str(row["started"])).timestamp()
        return begun, begun + row["seconds"]


def environment(**env: object) -> dict[str, str]:
    """The environment with the interpreter's own scripts first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **{name: str(value) for name, value in env.items()}}


def call(*command: object, **env: object) -> Done:
    """Run a command in the current folder to its end."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        env=environment(**env),
    )
    return Done(done.returncode, done.stdout, done.stderr)


def rack_recipes(*arguments: object, **env: object) -> Done:
    """The command `rack-recipes`; what it prints, and how it ends."""
    words = [str(word) for word in arguments]
    asks_ansible = ASKS_ANSIBLE_HERE.intersection(words) or Path("library").is_dir()
    is_here = words[:1] and words[0] in HERE and not asks_ansible
    has_own_python = any(name.startswith("PYTHON") for name in env)
    if is_here and not has_own_python and threading.current_thread() is threading.main_thread():
        return _call_here(words, environment(**env))
    return call(sys.executable, "-c", COMMAND, *words, **env)


def _call_here(words: Sequence[str], env: Mapping[str, str]) -> Done:
    """Call a command as its program does."""
    from rack_recipes.cli.main import main

    code: object = 0
    with ExitStack() as stack:
        out, err = (stack.enter_context(_written_to(number)) for number in (1, 2))
        stack.enter_context(patch.dict(os.environ, env))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # as Python does outside of tests
        try:
            main(words)
        except SystemExit as ended:
            code = ended.code
        stdout, stderr = (os.pread(stream.fileno(), os.fstat(stream.fileno()).st_size, 0) for stream in (out, err))
    return Done(int(str(code or 0)), stdout.decode(), stderr.decode())


@contextmanager
def _written_to(number: int) -> Iterator[io.TextIOWrapper]:
    """A file that meanwhile stands for stdout or stderr, also of what the command starts."""
    before = os.dup(number)
    with tempfile.TemporaryFile(buffering=0) as file:
        os.dup2(file.fileno(), number)
        try:
            yield io.TextIOWrapper(file, "utf-8", write_through=True)
        finally:
            os.dup2(before, number)
            os.close(before)


@dataclass(frozen=True)
class Run(Done):
    """How `rack-recipes run` ended, in the project of the current folder."""

    @property
    def run_id(self) -> str:
        """The run's name."""
        return str(self.answer["run_id"])

    @property
    def results(self) -> Results:
        """The results of this run."""
        return results(self.run_id)

    @property
    def journal(self) -> Path:
        """The file of its records."""
        return Path(".rack-recipes/runs", self.run_id, "journal.jsonl")


def run_recipe(
    recipe: str | Path | Sequence[dict[str, Any]],
    *options: object,
    on: Any = None,
    hosts: str | Iterable[str] = (),
    **env: object,
) -> Run:
    """Run a recipe, or these steps: here, on an inventory file, or on some or all SSH hosts of a rack."""
    file = recipe if isinstance(recipe, str | Path) else write_recipe(recipe)
    inventory = () if on is None else ("-i", getattr(on, "inventory", on))
    limit = ("--limit", hosts if isinstance(hosts, str) else ",".join(hosts)) if hosts else ()
    done = rack_recipes("run", file, *inventory, *limit, *options, **env)
    return Run(done.code, done.stdout, done.stderr)


def called_here(*words: str, **env: object) -> tuple[Any, int]:
    """The answer and the exit code of a command that only looks, or that a test is not about. Starts no process."""
    from rack_recipes.cli.command_table import parse_command_line

    with patch.dict(os.environ, {name: str(value) for name, value in env.items()}):
        command, options = parse_command_line(words)
        return command(options)


def answer(*words: str, **env: object) -> dict[str, Any]:
    """The answer of a command with --json, which ends well. No process is started."""
    found, code = called_here(*words, "--json", **env)
    assert code == 0, found
    answered: dict[str, Any] = json.loads(json.dumps(found))
    return answered


def results(run_id: str = "", **env: object) -> Results:
    """The results of a run, of the newest by default, as `rack-recipes show` gives them."""
    found = answer("show", *filter(None, [run_id]), **env)
    columns = ("step", "host", "name", "value", "unit")
    return Results(
        found["run"],
        {(step["step"], step["host"]): step for step in found["steps"]},
        {(entry["key"], entry["host"]): entry["value"] for entry in found["context"]},
        [tuple(row[name] for name in columns) for row in found["measurements"]],
    )


def write_recipe(steps: Sequence[dict[str, Any]], name: str = "recipe.yml") -> str:
    """Write a recipe of these steps into the current folder. A step without `success` gets `success: none`."""
    recipe = {"test_meta": {"test_id": "T-1"}, "steps": [{"success": "none", **step} for step in steps]}
    Path(name).write_text(json.dumps(recipe), encoding="utf-8")
    return name


def write_inventory(hosts: Mapping[str, Any], name: str = "inventory.yml") -> str:
    """Write an inventory of hosts with their variables into the current folder."""
    Path(name).write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    return name


def write_scriptlet(name: str, script: str, sidecar: str = "", folder: Path | str = "scriptlets") -> Path:
    """Write a scriptlet such as `t.wait` into a folder: a shell script with its sidecar, else a Python class."""
    path = Path(folder, *name.split(".")).with_suffix(".sh" if sidecar else ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    if sidecar:
        path.with_suffix(".yml").write_text(sidecar, encoding="utf-8")
    return path


def shell(name: str, script: str = "", **fields: Any) -> dict[str, Any]:
    """A step that runs the test's script `t.<script>`, by default the one of its own name."""
    script = script or name
    success = {"success": SUCCESS[script]} if script in SUCCESS else {}
    return {"name": name, "type": "shell", "module": f"t.{script}", **success, **fields}
