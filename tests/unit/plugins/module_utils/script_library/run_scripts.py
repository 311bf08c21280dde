# SPDX-License-Identifier: GPL-3.0-or-later

"""Run scripts with the library as the executor does, by several shells and awks."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[5] / "plugins/module_utils/script_library"
SHELLS = ("dash", "bash --posix", "busybox sh", "bash")
AWKS = ("mawk", "gawk", "busybox awk")
PAIRS = [*zip(SHELLS, (*AWKS, "mawk"))]  # each shell and each awk at least once


@dataclass(frozen=True)
class Ended:
    """How a script ended: its envelope, None where it printed none, and all that it printed."""

    envelope: dict[str, Any] | None
    stdout: str
    stderr: str
    code: int

    @property
    def said(self) -> tuple[str, str]:
        """Status and reason."""
        assert self.envelope, self.stdout + self.stderr
        return self.envelope["status"], self.envelope.get("reason", "")

    @property
    def outputs(self) -> dict[str, Any]:
        """The keys of the context that it has set."""
        assert self.envelope, self.stdout + self.stderr
        found: dict[str, Any] = self.envelope.get("outputs", {})
        return found


class Scripts:
    """Runs scripts in `folder` by one shell and one awk."""

    def __init__(self, folder: Path, shell: str, awk: str) -> None:
        self.folder = folder
        self.shell = shell.split()
        self.awk = awk.split()
        self.given: dict[str, Any] = {"params": {}, "context": {}}
        self.env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        (folder / "bin").mkdir()
        command = folder / "bin" / "awk"
        command.write_text(f'#!/bin/sh\nexec {awk} "$@"\n')
        command.chmod(0o700)

    def sh(self, text: str, *words: bytes | str, **env: bytes | str) -> Ended:
        """Run a shell script with these arguments."""
        script = self.folder / "script.sh"
        script.write_text(f'. "$RACK_SH"\n{text}\n')
        return self._run([*self.shell, str(script), *words], env)

    def of_awk(self, text: str, **env: bytes | str) -> Ended:
        """Run an awk script."""
        script = self.folder / "script.awk"
        script.write_text(text)
        return self._run([*self.awk, "-f", str(script), "-f", str(LIBRARY / "rack.awk")], env)

    def _run(self, words: list[Any], env: dict[str, Any]) -> Ended:
        (self.folder / "in.json").write_text(json.dumps(self.given))
        around = {**self.env, "RACK_IN": str(self.folder / "in.json"), **env}
        command = ["sh", str(LIBRARY / "envelope.sh"), *words]
        done = subprocess.run(
            command, cwd=self.folder, env=around, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
        )
        return ended(done)


def ended(done: subprocess.CompletedProcess[bytes]) -> Ended:
    """What a finished process says."""
    lines = done.stdout.rstrip().splitlines()
    envelope = json.loads(lines[-1]) if lines and lines[-1].startswith(b'{"status"') else None
    printed = (done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    return Ended(envelope, *printed, done.returncode)
