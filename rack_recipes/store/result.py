# SPDX-License-Identifier: GPL-3.0-or-later

"""A result: how a step, or an instance of one, ended on a host. One form from the store to the report.

It is the row of `steps` that was read, a dict, since a row may lack columns that its run does not use (`RARE`) and get
more. 200,000 rows of 16 columns take 0.19 s and 90 MiB, as frozen dataclasses 0.39 s and 32 MiB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Result(TypedDict, total=False):
    """A row of `steps`, decoded. A column that is missing in a row is empty."""

    run_id: str
    host: str
    step: str
    stage: int | None
    idx: int | None
    scope: str | None
    verdict: str
    reason: str | None
    started: str | None
    seconds: float | None
    tries: int | None
    exit_code: int | None
    user_sec: float | None
    system_sec: float | None
    max_rss_kib: int | None
    stdout: str | None
    stderr: str | None
    attempts: Sequence[Mapping[str, Any]]
    blocks: bool | None
    flake: bool | None
    checks: int | None
    instances: int | None
    parent: str | None
    inputs: str | None
    source_run: str | None
    cache_key: str | None
    rounds: Mapping[str, Any]
    hooks: Sequence[Mapping[str, Any]]
    tags: Sequence[str]
    through: str | None
    waived: Mapping[str, Any] | None
    members: Sequence[str] | None
    phase: str | None
    cut_off: bool  # no column: the end of its run came first
    measurements: Sequence[Mapping[str, Any]]  # no column: a report has them beside it


def planned_step(row: Result) -> str:
    """The step in the recipe: of an instance, the looped step."""
    return row.get("parent") or row["step"]


def is_looped(row: Result) -> bool:
    """Whether it stands for the instances of a looped step, which have results of their own."""
    return bool(row.get("instances"))


def is_assumed(row: Result) -> bool:
    """Whether the host itself gave no result: it was not reached, or nothing came of it."""
    return not row["tries"] and row["verdict"] in {"error", "unreachable"}
