# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of a step: one small script, and the check that it ran exactly once for every step and host."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Size

SCRIPT = r"""sum=$(( ($2 * 7919 + 13) % 65521 ))
printf '%s %s\n' "$2" "$sum" >> "$3/$1"
printf '{"status": "ok", "measurements": [{"name": "sum", "value": %s, "unit": ""}]}\n' "$sum"
"""
"""Takes a host, a step's number and the evidence folder; builtins of the shell only, so that it costs no process."""


def checksum(step: int) -> int:
    """What the script computes for a step."""
    return (step * 7919 + 13) % 65521


def arguments(host: str, step: int | str, evidence: Path) -> str:
    """The script's arguments as shell words; `host` and `step` are not quoted, so they may be templates."""
    return f"{host} {step} {shlex.quote(str(evidence))}"


def answer(step: int) -> str:
    """The line that the script prints for a step."""
    return f'{{"status": "ok", "measurements": [{{"name": "sum", "value": {checksum(step)}, "unit": ""}}]}}'


def clear(evidence: Path) -> None:
    """Empty the evidence folder."""
    evidence.mkdir(parents=True, exist_ok=True)
    for file in evidence.iterdir():
        file.unlink()


def not_done(evidence: Path, size: Size, hosts: Iterable[str]) -> str:
    """Return what is missing, was done twice, or is wrong; an empty text if all work was done."""
    wanted = sorted(f"{step} {checksum(step)}" for step in range(1, size.steps + 1))
    for host in hosts:
        file = evidence / host
        found = sorted(file.read_text().splitlines()) if file.exists() else []
        if found != wanted:
            return f"{host} shows {len(found)} steps, {len(set(found) & set(wanted))} of {size.steps} right"
    return ""
