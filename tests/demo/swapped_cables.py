# SPDX-License-Identifier: GPL-3.0-or-later

"""A test of the cabling of eight SSH hosts behind three leaves, once as planned, once with two cables swapped.

A host reads from a file in its home folder where its cable is: the runs are real, the cables are not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssh_hosts import Rack

COMMAND = Path(sys.executable).with_name("rack-recipes")
LEAVES: Mapping[str, tuple[str, ...]] = {
    "leaf1": ("r01", "r02", "r03"),
    "leaf2": ("r04", "r05", "r06"),
    "leaf3": ("r07", "r08"),
}
SWAPPED: Mapping[str, tuple[str, str]] = {"r03": ("leaf2", "swp2"), "r05": ("leaf1", "swp3")}
NAMED: Mapping[str, str] = {"two swapped cables": "r03 eth1 and r05 eth1 are swapped"}
CABLING = """\
#!/bin/sh
read -r leaf port peer seen <"$HOME/cable"
printf '{"status": "ok", "outputs": {"links.cabling_v1": {"eth1": {'
printf '"expected_peer": "%s", "expected_port": "%s", ' "$leaf" "$port"
printf '"peer": "%s", "peer_port": "%s"}}}}\\n' "$peer" "$seen"
"""
ANSWER = """#!/bin/sh
echo '{"status": "ok", "outputs": {}}'
"""
PLACE = {"name": "place", "value": "${links.cabling_v1.eth1.peer} ${links.cabling_v1.eth1.peer_port}",
         "eq": "${links.cabling_v1.eth1.expected_peer} ${links.cabling_v1.eth1.expected_port}"}  # fmt: skip
RECIPE = {
    "test_meta": {
        "test_id": "rack-cabling", "description": "Whether each server hangs on the port that the plan names",
        "labels": {"team": "fabric"},
    },
    "steps": [
        {"name": "cabling", "type": "shell", "module": "rack.cabling", "success": {"values": [PLACE]}},
        {"name": "inventory", "type": "shell", "module": "rack.inventory", "success": "none"},
    ],
}  # fmt: skip


def planned() -> dict[str, tuple[str, str]]:
    """The leaf and the port of each host."""
    return {host: (leaf, f"swp{port}") for leaf, hosts in LEAVES.items() for port, host in enumerate(hosts, 1)}


def write_project(project: Path) -> None:
    """The recipe, its scriptlets, and what the inventory says of the hosts."""
    folder = project / "scriptlets" / "rack"
    folder.mkdir(parents=True)
    for name, script, writes in (("cabling", CABLING, "[links.cabling_v1]"), ("inventory", ANSWER, "[]")):
        (folder / f"{name}.sh").write_text(script)
        (folder / f"{name}.yml").write_text(f"description: The {name} of a server.\nwrites: {writes}\n")
    (project / "recipe.yml").write_text(json.dumps(RECIPE))
    hosts = {
        host: {"position": 2 * (number % 4) + 2, "rack": f"A{number // 4 + 1}", "leaf": planned()[host][0]}
        for number, host in enumerate(planned())
    }
    (project / "places.yml").write_text(json.dumps({"all": {"hosts": hosts}}))


def run(project: Path, rack: Rack, seen: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Plug the cables in, and run the recipe; returns the answer."""
    for host, place in planned().items():
        (rack.folder / host / "cable").write_text(" ".join((*place, *seen.get(host, place))) + "\n")
    command: list[str | Path] = [COMMAND, "run", "recipe.yml", "-i", rack.inventory, "-i", "places.yml", "--report"]
    environment = {**os.environ, "ANSIBLE_CALLBACKS_ENABLED": "rack.recipes.recorder"}
    done = subprocess.run(command, cwd=project, env=environment, stdout=subprocess.PIPE, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def write_report(project: Path) -> Path:
    """Run the recipe in a folder as planned, and with swapped cables; returns the page of the second run."""
    write_project(project)
    with Rack(len(planned())) as rack:
        run(project, rack, {})
        answer = run(project, rack, SWAPPED)
    files: list[str] = answer["report"]
    return project / next(path for path in files if path.endswith("report.html"))
