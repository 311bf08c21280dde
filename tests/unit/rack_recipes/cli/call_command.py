# SPDX-License-Identifier: GPL-3.0-or-later

"""The command, called in this process."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rack_recipes.cli.main import main

SCRIPTS = {
    "ok": 'echo \'{"status": "ok", "outputs": {"t.ok_v1": 1}}\'',
    "fail": "echo '2026-11-25T14:44:31Z WARNING shell [- - -] the fan is \\033slow' >&2\n"
    'echo \'{"status": "failed", "reason": "the link \\u001b[31mis down"}\'',
    "say": 'echo "{\\"status\\": \\"ok\\", \\"outputs\\": {\\"t.said_v1\\": \\"$RACK_PARAM_TEXT\\"}}"',
}
PARAMS = {"vlan": {"type": "int", "default": 12, "min": 1, "max": 4094}, "name": {"type": "str"}}


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one JSON object on stdout."""
        assert self.out.endswith("}\n")
        return json.loads(self.out)


def call(*arguments: str) -> Done:
    """Call the command as the shell would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape") for _stream in range(2))
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return Done(code, *map(_written, (out, err)))


def _written(stream: io.TextIOWrapper) -> str:
    """What a stream has; Ansible looks for the bytes behind a stream, and warns where there are none."""
    stream.flush()
    return stream.buffer.getvalue().decode(errors="surrogateescape")  # type: ignore[attr-defined,no-any-return]


def runs_made_in(folder: Path, make: Callable[[], object]) -> Path:
    """What a project has of its runs after `make` was called in this folder."""
    with chdir(folder):
        make()
    return folder / ".rack-recipes"


def forget_settings(patch: pytest.MonkeyPatch) -> None:
    """Remove the variables by which people set something for us or for Ansible."""
    for name in [name for name in os.environ if name.startswith(("RACK_RECIPES_", "ANSIBLE_"))]:
        patch.delenv(name)


def make_project(folder: Path) -> None:
    """Scriptlets, and recipes of them: one that passes, one that does not, and a faulty one."""
    (folder / "scriptlets/t").mkdir(parents=True)
    for name, line in SCRIPTS.items():
        (folder / f"scriptlets/t/{name}.sh").write_text(f"#!/bin/sh\n{line}\n")
        (folder / f"scriptlets/t/{name}.yml").write_text(
            f"description: Says {name}\nreads: []\nwrites: [t.{name}_v1]\n"
        )
    ok = {"name": "ok_step", "type": "shell", "module": "t.ok", "success": {"ctx_has_keys": ["t.ok_v1"]}}
    fail = {"name": "fail_step", "type": "shell", "module": "t.fail", "success": "none"}
    say = {"name": "say_step", "type": "shell", "module": "t.say", "args": {"text": "${params.name} ${params.vlan}"}}
    asks = {
        "params": PARAMS,
        "steps": [{**say, "success": {"ctx_has_keys": ["t.said_v1"]}}, {**ok, "depends_on": ["say_step"]}],
    }
    (folder / "asks.yml").write_text(json.dumps({"test_meta": {"test_id": "ASKS"}, **asks}))
    secret = {"params": {**PARAMS, "password": {"type": "str", "secret": True}}, "steps": asks["steps"]}
    (folder / "secret.yml").write_text(json.dumps({"test_meta": {"test_id": "SECRET"}, **secret}))
    for name, steps in (
        ("good", [ok]),
        ("bad", [ok, fail]),
        ("faulty", [{"name": "ok_step", "type": "shell", "module": "t.okk", "args": {"src": "x"}}]),
    ):
        (folder / f"{name}.yml").write_text(json.dumps({"test_meta": {"test_id": name.upper()}, "steps": steps}))
