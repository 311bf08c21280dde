# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible shows of a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS

Record = dict[str, Any]

MOST_LINES = 20  # steps that passed have a line each, up to this number
IN_A_LINE = 5
HOSTS_IN_A_LINE = 20
FIELDS = ("host", "step", "verdict", "seconds", "reason", "instances")


def for_summary(record: Record) -> Record:
    """What a summary needs of a step record. The worker keeps this, since a host may send very many large ones."""
    return {name: record[name] for name in FIELDS if name in record}


def summary(records: Iterable[Record]) -> dict[str, Any]:
    """The task's result for these step records: each step with verdict, duration and reason; in `msg` what failed.

    A looped step is shown by its instances.
    """
    steps = [record for record in records if not record.get("instances")]
    lines = list(_lines(steps))
    result: dict[str, Any] = {"changed": False, "steps": lines, "_ansible_verbose_always": True}
    bad = [step for step in steps if step["verdict"] not in HARMLESS]
    if not bad:
        seconds = sum(step["seconds"] for step in steps)
        return {**result, "msg": f"{_count(steps)} in {seconds:.3f} s"}
    first = next((step for step in bad if step["verdict"] != "blocked"), bad[0])
    reason = f"{first['step']} {first['verdict']}: {first['reason'] or 'no reason given'} ({_count(steps)})"
    kind = "unreachable" if first["verdict"] == "unreachable" else "failed"
    return {**result, "msg": reason, kind: True}


def task_summary(records: Iterable[Record], hosts: Sequence[str]) -> dict[str, Any]:
    """The result of a task that ran a stage for these hosts: that of the first one, and a line for each other."""
    own: dict[str, list[Record]] = {host: [] for host in hosts}
    for record in records:
        own[record["host"]].append(record)
    first, *others = ((host, summary(own[host])) for host in hosts)
    result = first[1]
    if others:
        good = [host for host, other in others if not other.get("failed") and not other.get("unreachable")]
        bad = [f"{host}: {other['msg']}" for host, other in others if host not in {*good}]
        result["others"] = [*bad, *(f"passed  {', '.join(some)}" for some in batched(good, HOSTS_IN_A_LINE))]
    return result


def _count(steps: Iterable[Record]) -> str:
    counts = Counter(step["verdict"] for step in steps)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())


def _lines(steps: Sequence[Record]) -> Iterator[str]:
    """A line for each step. Where many passed they share lines: Ansible takes half a millisecond for a line."""
    passed = [step for step in steps if step["verdict"] == "passed"]
    together = passed if len(passed) > MOST_LINES else []
    yield from (_line(step) for step in steps if not together or step["verdict"] != "passed")
    for some in batched(together, IN_A_LINE):
        yield f"passed  {', '.join(f'{step["step"]} {step["seconds"]:.3f} s' for step in some)}"


def _line(step: Record) -> str:
    reason = f"  {step['reason']}" if step["reason"] else ""
    return f"{step['verdict']:<11} {step['seconds']:8.3f} s  {step['step']}{reason}"
