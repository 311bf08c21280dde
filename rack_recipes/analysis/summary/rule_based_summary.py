# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A summary by rules: three to six sentences that are made of the findings, each with the results that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rack_recipes.analysis.findings import NOTE, Finding
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.summary.facts import Fact, run_fact

KIND = "summary"
MOST_FINDINGS = 3  # that are named, so that there is room for what to do next


def by_rules(run: RunData, findings: Sequence[Finding]) -> list[Finding]:
    """The sentences as findings. `findings` are those of the run, the most important first."""
    return [*_sentences(run_fact(run), [one for one in findings if one.kind != KIND])]


def _sentences(about: Fact, findings: Sequence[Finding]) -> Iterator[Finding]:
    figures = {name: slot.value for name, slot in about.slots.items()}
    for text in (_counts(about), _not_run(about)):
        yield Finding(KIND, NOTE, text, about.results, figures=figures)
    for found in islice(findings, MOST_FINDINGS):
        yield Finding(KIND, NOTE, _ended(found.title), found.results, figures=found.figures, about={"kind": found.kind})
    if not findings:
        yield Finding(KIND, NOTE, "The analysis has found nothing that stands out.", about.results, figures=figures)
    elif findings[0].advice:
        yield Finding(KIND, NOTE, _ended(f"Next: {findings[0].advice}"), findings[0].results)


def _counts(about: Fact) -> str:
    number = {name: slot.text for name, slot in about.slots.items()}
    hosts = f"{number['hosts']} {_plural('host', number['hosts'])}"
    if number["not_passed"] == "0":
        return f"{about.says} Of {number['results']} results on {hosts}, all passed."
    some = f"{number['not_passed']} of {number['results']} results did not pass"
    return f"{about.says} {some}, on {number['hosts_not_passed']} of {hosts}."


def _not_run(about: Fact) -> str:
    number = about.slots["not_run"].text
    return f"{number} planned {_plural('result', number)} {'was' if number == '1' else 'were'} not run."


def _plural(word: str, number: str) -> str:
    return word if number == "1" else f"{word}s"


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
