# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step's child does, by kind of scriptlet: run a Python class, become a script or a native program."""

from __future__ import annotations

import json
import os
import re

from ansible_collections.rack.recipes.plugins.module_utils.executor import child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn, Union

    from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
    from ansible_collections.rack.recipes.plugins.module_utils.view import View

    # A program to start, with its environment; or what a fork of the executor is to do.
    Program = Union[tuple[list[str], dict[str, str]], Callable[[child.Emit], NoReturn]]

VARIABLE = re.compile(r"[A-Za-z0-9_]+")
LONGEST = 100_000  # bytes of one variable; the kernel refuses to start a program with one of 128 KiB


class Launcher:
    """Knows where a stage's files are: `work` holds them, `cache` the programs compiled on this host."""

    def __init__(self, run: str, host: str, work: str, cache: str) -> None:
        self.run = run
        self.host = host
        self.work = work
        self.cache = cache
        self._base = {**os.environ, "RACK_RUN": run, "RACK_HOST": host}
        self._interpreters: dict[str, list[str]] = {}

    def program(self, step: dict[str, Any], ctx: View, params: dict[str, Any]) -> Program:
        """What the child is to become. Raises OSError where a file of the stage is missing."""
        return KINDS[step["kind"]](self, step, ctx, params)

    def stdin(self, step: dict[str, Any], ctx: View, params: dict[str, Any]) -> bytes:
        """What a script or program reads: parameters and the context that it declares to read."""
        if step["kind"] == "python":
            return b""
        keys = ctx.keys() if step.get("reads") is None else step["reads"]
        context = {key: ctx.get(key) for key in keys if key in ctx}
        given = {"params": params, "context": context, "run": self.run, "step": step["name"], "host": self.host}
        return json.dumps(given, allow_nan=False).encode() + b"\n"

    def _python(self, step: dict[str, Any], ctx: View, params: dict[str, Any]) -> Program:
        load = _loader(step)

        def program(emit: child.Emit) -> NoReturn:
            ctx.send_to(emit)
            child.run_class(load, ctx, params, emit)

        return program

    def _script(self, step: dict[str, Any], _ctx: View, params: dict[str, Any]) -> Program:
        path = os.path.join(self.work, step["file"])
        if path not in self._interpreters:
            self._interpreters[path] = _interpreter(path)
        return [*self._interpreters[path], path], self._environment(step, params)

    def _native(self, step: dict[str, Any], _ctx: View, params: dict[str, Any]) -> Program:
        from ansible_collections.rack.recipes.plugins.module_utils.executor.native import run_native

        source = os.path.join(self.work, step["file"])
        os.stat(source)
        program = os.path.join(self.cache, f"{step['digest'].replace(':', '-')}-{os.uname().machine}")
        flags = step.get("flags") or []
        return lambda _emit: run_native(source, program, flags, self._environment(step, params))

    def _environment(self, step: dict[str, Any], params: dict[str, Any]) -> dict[str, str]:
        """The executor's own and the parameters, but for long ones and for secrets, which others here could see.

        Those are on stdin alone.
        """
        env = {**self._base, "RACK_STEP": step["name"]}
        options = step.get("options") or {}
        for name, value in params.items():
            if value is None or not VARIABLE.fullmatch(name) or _has_secret(options.get(name, {})):
                continue
            text = value if isinstance(value, str) else json.dumps(value)
            if len(text.encode("utf-8", "replace")) <= LONGEST:
                env[f"RACK_PARAM_{name.upper()}"] = text.replace("\0", "")
        return env


def _interpreter(script: str) -> list[str]:
    """What runs a script, to be called by name: the script's folder may be mounted noexec."""
    with open(script, "rb") as file:
        first = file.readline(256)
    if not first.startswith(b"#!"):
        return ["awk", "-f"] if script.endswith(".awk") else ["/bin/sh"]
    return [part.strip() for part in first[2:].decode("utf-8", "replace").split(None, 1)] or ["/bin/sh"]


def _has_secret(spec: dict[str, Any]) -> bool:
    return bool(spec.get("no_log")) or any(map(_has_secret, (spec.get("options") or {}).values()))


def _loader(step: dict[str, Any]) -> Callable[[], type[Scriptlet]]:
    if "class" in step:
        return lambda: step["class"]
    if step["module"].startswith("scriptlets."):  # a drop-in: the first proposal's import lines work in it
        from ansible_collections.rack.recipes.plugins.module_utils import seed

        seed.install()
    return lambda: child.load_class(step["module"], step["function"])


KINDS: dict[str, Callable[[Launcher, dict[str, Any], View, dict[str, Any]], Program]] = {
    "python": Launcher._python,
    "shell": Launcher._script,
    "native": Launcher._native,
}
