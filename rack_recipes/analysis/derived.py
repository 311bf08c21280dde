# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers that a recipe derives of two others on each host: ratios, rates and differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import isnan

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few
from rack_recipes.analysis.capped_findings import MOST_RESULTS, SHOWN
from rack_recipes.analysis.findings import NOTABLE, NOTE, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.measured_and_context_numbers import values
from rack_recipes.analysis.methods.moments_without_numpy import moments
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.run_plan import plan_of
from rack_recipes.analysis.wording import amount, plural
from rack_recipes.natural_order import natural
from rack_recipes.recipe.recipe_model import Derived

METHOD = "computed of two numbers of the same host, as the recipe says; nothing is estimated"
CHECK = "Look why one of its two numbers is missing or 0 on these hosts; no value was put in its place."
RUN = "(run)"
WORDS: Mapping[str, str] = {
    "ratio": "ratio of {} to {}", "rate": "{} for each unit of {}", "difference": "{} less {}",
}  # fmt: skip
"""The definition of each kind in words."""

Numbers = Mapping[str, float]  # by host


@dataclass(frozen=True, slots=True)
class DerivedNumbers:
    """A derived number: its `numbers` by host, and by host why there is none (`lost`)."""

    name: str
    unit: str
    definition: str
    numbers: Numbers
    lost: Mapping[str, str]


def findings(run: RunData, _history: History) -> Iterator[Finding]:
    """Yield a finding of the kind `derived` for each derived number, and one of `evidence` where some are missing."""
    for derived in derived_numbers(run):
        if derived.numbers:
            yield _told(derived)
        if derived.lost:
            yield _lost(derived)


def derived_numbers(run: RunData) -> list[DerivedNumbers]:
    """What the recipe of a run derives; nothing where nobody knows its plan any more."""
    declared = _declared(run)
    if not declared:
        return []
    operands = {operand for one in declared.values() for operand in (one.of, one.to)}
    found: dict[str, dict[str, float]] = {operand: {} for operand in operands}
    for metric, host, number in values(run):
        operand = f"{metric.step}:{metric.name}" if metric.step else metric.name
        if operand in found:
            found[operand][host] = number
    return [_derived(name, one, found[one.of], found[one.to]) for name, one in declared.items()]


def _declared(run: RunData) -> Mapping[str, Derived]:
    plan = plan_of(run)
    with suppress(TypeError):  # of a later version, or damaged
        return {name: Derived(**one) for name, one in plan.derived.items()} if plan else {}
    return {}


def _derived(name: str, one: Derived, of: Numbers, to: Numbers) -> DerivedNumbers:
    """Compute it on each host that has one of its numbers; a number of the run itself serves every host."""
    hosts = sorted({*of, *to} - {""} or {*of, *to}, key=natural)
    pairs = {host: (of.get(host, of.get("")), to.get(host, to.get(""))) for host in hosts}
    numbers, lost = {}, {}
    for host, (first, second) in pairs.items():
        if first is None or second is None:
            lost[host] = f"{one.of if first is None else one.to} is missing"
        elif one.kind == "difference":
            numbers[host] = first - second
        elif second:
            numbers[host] = first / second
        else:
            lost[host] = f"{one.to} is 0"
    return DerivedNumbers(name, one.unit, WORDS[one.kind].format(one.of, one.to), numbers, lost)


def _told(derived: DerivedNumbers) -> Finding:
    found = moments([*derived.numbers.values()])
    middle = f"median {amount(found.median, derived.unit)} on {plural(found.count, 'host')}"
    ends = f"from {amount(found.least, derived.unit)} to {amount(found.greatest, derived.unit)}"
    title = f"{derived.name} ({derived.definition}): {middle}, {ends}"
    known = {name: value for name, value in asdict(found).items() if not isnan(value)}
    about = {"name": derived.name, "unit": derived.unit}
    figures = {**known, "values": dict([*derived.numbers.items()][:MOST_RESULTS])}
    return Finding("derived", NOTE, title, figures=figures, about=about, method=METHOD)


def _lost(derived: DerivedNumbers) -> Finding:
    states: Sequence[str] = [f"{host or RUN} ({reason})" for host, reason in derived.lost.items()]
    title = f"{derived.name} cannot be computed on {plural(len(states), 'host')}: {few(states, SHOWN)}"
    results = tuple(ResultId(host, "") for host in [*derived.lost][:MOST_RESULTS])
    figures = {"lost": len(states), "hosts": len(states) + len(derived.numbers)}
    return Finding("evidence", NOTABLE, title, results, CHECK, figures, {"name": derived.name}, METHOD)
