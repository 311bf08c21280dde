# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `coverage`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    from rack_recipes.analysis.coverage import Coverage

LAST = 20  # runs
NAMED = 5  # hosts in a line
Row = Mapping[str, Any]


def add_coverage(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("--last", metavar="N", type=int, default=LAST, help="the last N runs (default: 20)")
    command.add_argument("--test", metavar="ID", default="", help="of this test (default: that of the newest run)")
    command.add_argument(
        "-i",
        "--inventory",
        metavar="PATH",
        action="append",
        default=[],
        help="the inventory whose hosts should be covered (default: Ansible's own); repeat it for several",
    )
    add_db(command)
    examples(command, "rack-recipes coverage", "rack-recipes coverage --test HALL-001 --last 50 --json")


def coverage(options: argparse.Namespace) -> Answer:
    """Show what the last runs of a test cover, and what they have never judged.

    For each step: on how many hosts it ran, on which it was planned and never ran, how often it failed, how many
    criteria were judged. Then the measurements that have no limit, and the hosts of the inventory that no run had.
    """
    from rack_recipes.analysis.coverage import coverage_of
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.store.reading import recorded_runs

    if options.last < 1:
        raise UsageError(f"rack-recipes coverage: --last: expected a number of runs above 0, got {options.last}")
    with opened(options) as store:
        runs = _chosen(recorded_runs.runs(store), options.test)[: options.last]
        found = coverage_of(store, [run["run_id"] for run in runs])
    absent, problem = _absent(options.inventory, {host for one in found.steps for host in (*one.hosts, *one.never)})
    if options.json:
        return _data(runs, found, absent, problem), 0
    return "".join(_lines(runs, found, absent, problem)), 0


def _chosen(runs: Sequence[Row], test: str) -> list[Row]:
    """The runs of a test that count, the newest first. Raises UsageError where there are none."""
    from rack_recipes.store.reading.earlier_runs import counts

    found = [run for run in runs if counts(run)]
    test_id = test or (found[0]["test_id"] if found else None)
    chosen = [run for run in found if run["test_id"] == test_id]
    if not chosen:
        raise UsageError(
            f"there are no runs of the test {test!r} in the store" if test else "there are no runs in the store"
        )
    return chosen


def _absent(inventories: Sequence[str], hosts: set[str]) -> tuple[list[str], str]:
    """The hosts of the inventory that no run had, and why they are not known."""
    from rack_recipes.cli.running.preview.inventory_hosts import inventory_hosts

    found = inventory_hosts(inventories, None, ["all"])
    return [host for host in found.of("all") if host not in hosts], found.problem


def _data(runs: Sequence[Row], found: Coverage, absent: Sequence[str], problem: str) -> dict[str, Any]:
    steps = [
        {
            "step": one.step,
            "results": one.results,
            "failed": one.failed,
            "checks": one.checks,
            "hosts": [*one.hosts],
            "never_on": [*one.never],
        }
        for one in found.steps
    ]
    return {
        "test_id": runs[0]["test_id"],
        "runs": [run["run_id"] for run in runs],
        "steps": steps,
        "without_limit": [one._asdict() for one in found.unlimited],
        "never_failed": [one.step for one in found.never_failed],
        "without_criterion": [one.step for one in found.unchecked],
        "hosts_without_run": [*absent],
        **({"problem": problem} if problem else {}),
    }


def _lines(runs: Sequence[Row], found: Coverage, absent: Sequence[str], problem: str) -> Iterator[str]:
    from rack_recipes.analysis.findings import the_last
    from rack_recipes.cli.terminal.text_table import printable, to_text

    yield printable(f"{runs[0]['test_id'] or 'runs without a test'}: {the_last(len(runs), 'run')}") + "\n"
    rows = [
        (
            one.step,
            len(one.hosts),
            one.results,
            one.failed or ("never" if one.results else ""),
            one.checks or ("none" if one.results else ""),
            first_few([host or "the run" for host in one.never], NAMED),
        )
        for one in found.steps
    ]
    yield to_text(("step", "hosts", "results", "failed", "criteria judged", "never run on"), rows)
    if found.unlimited:
        yield "\nwithout a limit:\n"
        yield to_text(
            ("measurement", "unit", "step", "values"), [(o.name, o.unit, o.step, o.values) for o in found.unlimited]
        )
    if problem:
        yield f"\nhosts of the inventory: {printable(problem)}\n"
    elif absent:
        yield f"\nhosts of the inventory that no run had: {printable(first_few(absent, 2 * NAMED))}\n"
