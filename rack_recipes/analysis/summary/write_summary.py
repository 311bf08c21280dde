# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run: by a language model where the settings name one, and by rules otherwise, or if that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rack_recipes.analysis.findings import NOTE, SUMMARY, Finding
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.summary.facts import Fact, run_fact
from rack_recipes.settings import Settings

MOST_FINDINGS = 3  # that are named, so that there is room for what to do next


def summarise_by_rules(run: RunData, findings: Sequence[Finding]) -> list[Finding]:
    """The sentences as findings. `findings` are those of the run, the most important first."""
    return [*_sentences(run_fact(run), [one for one in findings if one.kind != SUMMARY])]


def _sentences(about: Fact, findings: Sequence[Finding]) -> Iterator[Finding]:
    figures = {name: slot.value for name, slot in about.slots.items()}
    for text in (_counts(about), _not_run(about)):
        yield Finding(SUMMARY, NOTE, text, about.results, figures=figures)
    for found in islice(findings, MOST_FINDINGS):
        yield Finding(
            SUMMARY, NOTE, _ended(found.title), found.results, figures=found.figures, about={"kind": found.kind}
        )
    if not findings:
        yield Finding(SUMMARY, NOTE, "The analysis has found nothing that stands out.", about.results, figures=figures)
    elif findings[0].advice:
        yield Finding(SUMMARY, NOTE, _ended(f"Next: {findings[0].advice}"), findings[0].results)


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


def summarise(run: RunData, findings: Sequence[Finding], settings: Settings) -> list[Finding]:
    """The sentences of a summary as findings of the kind `summary`.

    `findings` are those of the run, the most important first. Where a model was asked in vain, or sentences of it were
    left out, the last one says why. It never raises: no report fails because of a summary.
    """
    if not settings.summary_url:
        return summarise_by_rules(run, findings)
    # a summary by rules does not pay for what HTTP needs
    from rack_recipes.analysis.summary.facts import facts_of
    from rack_recipes.analysis.summary.model_summary import summarise_by_model

    made = summarise_by_model(facts_of(run, findings), settings)
    if made.findings:
        return [*made.findings, *_noted(made.note)]
    return [*summarise_by_rules(run, findings), *_noted(f"This summary is made by rules, not by a model: {made.note}")]


def _noted(text: str) -> list[Finding]:
    return [Finding(SUMMARY, NOTE, f"{text}.")] if text else []
