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
    problems = [*_problems(parts, hosts)]
    counts = Counter[str]()
    for part in parts:
        counts.update({str(verdict): int(number) for verdict, number in part.get("counts", {}).items()})
    return {
        "status": _status(parts, hosts),
        "counts": dict(sorted(counts.items())),
        "hosts": len(_seen(parts)),
        "runs": [part["run_id"] for part in parts if part.get("run_id")],
        "reports": [part["report"] for part in parts if part.get("report")],
        "causes": [*dict.fromkeys(cause for part in parts for cause in part.get("causes", ()))][:SHOWN],
        "problems": problems,
    }


def _status(parts: Sequence[Part], hosts: Sequence[str]) -> str:
    """The status of the first part that did not pass; `incomplete` where a host is in no part or there is none."""
    bad = next((str(part.get("status")) for part in parts if part.get("status") != PASSED), "")
    return bad or (PASSED if parts and not _missing(parts, hosts) else INCOMPLETE)


def _problems(parts: Sequence[Part], hosts: Sequence[str]) -> Iterator[str]:
    if not parts:
        yield "no job of this workflow has told of a run: look at its jobs, and whether they ran at all"
    elif missing := _missing(parts, hosts):
        yield f"{_named(missing)} in no part of the run: a job was killed, or never began"
    if twice := sorted(host for host, number in Counter(_all(parts)).items() if number > 1):
        yield f"{_named(twice)} in several parts of the run"
    for part in parts:
        if part.get("report_error"):
            yield f"job {part['job']}: {part['report_error']}"


def _missing(parts: Sequence[Part], hosts: Sequence[str]) -> list[str]:
    seen = _seen(parts)
    return [host for host in hosts if host not in seen]


def _all(parts: Sequence[Part]) -> list[str]:
    return [host for part in parts for host in part.get("hosts", ())]


def _seen(parts: Sequence[Part]) -> set[str]:
    return {*_all(parts)}


def _named(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - SHOWN} more" if len(hosts) > SHOWN else ""
    return f"{', '.join(hosts[:SHOWN])}{more} {'is' if len(hosts) == 1 else 'are'}"
