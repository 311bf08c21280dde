# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of one test, one each night, for tests of what is said about a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from rack_recipes.journal.append import append
from rack_recipes.store.writing.import_journal import import_journal

USAGE = {"user_sec": 0.1, "system_sec": 0.0, "max_rss_kib": 9000, "in_blocks": 0, "out_blocks": 0}

Place = tuple[str, str]  # step and host


@dataclass(frozen=True, slots=True)
class Night:
    """One run. `measured` has the measurements of each (step, host), `verdicts` those that are not `passed`.

    `context` has the values of keys by host, `about` further fields of the run record, `recipe` of its recipe, and
    `fields` those of the records of steps. `end` has fields of the end record.
    """

    measured: Mapping[Place, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    verdicts: Mapping[Place, str] = field(default_factory=dict)
    context: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[Place, Mapping[str, Any]] = field(default_factory=dict)
    end: Mapping[str, Any] = field(default_factory=dict)


def latency(value: float, **fields: Any) -> list[Mapping[str, Any]]:
    """What a step has measured: one latency."""
    return [{"name": "latency", "value": value, "unit": "us", **fields}]


def run_id(number: int) -> str:
    """The id of the run of a night, counted from 1."""
    return f"202611{number:02}-220000-{number:06}"


def write_journal(path: Path, number: int, night: Night) -> None:
    """Write the journal of a night's run."""
    append(path, [*_records(number, night)])


def store_nights(store: Engine, folder: Path, nights: Sequence[Night]) -> str:
    """Store runs, the first of them on the first night; returns the id of the last one."""
    for number, night in enumerate(nights, 1):
        path = folder / run_id(number) / "journal.jsonl"
        write_journal(path, number, night)
        import_journal(store, path)
    return run_id(len(nights))


def _records(number: int, night: Night) -> Iterator[dict[str, Any]]:
    time = f"2026-11-{number:02}T22:00:00.000000Z"
    places = dict.fromkeys([*night.measured, *night.verdicts])
    hosts = [*dict.fromkeys([*(host for _step, host in places), *(host for host, _key in night.context)])]
    steps = [
        {"name": step, "stage": 1, "idx": idx, "scope": "host", "hosts": hosts}
        for idx, step in enumerate(dict.fromkeys(step for step, _host in places))
    ]
    recipe = {"path": "recipes/night.yml", "test_id": "NIGHT", "digest": "sha256:01", **night.recipe}
    head = {"kind": "run", "run": run_id(number), "time": time, "recipe": recipe, "hosts": hosts, "steps": steps}
    yield {**head, "attributes": dict(night.attributes), "versions": {"python": "3.13"}, **night.about}
    counter = dict.fromkeys(hosts, 0)
    for (host, key), value in night.context.items():
        counter[host] += 1
        of = {"kind": "delta", "stage": 1, "n": counter[host], "host": host, "step": "collect", "attempt": 1}
        yield {**of, "scope": "host", "key": key, "after": value, "based_on": 0, "who": "collect", "time": time}
    for step, host in places:
        counter[host] += 1
        verdict = night.verdicts.get((step, host), "passed")
        measured = [*night.measured.get((step, host), ())]
        more = night.fields.get((step, host), {})
        yield {**_step(step, host, counter[host], verdict, time), "measurements": measured, **more}
    bad = {"failed", "error", "unreachable"} & {*night.verdicts.values()}
    end = {"kind": "end", "time": time, "status": "failed" if bad else "passed", "exit_code": 0, "counts": {}}
    yield {**end, **night.end}


def _step(step: str, host: str, n: int, verdict: str, time: str) -> dict[str, Any]:
    attempt = {"verdict": verdict, "started": time, "seconds": 0.1, "exit_code": 0, **USAGE, "stdout": "", "stderr": ""}
    reason = "" if verdict == "passed" else f"{step} is bad"
    place = {"kind": "step", "stage": 1, "n": n, "host": host, "step": step, "verdict": verdict, "reason": reason}
    return {**place, "started": time, "seconds": 0.1, "attempts": [attempt]}
