# SPDX-License-Identifier: GPL-3.0-or-later

"""One test between hosts, and what it came to.

A host serves, the others measure; the result is about all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import rank
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import was_cut_off
from rack_recipes.plan.members.match_members import MemberTest

SERVED_BEFORE = "the serving side on {host} ended before the others began: {reason}"
NOT_MEASURED = ("error", "unreachable", "blocked")
SHOWN = 8  # members in a reason
VARIABLE = re.compile(r"\$\{(own|peer)\.([A-Za-z_][A-Za-z0-9_]*)")
WORD = re.compile(r"[^\s,;:()]+")
ADDRESS = ("fabric_address", "ansible_host")  # variables of a host, the first that it has
LONGEST_VALUE = 4000  # characters of a variable


@dataclass(slots=True)
class RunningTest:
    """A test that runs. Threads of its members share it, one of which runs Python at a time.

    `name` is that of its result. `server` is empty where the step has no serving side. `records` are the step records
    of the members that have ended, `open` the measuring ones that have not, `absent` those by which nothing could be
    measured.
    """

    test: MemberTest
    name: str
    server: str
    round: int
    port: int = 0
    is_ready: bool = False
    has_server_ended: bool = False
    open: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    records: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def of(cls, test: MemberTest, name: str, number: int, *, serves: bool) -> RunningTest:
        """A test of the round with this number."""
        running = cls(test, name, test.members[0] if serves else "", number)
        running.open = {host for host in test.members if host != running.server}
        return running

    def ended(self, host: str) -> None:
        """Called when a member's thread is done with it."""
        record = self.records.get(host)
        if (record is None or record["verdict"] in NOT_MEASURED) and self.server not in self.absent:
            self.absent.add(host)
        if host == self.server:
            self.has_server_ended = True
        self.open.discard(host)

    def peer_of(self, host: str) -> str:
        """The other side: that which serves, or for this one the first that measures."""
        if self.server and host != self.server:
            return self.server
        return next((each for each in self.test.members if each != host), host)

    def result(self, head: Mapping[str, object], began: str, seconds: float) -> Record:
        """The step record of the test: the worst verdict counts, and its reason names who said so."""
        measured = [self.records[host] for host in self.test.members if host in self.records and host != self.server]
        told = [(host, self.records[host]) for host in self.test.members if host in self.records]
        verdict = min((record["verdict"] for _host, record in told), key=rank, default="error")
        is_pair = len(self.test.members) <= 2
        return {
            **head,
            "step": self.name,
            "verdict": verdict,
            "reason": "" if verdict == "passed" else self._reason(told, verdict),
            "started": began,
            "seconds": round(seconds, 6),
            "attempts": [attempt for record in measured for attempt in record["attempts"]],
            "measurements": [
                each if is_pair else {**each, "name": f"{each['name']}.{record['host']}"}
                for record in measured
                for each in record["measurements"]
            ],
            "checks": sum(record.get("checks", 0) for record in measured),
            "members": [*self.test.members],
            "phase": f"round {self.round}{f', {self.test.phase}' if self.test.phase else ''}",
        }

    def _of_pair(self, host: str, reason: str, verdict: str) -> str:
        """A reason; where nothing was measured, it begins with the end that says so."""
        is_named = verdict not in NOT_MEASURED or {*WORD.findall(reason)} & {*self.test.members}
        return f"{host}: {reason}" if reason and not is_named else reason

    def _reason(self, told: Iterable[tuple[str, Record]], verdict: str) -> str:
        told = [*told]
        worst = [(host, record["reason"]) for host, record in told if record["verdict"] == verdict]
        if cut_off := [record["reason"] for _host, record in told if was_cut_off(record)]:
            return str(cut_off[0])  # with no name before it, whoever reads it knows that nothing was tested
        is_heard = {host for host, _record in told}
        silent = [] if verdict == "blocked" else [host for host in self.test.members if host not in is_heard]
        if len(self.test.members) <= 2 and not silent:
            return "; ".join(dict.fromkeys(self._of_pair(host, reason, verdict) for host, reason in worst))
        said = [f"{host}: {reason}" for host, reason in worst[:SHOWN]]
        said += [f"and {len(worst) - SHOWN} more"] if len(worst) > SHOWN else []
        said += [f"no result of {', '.join(silent)}"] if silent else []
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Side:
    """What one host does in a test."""

    running: RunningTest
    host: str
    tries: int

    @property
    def serves(self) -> bool:
        """Whether this is the serving side."""
        return self.host == self.running.server


_SIDE: ContextVar[Side | None] = ContextVar("side", default=None)


def side_of_this_host() -> Side | None:
    """What the host of this thread does in a test between hosts; None outside of one."""
    return _SIDE.get()


def set_side(side: Side | None) -> None:
    """Set what the host of this thread does."""
    _SIDE.set(side)


def words_of(side: Side, step: Mapping[str, object], task_vars: Mapping[str, object]) -> dict[str, Any]:
    """What `${own...}` and `${peer...}` stand for: names, addresses, the port, and variables that the step names."""
    named: dict[str, set[str]] = {"own": set(), "peer": set()}
    for word, name in VARIABLE.findall(str(step)):
        named[word].add(name)
    host, peer = side.host, side.running.peer_of(side.host)
    members = side.running.test.members
    port = {"port": side.running.port} if side.running.port else {}
    known = {name: _Variables(task_vars, name) for name in members}
    of_all = {"members": [*members], "addresses": [known[name].address() for name in members]}
    return {
        "own": {**known[host].plain(named["own"]), **of_all, "rank": members.index(host), **known[host].own(), **port},
        "peer": {**known[peer].plain(named["peer"]), "rank": members.index(peer), **known[peer].own(), **port},
    }


class _Variables:
    """The variables of a host, as Ansible fills them in."""

    def __init__(self, task_vars: Mapping[str, Any], host: str) -> None:
        self._host = host
        self._known = task_vars["hostvars"].get(host) or {}

    def address(self) -> str:
        return next((str(self._known[name]) for name in ADDRESS if self._known.get(name)), self._host)

    def own(self) -> dict[str, Any]:
        return {"name": self._host, "address": self.address()}

    def plain(self, names: Iterable[str]) -> dict[str, Any]:
        """The variables with these names that are texts, numbers or truths."""
        found = {name: self._known.get(name) for name in names}
        return {name: _native(value) for name, value in found.items() if isinstance(value, (str, int, float))}


def _native(value: object) -> Any:
    return str(value)[:LONGEST_VALUE] if isinstance(value, str) else value


def own_record(host: str, number: int, name: str, verdict: str, reason: str) -> Record:
    """The record of a side that nothing was heard of."""
    head = {"kind": "step", "stage": number, "n": 0, "host": host, "step": name, "started": now(), "seconds": 0.0}
    return {**head, "verdict": verdict, "reason": reason, "attempts": [], "measurements": []}
