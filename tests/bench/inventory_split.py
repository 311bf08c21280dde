# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what Ansible needs to read a large inventory, and what `run --across` saves by splitting it first.

    python tests/bench/inventory_split.py [--hosts 1000,5000,10000] [--parts 10] [--rounds 3] [--write]

The inventory is YAML: racks of 40 hosts, each a group with variables, and six variables for each host. Each figure is
that of a process of its own. With `--write` they go into docs/inventory.json, which the page of the fleet benchmark
shows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections

RACK = 40  # hosts
PLAY = [{"hosts": "all", "gather_facts": False, "tasks": []}]
READ = ("-m", "ansible", "playbook", "play.yml", "--list-hosts", "-i")  # Ansible reads the inventory and runs nothing
SPLIT = """
import json, sys
from rack_recipes.cli.inventory_hosts import asking_for_hosts
from rack_recipes.integrations.across.controllers_file import Controller, Controllers
from rack_recipes.integrations.across.split_inventory import part_inventory, split_hosts
file = Controllers("", tuple(Controller(str(number), ()) for number in range(int(sys.argv[2]))), "rack")
with asking_for_hosts([sys.argv[1]], None, ["all"], ["rack"], inventory=True) as answer:
    found = answer()
hosts = found.of("all")
for part in split_hosts(file, hosts, found.variables, found.hosts, found.inventory):
    inventory = part_inventory(found.inventory, {*hosts} - {*part.hosts})
    with open(f"part-{part.controller.name}.json", "w") as out:
        json.dump(inventory, out)
"""


def inventory(hosts: int) -> str:
    """An inventory in YAML of JSON's kind, one line a host."""
    lines = ["all:", "  vars: {ansible_user: rack}", "  children:"]
    for rack in range(-(-hosts // RACK)):
        lines += [f"    rack{rack}:", f"      vars: {{rack: rack{rack}, power_feed: feed{rack % 2}}}", "      hosts:"]
        for host in range(rack * RACK, min(hosts, (rack + 1) * RACK)):
            about = {"ansible_host": f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}", "position": host % RACK}
            about |= {"serial_number": f"SN{host:08}", "model": "X1", "vendor": "acme", "leaf": f"leaf{rack % 8}"}
            lines.append(f"        n{host:05}: {json.dumps(about)}")
    return "\n".join(lines) + "\n"


def used(*words: str) -> tuple[float, float]:
    """The CPU seconds of a process and its children, and the most memory that one of them had, in MiB."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read() if process.stderr else ""
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stderr:
        process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{words}: {said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measured(sizes: Sequence[int], parts: int, rounds: int) -> dict[str, Any]:
    """The figures: by number of hosts, the medians of CPU and memory of each way."""
    about = stored_sections.about(rounds=rounds, parts=parts)
    with tempfile.TemporaryDirectory(prefix="inventory-") as folder:
        os.chdir(folder)
        Path("play.yml").write_text(json.dumps(PLAY))
        rows = [[hosts, name, *figures] for hosts in sizes for name, *figures in compared(hosts, parts, rounds)]
        os.chdir("/")
    return {**about, "rows": rows}


def compared(hosts: int, parts: int, rounds: int) -> Iterator[tuple[str, float, float]]:
    """Each way, its CPU seconds and its memory in MiB."""
    Path("whole.yml").write_text(inventory(hosts))
    ways = {
        "whole": (*READ, "whole.yml"),
        "split": ("-c", SPLIT, "whole.yml", str(parts)),
        "part": (*READ, "part-0.json"),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _round in range(rounds):
        for name, words in ways.items():
            runs[name].append(used(*words))
    for name, figures in runs.items():
        cpu, memory = zip(*figures, strict=True)
        yield name, round(statistics.median(cpu), 2), round(statistics.median(memory), 1)


def main() -> None:
    """Measure, print the figures, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=lambda text: [*map(int, text.split(","))], default=[1000, 5000, 10000])
    parser.add_argument("--parts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    stored_sections.show("inventory", measured(options.hosts, options.parts, options.rounds), write=options.write)


if __name__ == "__main__":
    main()
