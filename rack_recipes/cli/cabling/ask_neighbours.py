# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the hosts of an inventory for their neighbours: one step of an ordinary run, with its results in the store."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes import settings
from rack_recipes.cabling.compare_and_learn import Seen
from rack_recipes.cabling.plan_model import CablingPlan, End
from rack_recipes.cli.archive.ages_and_sizes import number
from rack_recipes.cli.command_table import parser_of
from rack_recipes.cli.running.run import start_run
from rack_recipes.context.run_context import Context
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results_and_end_status import Results
from rack_recipes.private_files import make_private

STEP, MODULE, KEY = "cabling", "scriptlets.cabling.neighbours", "lldp.neighbours_v1"
EXPECTED = "cabling_of_hosts"  # the variable with the plan: host -> port -> NODE:PORT
OF_HOST = (
    "{{ cabling_of_hosts[inventory_hostname] | default(cabling_of_hosts[inventory_hostname.split('.')[0]])"
    " | default({}) }}"
)
WAIT = 15.0  # seconds for which a port without its neighbour is looked at again
PATIENCE = 45  # seconds beyond that, for a busy host


@dataclass(frozen=True, slots=True)
class Asked:
    """What the hosts have answered. `silent` has those that have not, with the verdict of the step and its reason."""

    seen: Seen
    silent: Mapping[str, tuple[str, str]]
    run_id: str
    exit_code: int


def add_asking(command: argparse.ArgumentParser) -> None:
    """Add the options that say which hosts are asked, and how."""
    command.add_argument(
        "-i",
        "--inventory",
        metavar="PATH",
        action="append",
        default=[],
        help="inventory, as for `run`; may be repeated",
    )
    command.add_argument("-l", "--limit", metavar="PATTERN", help="only these hosts of the inventory")
    command.add_argument("-f", "--forks", metavar="N", type=number, help="how many hosts at once, as for `run`")
    command.add_argument(
        "--ignore",
        metavar="PORT",
        action="append",
        default=[],
        help="pass over ports that the plan does not have and whose names match, such as 'eth0' or 'mgmt*'; may be "
        "repeated",
    )
    command.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=WAIT,
        help=f"look again at a port without its neighbour for so long (default: {WAIT:g})",
    )
    command.add_argument(
        "--db", metavar="URL", help="URL of the store, such as sqlite:///PATH (default: the setting rack_recipes_db)"
    )


def ask(options: argparse.Namespace, plan: CablingPlan | None) -> Asked:
    """Run the step on the hosts; with a plan it is judged by it. Raises RackError where nothing was run."""
    runs = Path(settings.load().runs)
    folder = runs.parent / "cabling"
    make_private(folder)
    words = [*_recipe(folder, options, plan), *_options(options)]
    asked = parser_of("run").parse(words)
    asked.ansible = options.ansible
    answer, code = start_run(asked, show_summary=False)
    return _read(runs / answer["run_id"] / JOURNAL, options, plan or CablingPlan(), (answer["run_id"], code))


def _recipe(folder: Path, options: argparse.Namespace, plan: CablingPlan | None) -> list[str]:
    """Write the recipe and the plan for the hosts; returns the words of the command line that name them."""
    recipe, expected = folder / "neighbours.yml", folder / "expected.json"
    step: dict[str, Any] = {
        "name": STEP,
        "type": "python",
        "module": MODULE,
        "args": {"expected": OF_HOST, "wait": options.wait},
        "timeout": int(options.wait) + PATIENCE,
        **({} if plan else {"success": "none"}),
    }
    meta = {"test_id": "CABLING", "description": "What is connected to what, by LLDP"}
    recipe.write_text(json.dumps({"test_meta": meta, "steps": [step]}), encoding="utf-8")
    expected.write_text(json.dumps({EXPECTED: plan.ports if plan else {}}), encoding="utf-8")
    return [str(recipe), "-e", f"@{expected}"]


def _options(options: argparse.Namespace) -> list[str]:
    words = [word for path in options.inventory for word in ("--inventory", path)]
    words += ["--limit", options.limit] if options.limit else []
    words += ["--forks", str(options.forks)] if options.forks else []
    words += ["--db", options.db] if options.db else []
    return [*words, *(["--json"] if options.json else [])]


def _read(journal: Path, options: argparse.Namespace, plan: CablingPlan, run: tuple[str, int]) -> Asked:
    context, results = Context(), Results()
    for line in JournalReader(journal).read():
        if line.record is not None:
            context.fold(line.record)
            if line.record["kind"] == "step":
                results.add(line.record)
    told = context.values(KEY)
    silent = {host: (end.verdict, end.reason) for (_step, host), end in results.counted() if host and host not in told}
    return Asked(seen_by(told, plan, options.ignore), silent, *run)


def seen_by(told: Mapping[str, Any], plan: CablingPlan, ignored: list[str]) -> Seen:
    """What the hosts say, in the names of the plan: LLDP may have a domain in a name that is short there."""
    names = {*plan.ports} or {*told}
    asked = {host: _known(host, names) for host in told}
    found: dict[End, tuple[End, ...]] = {}
    for host, ports in told.items():
        for port, entry in ports.items():
            end = End(asked[host], port)
            if end in plan.at or not any(fnmatchcase(port, pattern) for pattern in ignored):
                found[end] = tuple(_neighbours(entry, names))
    return Seen(frozenset(asked.values()), found)


def _neighbours(entry: Mapping[str, Any], names: set[str]) -> list[End]:
    """The neighbours of a port; the step splits the first at its last colon, and a port may have some."""
    texts = [f"{entry['peer']}:{entry['peer_port']}"] if "peer" in entry else []
    return [_end(str(text), names) for text in (*texts, *entry.get("others", ()))]


def _end(text: str, names: set[str]) -> End:
    for at, letter in enumerate(text):
        if letter == ":" and _known(text[:at], names) in names:
            return End(_known(text[:at], names), text[at + 1 :])
    device, _colon, port = text.rpartition(":")
    return End(device, port)


def _known(name: str, names: set[str]) -> str:
    short = name.partition(".")[0]
    return short if name not in names and short in names else name
