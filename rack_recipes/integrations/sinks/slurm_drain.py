# SPDX-License-Identifier: GPL-3.0-or-later

"""Drain a node in Slurm by `scontrol`. A node that somebody has drained already keeps its reason."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass

from rack_recipes.errors import UsageError

SECONDS = 30.0
STATE = re.compile(r"\bState=(\S+)")
REASON = re.compile(r"\bReason=(.*?)(?:\s+\[[^\[\]]*@[^\[\]]*\])?\s*$", re.MULTILINE)
OUT = ("DRAIN", "DOWN", "FAIL")


@dataclass(frozen=True, slots=True)
class SlurmDrain:
    """`program` is scontrol, or another path of it."""

    program: str = "scontrol"
    name: str = "slurm"

    def plan(self, host: str, told: str) -> str:
        """The command line."""
        return shlex.join(self._words(host, told))

    def apply(self, host: str, told: str) -> str:
        """Drain the node, unless it is out of service. Raises UsageError where scontrol refuses it."""
        shown = self._run([self.program, "--oneliner", "show", "node", host])
        state, reason = STATE.search(shown), REASON.search(shown)
        if state and any(word in state[1] for word in OUT) and reason:
            return f"is {state[1]} already: {reason[1]}"
        self._run(self._words(host, told))
        return "drained"

    def undo(self, host: str, mark: str, *, is_dry: bool) -> str:
        """End the drain whose reason begins so. UNDRAIN leaves a node down that is down. Raises UsageError."""
        shown = self._run([self.program, "--oneliner", "show", "node", host])
        state, reason = STATE.search(shown), REASON.search(shown)
        if not state or "DRAIN" not in state[1] or not reason or not reason[1].startswith(mark):
            return ""
        words = [self.program, "update", f"NodeName={host}", "State=UNDRAIN"]
        if is_dry:
            return f"{shlex.join(words)} ({reason[1]})"
        self._run(words)
        return f"no longer drained ({reason[1]})"

    def _words(self, host: str, told: str) -> list[str]:
        return [self.program, "update", f"NodeName={host}", "State=DRAIN", f"Reason={told}"]

    def _run(self, words: list[str]) -> str:
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace",
                timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UsageError(f"{words[0]} did not end within {SECONDS:g} s") from None
        except OSError as error:
            raise UsageError(f"{words[0]} cannot be started: {error.strerror}") from None
        if done.returncode:
            raise UsageError(f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:] or f'code {done.returncode}'}")
        return done.stdout
