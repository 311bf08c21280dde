# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step's child becomes, by kind of scriptlet: a Python class, a script, a native program."""

from __future__ import annotations

import json
import os

from ansible_collections.rack.recipes.plugins.module_utils.executor import child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
    from ansible_collections.rack.recipes.plugins.module_utils.view import View

    Become = Callable[[child.Emit], None]

# Compiled once per digest; a rename makes it safe for several hosts that are one machine.
COMPILE = """
program=$1 source=$2; shift 2
if [ ! -x "$program" ]; then
  for cc in "${CC:-}" cc gcc clang; do [ -n "$cc" ] && command -v "$cc" >/dev/null 2>&1 && break; cc=; done
  [ -n "$cc" ] || { echo '{"status":"error","reason":"no C compiler (cc, gcc, clang) on this host"}'; exit 1; }
  "$cc" -o "$program.$$" "$source" "$@" </dev/null >&2 && mv "$program.$$" "$program" ||
    { rm -f "$program.$$"; echo '{"status":"error","reason":"the C source does not compile, see stderr"}'; exit 1; }
fi
exec "$program"
"""


class Launcher:
    """Knows where a stage's files are: `work` holds them, `cache` the programs compiled on this host."""

    def __init__(self, run: str, host: str, work: str, cache: str) -> None:
        self.run = run
        self.host = host
        self.work = work
        self.cache = cache

    def become(self, step: dict[str, Any], ctx: View, params: dict[str, Any]) -> Become:
        """A function for the child that becomes the step's program."""
        if step["kind"] == "python":
            return self._python(step, ctx, params)
        argv = KINDS[step["kind"]](self, step)
        env = dict(os.environ, **self._environment(step, params))
        return lambda _emit: child.become(argv, env)

    def _python(self, step: dict[str, Any], ctx: View, params: dict[str, Any]) -> Become:
        def become(emit: child.Emit) -> None:
            ctx.send_to(emit)
            child.run_class(lambda: _class_of(step), ctx, params, emit)

        return become

    def stdin(self, step: dict[str, Any], ctx: View, params: dict[str, Any]) -> bytes:
        """What a script or program reads: parameters and the context that it declares to read."""
        if step["kind"] == "python":
            return b""
        reads = step.get("reads")
        keys = ctx.keys() if reads is None else reads
        context = {key: ctx.get(key) for key in keys}
        given = {"params": params, "context": context, "run": self.run, "step": step["name"], "host": self.host}
        return json.dumps(given).encode() + b"\n"

    def _environment(self, step: dict[str, Any], params: dict[str, Any]) -> dict[str, str]:
        env = {"RACK_RUN": self.run, "RACK_STEP": step["name"], "RACK_HOST": self.host}
        for name, value in params.items():
            if value is not None:
                env["RACK_PARAM_" + name.upper()] = value if isinstance(value, str) else json.dumps(value)
        return {name: value.replace("\0", "") for name, value in env.items()}

    def _script(self, step: dict[str, Any]) -> list[str]:
        """The interpreter is called by name: the folder may be mounted noexec."""
        path = os.path.join(self.work, step["file"])
        with open(path, "rb") as script:
            first = script.readline(256)
        interpreter = first[2:].decode("utf-8", "replace").split(None, 1) if first.startswith(b"#!") else ["/bin/sh"]
        return [part.strip() for part in interpreter] + [path]

    def _native(self, step: dict[str, Any]) -> list[str]:
        source = os.path.join(self.work, step["file"])
        if not source.endswith(".c"):
            os.chmod(source, 0o700)
            return [source]
        program = os.path.join(self.cache, step["digest"].replace(":", "-"))
        return ["/bin/sh", "-c", COMPILE, "sh", program, source, *step.get("flags", ())]


def _class_of(step: dict[str, Any]) -> type[Scriptlet]:
    return step["class"] if "class" in step else child.load_class(step["module"], step["function"])


KINDS: dict[str, Callable[[Launcher, dict[str, Any]], list[str]]] = {
    "shell": Launcher._script,
    "native": Launcher._native,
}
