# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an analysis has found: one sentence, the results that it rests on, the figures behind it, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PROBLEM, NOTABLE, NOTE = "problem", "notable", "note"
GRADES = (PROBLEM, NOTABLE, NOTE)
"""How much a finding matters: something is wrong; somebody should look; good to know. The gravest first."""

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
    "summary": FindingKind("Summary", "The run in a few sentences; those of a language model are suggestions."),
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


_KIND_PLACES = {kind: place for place, kind in enumerate(FINDING_KINDS)}
_GRADE_PLACES = {grade: place for place, grade in enumerate(GRADES)}


def most_important_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by grade, by how many results a finding explains, and by kind; findings that are equal keep their order."""
    return sorted(findings, key=lambda one: (_GRADE_PLACES[one.grade], -one.explains, _KIND_PLACES[one.kind]))


def from_row(row: Mapping[str, Any]) -> Finding:
    """The finding that a row of the table `analysis` holds, as store/reading/recorded_runs.py returns it."""
    results = tuple(ResultId(*result) for result in row["results"])
    texts = {name: row[name] or "" for name in ("title", "advice", "method", "origin")}
    return Finding(
        row["kind"], row["grade"], results=results, figures=row["figures"], about=row["about"],
        explains=row["explains"] or 0, suggestion=row["suggestion"], **texts,
    )  # fmt: skip
