# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Analyse a run: every method of the table below looks at the run and its history, and adds its findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.findings import Finding, most_important_first
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData, load

if TYPE_CHECKING:
    from sqlalchemy import Engine

ANALYSERS: Sequence[str] = ()
"""The modules of this folder whose function `findings(engine, run)` yields findings; they are imported when needed."""


def analyse(engine: Engine, run: RunData) -> list[Finding]:
    """All findings about a run, the most important first. Raises StoreError where the history cannot be read."""
    return most_important_first(found for name in ANALYSERS for found in _findings(name, engine, run))


def analyse_run(engine: Engine, run_id: str) -> list[Finding]:
    """All findings about the run with this id. Raises UsageError for an unknown run, and StoreError."""
    return analyse(engine, load(engine, run_id))


def _findings(name: str, engine: Engine, run: RunData) -> Iterable[Finding]:
    found: Iterable[Finding] = import_module(f"{__package__}.{name}").findings(engine, run)
    return found
