# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares a cabling plan with what the ports see, and makes a plan from what they see.

An end that was not asked is judged by nobody, and a cable with two such ends is `unchecked`, never good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rack_recipes.cabling.plan_model import Cable, CablingPlan, End
from rack_recipes.natural_order import natural

SWAPPED, MISSING, ONE_WAY, WRONG, RENAMED = "swapped", "missing", "one way", "wrong", "other name"
UNEXPECTED, UNCLEAR = "unexpected", "unclear"
KINDS = (SWAPPED, WRONG, RENAMED, MISSING, ONE_WAY, UNEXPECTED, UNCLEAR)
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ports of a rack see: `neighbours` by port, and the hosts that were `asked` and have answered."""

    asked: frozenset[str]
    neighbours: Mapping[End, tuple[End, ...]]

    def of(self, end: End) -> tuple[End, ...] | None:
        """Whom a port sees; None where its host has not answered."""
        return self.neighbours.get(end, ()) if end.device in self.asked else None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as planned: its ends, what the ports say, and what to do about it."""

    kind: str
    title: str
    advice: str
    ends: tuple[End, ...]
    labels: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As JSON."""
        told = {"kind": self.kind, "title": self.title, "advice": self.advice, "ends": [str(end) for end in self.ends]}
        return {**told, **({"labels": [*self.labels]} if self.labels else {})}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The findings in the order of KINDS, how many cables are as planned, and those that nobody could look at."""

    findings: tuple[Finding, ...] = ()
    good: int = 0
    unchecked: tuple[Cable, ...] = field(default=())


def compare(plan: CablingPlan, seen: Seen) -> Comparison:
    """Compare the plan with what is seen."""
    judged = {cable: _sights(cable, seen) for cable in plan.cables}
    checked = {cable: sights for cable, sights in judged.items() if sights}
    bad = {cable: sights for cable, sights in checked.items() if not _is_good(cable, sights)}
    teller = _Teller(plan, seen, bad)
    found = [*teller.swapped(), *teller.renamed(), *teller.others(), *teller.unexpected()]
    ordered = sorted(found, key=lambda finding: KINDS.index(finding.kind))
    return Comparison(
        tuple(ordered), len(checked) - len(bad), tuple(cable for cable, sights in judged.items() if not sights)
    )


Sights = Mapping[End, tuple[End, ...]]


def _sights(cable: Cable, seen: Seen) -> Sights:
    """What the ends of a cable see, of those whose hosts have answered."""
    return {end: sees for end in cable.ends if (sees := seen.of(end)) is not None}


def _is_good(cable: Cable, sights: Sights) -> bool:
    return all(sees == (cable.other(end),) for end, sees in sights.items())


class _Teller:
    """Tells of each bad cable once: what explains several comes first."""

    def __init__(self, plan: CablingPlan, seen: Seen, bad: Mapping[Cable, Sights]) -> None:
        self.plan, self.seen, self.bad = plan, seen, bad
        self.told: set[Cable] = set()
        self.explained: set[End] = set()

    def swapped(self) -> Iterator[Finding]:
        """Two cables, each with one end where the other one's belongs."""
        for first in self.bad:
            for end in first.ends:
                second = self._crossed(first, end)
                if second is not None and not {first, second} & self.told:
                    yield self._swap(first, second, end)

    def _crossed(self, first: Cable, end: End) -> Cable | None:
        """The cable with whose far end that of `first` has changed places, as seen from the near `end`."""
        found = _only(self.seen.of(end))
        second = self.plan.at.get(found) if found else None
        if found is None or second is None or second == first or second not in self.bad:
            return None
        near, far = second.other(found), first.other(end)
        sights = [(near, far), (far, near), (found, end)]
        said = [_only(sees) == whom for who, whom in sights if (sees := self.seen.of(who)) is not None]
        confirmed = _only(self.seen.of(near)) == far or _only(self.seen.of(far)) == near
        return second if confirmed and all(said) else None

    def _swap(self, first: Cable, second: Cable, end: End) -> Finding:
        found = _only(self.seen.of(end)) or end
        near, far = second.other(found), first.other(end)
        self._tell((first, second))
        title = f"{end} and {near} are swapped: {end} is in {found} and belongs into {far}"
        pairs = [pair for pair in ((far, found), (end, near)) if pair[0].device == pair[1].device]
        one, other = pairs[0] if pairs else (far, found)
        if pairs:
            advice = f"At {self._stands(one.device)}, swap the plugs in ports {one.port} and {other.port}."
        else:
            advice = f"Swap the plugs in {one} and {other}."
        return self._finding(SWAPPED, title, advice, (end, near, found, far), (first, second))

    def renamed(self) -> Iterator[Finding]:
        """Devices that give themselves a name that the plan does not have, at the ports where they belong."""
        names: dict[tuple[str, str], list[Cable]] = {}
        for cable, sights in self.bad.items():
            for end, sees in sights.items():
                found, far = _only(sees), cable.other(end)
                if found and found.port == far.port and found.device not in self.plan.ports and cable not in self.told:
                    names.setdefault((found.device, far.device), []).append(cable)
        for (name, device), cables in names.items():
            self._tell(cables)
            ends = tuple(end for cable in cables for end in cable.ends if end.device != device)
            title = f"{device} is called {name} by its neighbours, at the ports where it belongs"
            advice = f"Set the name of {self._stands(device)}, or look whether another device has taken its place."
            yield self._finding(RENAMED, title, advice, ends, cables)

    def others(self) -> Iterator[Finding]:
        """The other bad cables, one by one."""
        for cable, sights in self.bad.items():
            if cable not in self.told:
                self._tell((cable,))
                yield self._one(cable, sights)

    def _one(self, cable: Cable, sights: Sights) -> Finding:
        several = next((end for end, sees in sights.items() if len(sees) > 1), None)
        if several:
            names = " and ".join(map(str, sights[several]))
            advice = f"Check again in a minute: one may be an old neighbour. Else look for a switch at {several}."
            return self._finding(UNCLEAR, f"{several} sees {names}", advice, cable.ends, (cable,))
        moved = next(((end, sees[0]) for end, sees in sights.items() if sees and sees[0] != cable.other(end)), None)
        if moved:
            return self._moved(cable, *moved)
        silent = [end for end, sees in sights.items() if not sees]
        if len(silent) < len(sights):
            return self._one_way(cable, silent[0])
        title = f"{' and '.join(map(str, silent))} {'see' if len(silent) > 1 else 'sees'} no neighbour"
        advice = (
            f"Plug in the cable between {self._at(cable.a)} and {self._at(cable.b)}; check that both ports are up and "
            "that LLDP runs at both ends."
        )
        return self._finding(MISSING, title, advice, cable.ends, (cable,))

    def _moved(self, cable: Cable, end: End, has: End) -> Finding:
        wants = cable.other(end)
        self.explained.add(has)
        title = f"{end} is connected to {has} and belongs to {wants}"
        if has.device == wants.device:
            advice = (
                f"At {self._stands(has.device)}, move the cable of {end} from port {has.port} to port {wants.port}."
            )
        else:
            advice = f"Move the cable of {end} from {self._at(has)} to {self._at(wants)}."
        return self._finding(WRONG, title, advice, (end, has, wants), (cable,))

    def _one_way(self, cable: Cable, silent: End) -> Finding:
        other = cable.other(silent)
        title = f"{silent} sees no neighbour, but {other} sees {silent}"
        way = f"from {self._at(other)} to {self._at(silent)}"
        advice = f"Check the way {way}: the transmitter, the cable, the receiver, LLDP at {other}."
        return self._finding(ONE_WAY, title, advice, cable.ends, (cable,))

    def unexpected(self) -> Iterator[Finding]:
        """Cables at ports that have none in the plan, each once."""
        told: set[frozenset[End]] = set()
        for end, sees in self.seen.neighbours.items():
            if end in self.plan.at or end in self.explained or not sees:
                continue
            known = [far for far in sees if far not in self.explained]
            ends = frozenset((end, *known))
            if not known or ends in told:
                continue  # the cable of the other end has told of it
            told.add(ends)
            title = (
                f"{end} is connected to {' and '.join(map(self._belonging, known))}, and the plan has no cable there"
            )
            advice = f"Unplug it at {self._at(end)}, or add it to the plan."
            yield self._finding(UNEXPECTED, title, advice, (end, *known), ())

    def _belonging(self, end: End) -> str:
        """A port, with the one that it belongs to where the plan says that."""
        cable = self.plan.at.get(end)
        return f"{end}, which belongs to {cable.other(end)}" if cable else str(end)

    def _tell(self, cables: Iterable[Cable]) -> None:
        for cable in cables:
            self.told.add(cable)
            self.explained.update(cable.ends)

    def _finding(self, kind: str, title: str, advice: str, ends: tuple[End, ...], cables: Iterable[Cable]) -> Finding:
        labels = tuple(cable.label for cable in cables if cable.label)
        return Finding(kind, title, advice, ends, labels)

    def _at(self, end: End) -> str:
        place = self.plan.positions.get(end.device)
        return f"{end} ({place})" if place else str(end)

    def _stands(self, device: str) -> str:
        place = self.plan.positions.get(device)
        return f"{device} ({place})" if place else device


def _only(sees: tuple[End, ...] | None) -> End | None:
    """The one neighbour of a port that has exactly one."""
    return sees[0] if sees and len(sees) == 1 else None


def learn_plan(seen: Seen) -> tuple[CablingPlan, tuple[str, ...]]:
    """The cables whose ends do not contradict each other, and in words what is left out.

    A cable that only one end tells of has a remark in `review`.
    """
    told = {end: sees for end, sees in seen.neighbours.items() if sees}
    claims: dict[frozenset[End], set[End]] = {}
    for end, sees in told.items():
        for far in sees:
            claims.setdefault(frozenset((end, far)), set()).add(end)
    used: dict[End, int] = {}
    for pair in claims:
        for end in pair:
            used[end] = used.get(end, 0) + 1
    good = {pair: by for pair, by in claims.items() if len(pair) == 2 and all(used[end] == 1 for end in pair)}
    cables = sorted((_cable(pair, by, seen) for pair, by in good.items()), key=lambda cable: _key(cable.a))
    doubtful = sorted((pair for pair in claims if pair not in good), key=lambda pair: _key(min(pair)))
    return CablingPlan(tuple(cables)), tuple(_doubt(pair, claims[pair]) for pair in doubtful)


def _cable(pair: Iterable[End], by: set[End], seen: Seen) -> Cable:
    a, b = sorted(pair, key=_key)
    if len(by) == 2:
        return Cable(a, b)
    [teller] = by
    other = b if teller == a else a
    why = f"{other} sees nobody" if other.device in seen.asked else f"{other.device} has not answered"
    return Cable(a, b, review=f"only {teller} says so: {why}")


def _doubt(pair: frozenset[End], by: set[End]) -> str:
    ends = sorted(pair, key=_key)
    who = " and ".join(str(end) for end in sorted(by, key=_key))
    return f"{' - '.join(map(str, ends))} (told by {who}): a port has only one cable, and others are told of these"


def _key(end: End) -> Any:
    return natural(end.device), natural(end.port)
