# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds up what the jobs of a workflow have told of their parts of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PASSED, INCOMPLETE = "passed", "incomplete"
SHOWN = 5
Part = Mapping[str, Any]  # what the role report tells: job, run_id, status, counts, hosts, causes, report, report_error


def total_of(parts: Sequence[Part], hosts: Sequence[str]) -> dict[str, Any]:
    """The total of the parts of a run: status, counts, runs, causes, addresses of reports, and problems in words.

    `hosts` are those that were to be tested. One that is in no part has not passed.
    """
    seen = Counter(host for part in parts for host in part.get("hosts", ()))
    missing = [host for host in hosts if host not in seen]
    counts = Counter[str]()
    for part in parts:
        counts.update({str(verdict): int(number) for verdict, number in part.get("counts", {}).items()})
    return {
        "status": _status(parts, missing),
        "counts": dict(sorted(counts.items())),
        "hosts": len(seen),
        "runs": [part["run_id"] for part in parts if part.get("run_id")],
        "reports": [part["report"] for part in parts if part.get("report")],
        "causes": [*dict.fromkeys(cause for part in parts for cause in part.get("causes", ()))][:SHOWN],
        "problems": [*_problems(parts, seen, missing)],
    }


def _status(parts: Sequence[Part], missing: Sequence[str]) -> str:
    """The status of the first part that did not pass; `incomplete` where a host is in no part or there is none."""
    bad = next((str(part.get("status")) for part in parts if part.get("status") != PASSED), "")
    return bad or (PASSED if parts and not missing else INCOMPLETE)


def _problems(parts: Sequence[Part], seen: Mapping[str, int], missing: Sequence[str]) -> Iterator[str]:
    if not parts:
        yield "no job of this workflow has told of a run: look at its jobs, and whether they ran at all"
    elif missing:
        yield f"{_named(missing)} in no part of the run: a job was killed, or never began"
    if twice := sorted(host for host, number in seen.items() if number > 1):
        yield f"{_named(twice)} in several parts of the run"
    for part in parts:
        if part.get("report_error"):
            yield f"job {part['job']}: {part['report_error']}"


def _named(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - SHOWN} more" if len(hosts) > SHOWN else ""
    return f"{', '.join(hosts[:SHOWN])}{more} {'is' if len(hosts) == 1 else 'are'}"
