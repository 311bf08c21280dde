# SPDX-License-Identifier: GPL-3.0-or-later

"""A test of twelve SSH hosts on many nights, and eight faults that are planted before the last of them.

A host has what its fault says in files of its home folder, which the scriptlets of the test read: the runs are real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ssh_hosts import Rack

COMMAND = Path(sys.executable).with_name("rack-recipes")
HOSTS, NIGHTS = 12, 10
LEAF, FEED = 4, 3  # hosts of one leaf; each third host hangs on power feed B
AWAY = "r10"
PLANTED: Mapping[str, Mapping[str, str]] = {
    "r05": {"link": "25"},
    "r06": {"link": "25", "power": "11.1"},
    "r07": {"link": "25"},
    **{host: {"power": "11.1"} for host in ("r03", "r09", "r12")},
    "r02": {"memory": "31"},
    "r11": {"heat": "93"},
    "r08": {"bios": "2.3"},
    "r01": {"disk": "gone"},
    "r04": {"clock": "late"},
}
NAMED: Mapping[str, str] = {
    "three links at a quarter of their speed": "25 instead of 100 Gbit/s",
    "a memory module that is missing": "31 instead of 32",
    "a hot processor": "93 degrees",
    "an old BIOS": "2.3",
    "a power feed that is low": "power feed B",
    "a tool that is missing": "smartctl: not found",
    "a host that is away": AWAY,
    "a clock that is right only at the second try": "clock",
}
"""What the page says of each fault."""
READ = 'planted() { cat "$HOME/planted/$1" 2>/dev/null || echo "$2"; }\n'
ENVELOPE = """printf '{"status": "ok", "outputs": {"%s": {"%s": %s}}}\\n' """
OK = """echo '{"status": "ok", "outputs": {}}'"""
DISK = f"""\
test -z "$(planted disk "")" || {{ echo "smartctl: not found" >&2; exit 127; }}
{OK}"""
CLOCK = f"""\
if [ "$(planted clock "")" = late ]; then
    echo read >"$HOME/planted/clock"
    echo '{{"status": "failed", "reason": "the clock is 4.2 s late"}}'
    exit 1
fi
{OK}"""
SCRIPTS: Mapping[str, tuple[str, str]] = {
    "memory": ("rack.memory_v1", f'{ENVELOPE} rack.memory_v1 modules "$(planted memory 32)"'),
    "bios": ("rack.bios_v1", f'{ENVELOPE} rack.bios_v1 version "\\"$(planted bios 2.4)\\""'),
    "link": ("rack.link_v1", f'{ENVELOPE} rack.link_v1 speed "$(planted link 100)"'),
    "power": ("rack.power_v1", f'{ENVELOPE} rack.power_v1 volts "$(planted power "12.0$(($$ % 9))")"'),
    "heat": ("rack.heat_v1", f'{ENVELOPE} rack.heat_v1 processor "$(planted heat $((61 + $$ % 7)))"'),
    "disk": ("", DISK),
    "clock": ("", CLOCK),
}
SUCCESS: Mapping[str, Any] = {
    "bios": {"values": [{"name": "version", "value": "${rack.bios_v1.version}", "eq": "2.4"}]},
    "link": {"values": [{"name": "speed", "value": "${rack.link_v1.speed}", "min": 10, "unit": "Gbit/s"}]},
    "memory": {"values": [{"name": "modules", "value": "${rack.memory_v1.modules}", "min": 16, "unit": "modules"}]},
    "power": {"values": [{"name": "rail", "value": "${rack.power_v1.volts}", "min": 11.4, "max": 12.6, "unit": "V"}]},
    "heat": {"values": [{"name": "processor", "value": "${rack.heat_v1.processor}", "max": 85, "unit": "degrees"}]},
}


def recipe() -> dict[str, Any]:
    """The recipe of the nights, with a parameter that somebody changes before the last one."""
    steps = [
        {"name": name, "type": "shell", "module": f"rack.{name}", "success": SUCCESS.get(name, "none"),
         **({"retry": {"max": 2, "delay_sec": 0}} if name == "clock" else {})}
        for name in SCRIPTS
    ]  # fmt: skip
    about = {"test_id": "night", "description": "What was tested each night", "labels": {"team": "fabric"}}
    return {"test_meta": about, "params": {"mtu": {"type": "int", "default": 9000}}, "steps": steps}


def write_project(project: Path) -> None:
    """The recipe, its scriptlets, and what the inventory says of the hosts."""
    folder = project / "scriptlets" / "rack"
    folder.mkdir(parents=True)
    for name, (writes, script) in SCRIPTS.items():
        (folder / f"{name}.sh").write_text(f"#!/bin/sh\n{READ}{script}\n")
        (folder / f"{name}.yml").write_text(f"description: The {name} of a server.\nwrites: [{writes}]\n")
    (project / "night.yml").write_text(json.dumps(recipe()))
    hosts = {
        f"r{number + 1:02}": {
            "rack": f"A{number // 6 + 1}", "position": 2 * (number % 6) + 2, "leaf": f"leaf{number // LEAF + 1}",
            "power_feed": "AB"[number % FEED == FEED - 1], "model": "X9",
        }
        for number in range(HOSTS)
    }  # fmt: skip
    (project / "places.yml").write_text(json.dumps({"all": {"hosts": hosts}}))


def run(project: Path, rack: Rack, *options: str) -> dict[str, Any]:
    """Run the recipe on all hosts; returns the answer."""
    command: list[str | Path] = [COMMAND, "run", "night.yml", "-i", rack.inventory, "-i", "places.yml", *options]
    environment = {**os.environ, "ANSIBLE_CALLBACKS_ENABLED": "rack.recipes.recorder"}
    done = subprocess.run(command, cwd=project, env=environment, stdout=subprocess.PIPE, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def write_report(project: Path, nights: int = NIGHTS, say: Callable[[str], object] = print) -> Path:
    """Run the nights in a folder, with the faults in the last one; returns the page of that one."""
    write_project(project)
    with Rack(HOSTS) as rack:
        for number in range(nights):
            say(f"night {number + 1}: {run(project, rack)['status']}")
        for host, files in PLANTED.items():
            folder = rack.folder / host / "planted"
            folder.mkdir()
            for name, value in files.items():
                (folder / name).write_text(f"{value}\n")
        rack.kill(AWAY)
        answer = run(project, rack, "--param", "mtu=1500", "--report")
    page: str = next(path for path in answer["report"] if path.endswith("report.html"))
    return project / page
