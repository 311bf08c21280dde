# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches of fakenos: a real SSH server with a prompt, which answers each command with a canned text.

`python canned_switches.py FILE` starts those of a JSON file, a mapping of names to `port` and `answers` (command ->
text), and prints a line once all of them listen. It ends with its stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

USER, PASSWORD = "admin", "canned-word"  # of all switches
SILENT = ("terminal length 0", "terminal width 512", "terminal width 511", "terminal dont-ask")


@contextmanager
def canned_switches(switches: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Switches that listen at 127.0.0.1 meanwhile; `folder` is for their files."""
    file = folder / "canned.json"
    file.write_text(json.dumps(switches), encoding="utf-8")
    with Popen([sys.executable, __file__, str(file)], stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield
        finally:
            process.kill()


def serve(switches: Mapping[str, Any]) -> None:
    """Start switches, and wait for the end of stdin."""
    from fakenos import FakeNOS
    from fakenos.core.nos import Nos

    hosts, systems = {}, []
    for name, switch in switches.items():
        hosts[name] = {"port": switch["port"], "username": USER, "password": PASSWORD, "nos": {"plugin": name}}
        systems.append(Nos(name=name, initial_prompt="{base_prompt}#", commands=_commands(switch["answers"])))
    net = FakeNOS(inventory={"default": {"server": {"plugin": "ParamikoSshServer"}}, "hosts": hosts}, plugins=systems)
    net.start()
    print("up", flush=True)
    sys.stdin.read()


def _commands(answers: Mapping[str, str]) -> dict[str, Any]:
    silent = {command: {"output": None, "help": "", "prompt": "{base_prompt}#"} for command in SILENT}
    told = {command: {"output": text, "help": "", "prompt": "{base_prompt}#"} for command, text in answers.items()}
    unknown = {"output": "% Invalid input", "help": ""}
    return {**silent, **told, "_default_": unknown}


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
