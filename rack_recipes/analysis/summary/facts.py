# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts that a summary may speak of: those of the run, and its findings, each with an id and with slots.

A slot is a name in braces, such as `{r1.hosts}`. It stands for a number or a name, and only code fills it in. Text from
hosts is quoted as data: cut, and with its control characters visible. Logs and values of the context are no facts.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.analysis.findings import SUMMARY, Finding, ResultId
from rack_recipes.analysis.run_data import RunData
from rack_recipes.visible_text import cut, visible

MOST_FINDINGS = 30
MOST_RESULTS = 100  # that the fact about the run names
MOST_NAMES = 5  # in one slot
LONGEST_TEXT = 300  # characters of a title or of advice
LONGEST_NAME = 80
LARGEST = 10**15  # a greater number is not shown as one

RUN = "r0"
SLOT_NAME = re.compile(r"[a-z][a-z0-9_]*")
NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/|www\.|mailto:|javascript:|data:", re.IGNORECASE)
WITH_UNIT = frozenset(("value", "mean", "median", "limit"))  # figures that have the unit of what a finding is about
HARMFUL = str.maketrans({"<": "\\u003c", ">": "\\u003e", "`": "\\u0060"})


@dataclass(frozen=True, slots=True)
class Slot:
    """What stands for a slot in a sentence, and the value that it is made of."""

    text: str
    value: Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: a sentence cites it by its `id`. `says` and `advice` are quoted."""

    id: str
    kind: str
    says: str
    results: tuple[ResultId, ...]
    grade: str = ""
    advice: str = ""
    slots: Mapping[str, Slot] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """The fact as it is shown to a model."""
        slots = {f"{{{self.id}.{name}}}": slot.text for name, slot in self.slots.items()}
        texts = {"id": self.id, "kind": self.kind, "grade": self.grade, "says": self.says, "advice": self.advice}
        return {**{name: text for name, text in texts.items() if text}, "slots": slots}


def facts_of(run: RunData, findings: Sequence[Finding]) -> list[Fact]:
    """The fact about the run, and those of the first findings, which are the most important ones."""
    found = [one for one in findings if one.kind != SUMMARY][:MOST_FINDINGS]
    return [run_fact(run), *(_fact(f"r{n}", finding) for n, finding in enumerate(found, 1))]


def to_text(facts: Sequence[Fact]) -> str:
    """The facts as ASCII, so that nothing in them can end the quotation, or hide."""
    return json.dumps({"facts": [fact.to_data() for fact in facts]}, ensure_ascii=True).translate(HARMFUL)


def run_fact(run: RunData) -> Fact:
    """What became of the run: counts of results and of hosts. It names the results that did not pass, or else all."""
    rows = [row for row in run.steps if not row.get("instances")]
    tried = [row for row in rows if row["verdict"] not in NOT_TRIED]
    bad = [row for row in tried if row["verdict"] not in PASSING]
    counts = {
        "results": len(tried),
        "not_passed": len(bad),
        "not_run": len(rows) - len(tried),
        "hosts": len({row["host"] for row in tried} - {""}),
        "hosts_not_passed": len({row["host"] for row in bad} - {""}),
        **Counter(row["verdict"] for row in rows),
    }
    named = tuple(ResultId(row["host"], row["step"]) for row in (bad or tried or rows)[:MOST_RESULTS])
    says = f"The run ended as {quote(str(run.run.get('status') or 'unknown'), LONGEST_NAME)}."
    return Fact(RUN, "run", says, named, slots={name: _number(count) for name, count in counts.items()})


def _fact(name: str, finding: Finding) -> Fact:
    says, advice = (quote(text, LONGEST_TEXT) for text in (finding.title, finding.advice))
    return Fact(name, finding.kind, says, finding.results, finding.grade, advice, dict(_slots(finding)))


def quote(text: str, longest: int) -> str:
    """Text from hosts on one line, cut, with its control characters visible."""
    return cut(" ".join(visible(text).split()), longest)


def _slots(finding: Finding) -> Iterator[tuple[str, Slot]]:
    """The slots of a finding: what it is about, its figures, and how many results and hosts it names."""
    hosts = [*dict.fromkeys(result.host for result in finding.results if result.host)]
    counted = {"results": len(finding.results), "hosts": len(hosts), "host_names": hosts}
    explains = {"explains": finding.explains} if finding.explains else {}
    unit = finding.about.get("unit")
    for name, value in {**finding.about, **finding.figures, **counted, **explains}.items():
        slot = _slot(value, unit if isinstance(unit, str) and name in WITH_UNIT else "")
        slot_name = NOT_IN_NAME.sub("_", name.lower()).strip("_")
        if slot and SLOT_NAME.fullmatch(slot_name):
            yield slot_name, slot


def _slot(value: object, unit: str) -> Slot | None:
    """A number with its unit, a name or a few names; None for anything else, and for what is an address."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, unit) if abs(value) < LARGEST else None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        return None
    text = ", ".join(quote(name, LONGEST_NAME) for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return None if ADDRESS.search(text) else Slot(text + more, value)


def _number(value: float, unit: str = "") -> Slot:
    text = str(value) if isinstance(value, int) or math.isnan(value) else f"{value:.6g}"
    return Slot(f"{text} {quote(unit, LONGEST_NAME)}" if unit and not ADDRESS.search(unit) else text, value)
