# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs of one recipe, as journals and in the project's store; the second differs in everything that can differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rack_recipes.journal.append import append
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

FIRST, SECOND = "20261124-090000-aaaaaa", "20261125-140000-bbbbbb"
URL = "sqlite:///.rack-recipes/results.db"
HOSTS = ("leaf1", "leaf2")
USAGE = {"user_sec": 0.1, "system_sec": 0.0, "max_rss_kib": 9000, "in_blocks": 0, "out_blocks": 0}
SWITCHES = {"voluntary_switches": 1, "involuntary_switches": 0}

Record = dict[str, Any]


def attempt(verdict: str = "passed", number: int = 1) -> Record:
    how = {"verdict": verdict, "reason": "", "seconds": 0.1, "exit_code": 0, "signal": 0, "round": 1, "try": number}
    return {**how, "started": "2026-11-25T14:00:00.000000Z", **USAGE, **SWITCHES, "stdout": "", "stderr": ""}


class Writer:
    """Writes the records of one run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.path = Path(".rack-recipes/runs", run_id, "journal.jsonl")
        self.numbers: dict[str, int] = {}

    def begin(self, digest: str, steps: tuple[str, ...], cache_key: str = "", **said: Any) -> None:
        """The run's record; the first step has the cache key."""
        about = {"path": "recipes/burn.yml", "digest": digest, "test_id": "BURN", "tester": "al", "description": ""}
        planned = [{"name": n, "stage": 1, "idx": i, "scope": "host", "hosts": [*HOSTS]} for i, n in enumerate(steps)]
        if cache_key:
            planned[0]["cache_key"] = cache_key
        time = f"2026-11-{self.run_id[6:8]}T09:00:00.000000Z"
        head = {"kind": "run", "run": self.run_id, "time": time, "recipe": about, "hosts": [*HOSTS], "steps": planned}
        append(self.path, [{**head, "controller": "c", "user": "u", "versions": {"python": "3.13"}, **said}])

    def _head(self, kind: str, step: str, host: str) -> Record:
        self.numbers[host] = self.numbers.get(host, 0) + 1
        return {"kind": kind, "stage": 1, "n": self.numbers[host], "host": host, "step": step}

    def step(self, step: str, host: str, verdict: str = "passed", reason: str = "", **fields: Any) -> None:
        tried = verdict not in ("skipped", "blocked", "cached")
        times = {
            "started": "2026-11-25T14:00:00.000000Z",
            "seconds": 1.0,
            "attempts": [attempt(verdict)] if tried else [],
        }
        how = {"verdict": verdict, "reason": reason, **times, "measurements": [], **fields}
        append(self.path, [{**self._head("step", step, host), **how}])

    def set(
        self, step: str, host: str, key: str, value: Any, based_on: int = 0, scope: str = "host", **by: str
    ) -> None:
        what = {"attempt": 1, "scope": scope, "key": key, "after": value, "based_on": based_on, "who": step, **by}
        append(self.path, [{**self._head("delta", step, host), **what, "time": "2026-11-25T14:00:01.000000Z"}])

    def attach(self, step: str, host: str, name: str, digest: str, note: str | None = None) -> None:
        """Record a file that a step has attached: it arrived if `note` is empty; None writes no word about that."""
        about = {"attempt": 1, "name": name, "sha256": digest, "size": 5_242_880, "media_type": "", "who": step}
        time = "2026-11-25T14:00:01.000000Z"
        append(self.path, [{**self._head("artifact", step, host), **about, "time": time}])
        if note is not None:
            moved = {"kind": "transfer", "stage": 1, "n": 0, "host": host, "sha256": digest, "time": time, "note": note}
            append(self.path, [{**moved, "path": None if note else f"artifacts/{digest}"}])

    def clock(self, host: str, offset: float) -> None:
        time = "2026-11-25T14:00:00.000000Z"
        append(self.path, [{"kind": "clock", "stage": 1, "host": host, "offset": offset, "time": time}])

    def end(self, status: str, code: int, **counts: int) -> None:
        end = {
            "kind": "end",
            "time": "2026-11-25T15:00:00.000000Z",
            "status": status,
            "exit_code": code,
            "counts": counts,
        }
        append(self.path, [end])
        store = connect_store(URL)
        import_journal(store, self.path)
        store.dispose()


def measured(name: str, value: Any, unit: str = "", **judged: Any) -> Record:
    return {"name": name, "value": value, "unit": unit, **judged}


def make_runs() -> None:
    """Write both runs and bring them into the store."""
    run = Writer(FIRST)
    run.begin("sha256:1", ("wire", "burn", "ports"), params={"minutes": 5})
    run.clock("leaf1", -3599.5)
    for host in HOSTS:
        run.set("wire", host, "wire.state_v1", {"mtu": 1500, "up": True})
        run.step("wire", host)
    run.set("wire", "leaf1", "wire.state_v1", {"mtu": 9000, "up": True}, based_on=1)
    run.set("burn", "leaf1", "lab.mode_v1", "slow", scope="run")
    run.step("burn", "leaf1", measurements=[measured("heat", 40, "C")])
    run.step("burn", "leaf2", "failed", "too hot", blocks=True, measurements=[measured("heat", 91, "C")])
    run.end("failed", 1, failed=1, passed=3)
    run = Writer(SECOND)
    run.begin("sha256:2", ("wire", "burn", "ports"), params={"minutes": 9}, resumes=FIRST, options={"seed": 7})
    run.set("wire", "leaf1", "wire.state_v1", {"mtu": 9000, "up": False})
    run.step("wire", "leaf1", "passed", f"reused from {FIRST}", **{"from": FIRST})
    run.step("wire", "leaf2", "cached", "", **{"from": FIRST}, attempts=[])
    limits = {"max": 95, "warn": {"max": 80}}
    hot = measured("heat", 91.5, "C", limits=limits, distance=3.5, verdict="marginal")
    dead = measured("dead", 3, limits={"eq": 0}, distance=None, verdict="failed")
    tries = [attempt("failed"), attempt("passed", 2)]
    run.step("burn", "leaf1", "marginal", "heat 91.5 C", measurements=[hot], flake=True, attempts=tries, seconds=3.0)
    hook = {"hook": "site.log", "when": "pre_step", "verdict": "error", "reason": "no disk"}
    run.step("burn", "leaf2", "failed", "dead 3", measurements=[dead], hooks=[hook], rounds={"count": 9, "passed": 8})
    run.step("ports[eth0]", "leaf1", parent="ports")
    run.step("ports[eth1]", "leaf1", "failed", "no carrier", parent="ports")
    run.step("ports", "leaf1", "failed", "ports[eth1] failed", instances=2, attempts=[])
    run.step("ports", "leaf2", "skipped", 'when: value "${wire.state_v1.up}" eq true', attempts=[])
    run.end("failed", 1, cached=1, failed=2, marginal=1, passed=1, skipped=1)
