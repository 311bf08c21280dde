# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a run the baseline of its test, by a form on its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rack_recipes import settings
from rack_recipes.archive.pins_and_baselines import accept_baseline, doubt, unfit
from rack_recipes.run.trust.check_trust import check_store
from rack_recipes.server.access.caller import AUTHOR
from rack_recipes.server.access.role_by_policy import user_of_caller
from rack_recipes.store.database_engine import open_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.web.actions.action_log import log_path, logged
from rack_recipes.web.page_model import CONFIRM, Asked, Field, Form, FormError, Page, at, check_confirmed, confirmation

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

LONGEST_NOTE = 500  # characters


def baseline_form(run: Mapping[str, Any], asked: Asked) -> Form | None:
    """The form that makes a run the baseline; None where it cannot be one, or for those who may not."""
    if unfit(run) or not asked.caller.has_role(AUTHOR):
        return None
    note = Field("note", "Why it is good", value=asked.form.get("note", ""), error=asked.errors.get("note", ""))
    why = doubt(run)
    fields = [note, confirmation("Accept it although it did not pass", why, asked)] if why else [note]
    about = "Later runs of this test are compared with it, and it is kept when old runs are pruned."
    return Form("baseline", "Make it the baseline", at("runs", run["run_id"], "baseline"), "Accept as baseline",
                about, fields, asked.errors.get("", ""))  # fmt: skip


def accept(source: PageSource, asked: Asked) -> Page:
    """Make a run the baseline of its test; the store says who did it. Raises FormError, UsageError, TrustError."""
    note = asked.form.get("note", "").strip()
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise FormError({"note": f"expected one line of text, at most {LONGEST_NOTE} characters"})
    run = recorded_runs.run(source.store(), recorded_runs.find(source.store(), asked.names["run"]))
    if why := unfit(run):
        raise FormError({"": why})
    if doubted := doubt(run):
        check_confirmed(asked, doubted)
    about = {"run": run["run_id"], "note": note, **({CONFIRM: run["status"]} if doubted else {})}
    with logged(log_path(source.runs), asked.caller, "accept baseline", about):
        check_store("change", settings.load(), user_of_caller(asked.caller))
        store = open_store(source.db)
        try:
            row = accept_baseline(store, source.runs, run, asked.caller.name, note)
        finally:
            store.dispose()
    return Page("Baseline", moved_to=at("runs", run["run_id"]), data={**row})
