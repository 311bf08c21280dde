# SPDX-License-Identifier: GPL-3.0-or-later

"""What an analysis has found.

A sentence, the results that it rests on, what to do next; the gravest of many, and amounts and ages in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

DIGITS = 4
HOUR, DAY = 3600.0, 86400.0


def format_amount(value: float, unit: str = "") -> str:
    """A value with its unit, such as `0.3333 us`; whole numbers keep all their digits."""
    figure = f"{value:.0f}" if value == round(value) and abs(value) < 10**15 else f"{value:.{DIGITS}g}"
    return f"{figure} {unit}".rstrip()


def format_percent(before: float, after: float) -> str:
    """By how many percent a level has changed, in brackets with a blank before them; empty for a change from 0."""
    return f" ({100 * (after - before) / abs(before):+.3g} %)" if before else ""


def format_count(number: int, one: str, many: str = "") -> str:
    """A number and what it counts, such as `1 host` and `2 hosts`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def the_last(number: int, one: str) -> str:
    """The newest of many, such as `the last run` and `the last 2 runs`."""
    return f"the last {one if number == 1 else format_count(number, one)}"


def format_age(earlier: str | None, later: str | None) -> str:
    """How long one ISO time is before another, in the greatest whole unit, such as `3 days`.

    Empty where one is unknown, and where it is not before the other: clocks differ.
    """
    try:
        seconds = (datetime.fromisoformat(later or "") - datetime.fromisoformat(earlier or "")).total_seconds()
    except ValueError:
        return ""
    if seconds < 60:
        return "less than a minute" if seconds >= 0 else ""
    if seconds >= 2 * DAY:
        return format_count(int(seconds / DAY), "day")
    return format_count(int(seconds / HOUR), "hour") if seconds >= HOUR else format_count(int(seconds / 60), "minute")


PROBLEM, NOTABLE, NOTE = "problem", "notable", "note"
GRADES = (PROBLEM, NOTABLE, NOTE)
"""How much a finding matters: something is wrong; somebody should look; good to know. The gravest first."""
SUMMARY = "summary"
"""The kind of the sentences of a summary, which repeat what other findings say."""
RULES = "rules"
"""The origin of what our own methods find; other origins are `scriptlet NAME` and `model NAME`."""


class FindingKind(NamedTuple):
    """What a kind of finding is called on pages, and what its findings say."""

    title: str
    about: str


# In the order in which people read them. The kind of a finding is a key of this table.
FINDING_KINDS: Mapping[str, FindingKind] = {
    "cause": FindingKind("Causes", "Results that did not pass together, and what their hosts have in common."),
    "link": FindingKind("Links", "Links whose two ends disagree, and the end that disagrees with the rest."),
    "moved": FindingKind("Parts that moved", "Whether a fault followed a part by its serial number, or stayed."),
    "evidence": FindingKind("Missing evidence", "Planned results that nobody has, and values that are empty or lost."),
    "regression": FindingKind("Since the last pass", "What passed when this test last passed, and does not now."),
    "baseline": FindingKind("Against the baseline", "What differs from the run that was accepted as good."),
    "change_point": FindingKind("Changes of level", "Measurements that are at another level since a certain run."),
    "outlier": FindingKind("Outliers", "Hosts that differ from their twins in this run."),
    "groups": FindingKind("Two groups", "Twins that fall into two groups, and the attribute that tells them apart."),
    "drift": FindingKind("Drift", "Measurements that move towards a limit, and when they reach it."),
    "flake": FindingKind("Flakes", "Results that differ from try to try with the same inputs."),
    "waiver": FindingKind("Waived", "Failures that somebody has accepted, until when, and waivers that are over."),
    "coverage": FindingKind("Not covered", "Steps and values that no run has ever judged."),
    "derived": FindingKind("Derived numbers", "Ratios, rates and differences that the recipe declares."),
    "own": FindingKind("Own analysis", "What scriptlets of this recipe have found."),
    SUMMARY: FindingKind("Summary", "The run in a few sentences; those of a language model are suggestions."),
}


class ResultId(NamedTuple):
    """A result: that of a step on a host, or one of its measurements, by its name. The host of the run is ""."""

    host: str
    step: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding about a run.

    `title` is one sentence for people. `results` are the results that it rests on, the most telling first. `advice`
    says what to do next, in a technician's words; it is empty where nobody knows. `figures` are the raw figures behind
    the title, by name. `about` says what it is about: `host`, `step`, `name`, `unit`, `attribute`, `value`, whichever
    apply. `method` names the method and its rate of false alarms. `explains` is how many results that did not pass it
    accounts for. A `suggestion` comes from a heuristic or from a language model and is marked wherever it is shown.
    `action` is what is to be done in one word, and `rule` why (analysis/actions.py); both are empty until it is chosen.
    """

    kind: str
    grade: str
    title: str
    results: tuple[ResultId, ...] = ()
    advice: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    explains: int = 0
    origin: str = RULES
    suggestion: bool = False
    action: str = ""
    rule: str = ""

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts of the results that it rests on."""
        return frozenset(result.host for result in self.results)


_KIND_PLACES = {kind: place for place, kind in enumerate(FINDING_KINDS)}
_GRADE_PLACES = {grade: place for place, grade in enumerate(GRADES)}


def most_important_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by grade, by how many results a finding explains, and by kind; findings that are equal keep their order."""
    return sorted(findings, key=lambda one: (_GRADE_PLACES[one.grade], -one.explains, _KIND_PLACES[one.kind]))


def finding_to_record(finding: Finding) -> dict[str, Any]:
    """What the table `analysis` holds of a finding, by name; `finding_from_row` is the way back."""
    return {**asdict(finding), "results": [*map(list, finding.results)]}


def finding_from_row(row: Mapping[str, Any]) -> Finding:
    """The finding that a row of the table `analysis` holds, as store/reading/recorded_runs.py returns it."""
    results = tuple(ResultId(*result) for result in row["results"])
    texts = {name: row[name] or "" for name in ("title", "advice", "method", "origin", "action", "rule")}
    return Finding(
        row["kind"], row["grade"], results=results, figures=row["figures"], about=row["about"],
        explains=row["explains"] or 0, suggestion=row["suggestion"], **texts,
    )  # fmt: skip


MOST_OF_ONE_KIND = 20  # findings of a kind
MOST_RESULTS = 20  # results of a finding
SHOWN = 4  # names in a sentence


def cap_findings(found: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the gravest of findings of one kind, and a note about the rest."""
    ordered = sorted(found, key=lambda one: GRADES.index(one.grade))
    yield from ordered[:MOST_OF_ONE_KIND]
    if more := ordered[MOST_OF_ONE_KIND:]:
        results = tuple(one.results[0] for one in more if one.results)[:MOST_RESULTS]
        title = f"{format_count(len(more), 'further finding')} of this kind, not listed"
        yield Finding(more[0].kind, NOTE, title, results, figures={"findings": len(more)}, method=more[0].method)
