# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run: by a language model where the settings name one, and by rules otherwise, or if that fails."""

from __future__ import annotations

from collections.abc import Sequence

from rack_recipes.analysis.findings import NOTE, Finding
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.summary.rule_based_summary import KIND, by_rules
from rack_recipes.settings import Settings


def summary(run: RunData, findings: Sequence[Finding], settings: Settings) -> list[Finding]:
    """The sentences of a summary as findings of the kind `summary`.

    `findings` are those of the run, the most important first. Where a model was asked in vain, or sentences of it were
    left out, the last one says why. It never raises: no report fails because of a summary.
    """
    if not settings.summary_url:
        return by_rules(run, findings)
    # a summary by rules does not pay for what HTTP needs
    from rack_recipes.analysis.summary.facts import facts_of
    from rack_recipes.analysis.summary.model_summary import by_model

    made = by_model(facts_of(run, findings), settings)
    if made.findings:
        return [*made.findings, *_noted(made.note)]
    return [*by_rules(run, findings), *_noted(f"This summary is made by rules, not by a model: {made.note}")]


def _noted(text: str) -> list[Finding]:
    return [Finding(KIND, NOTE, f"{text}.")] if text else []
