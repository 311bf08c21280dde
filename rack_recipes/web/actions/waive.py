# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waive a failure, by a form on the page of its result: an entry in the project's file of waivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rack_recipes import settings
from rack_recipes.recipe.waiver_file import ALL_HOSTS, add_waiver, entry_errors, waivers_path
from rack_recipes.recipe.waivers import USUAL
from rack_recipes.report.table_model import RUN_SCOPED
from rack_recipes.run.trust.check_trust import check_waivers
from rack_recipes.server.access.caller import AUTHOR
from rack_recipes.server.access.role_by_policy import user_of_caller
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.counts_and_short_results import result
from rack_recipes.web.actions.action_log import log_path, logged
from rack_recipes.web.page_model import Asked, Field, Form, FormError, NoSuchPageError, Page, at

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

FIELDS = (
    Field("reason", "Why it is accepted, such as a ticket", required=True),
    Field("until", "Until which day (UTC)", "date"),
    Field("passes", "Or until so many passes in a row", "number", limits={"min": "1"}),
    Field(
        "hosts", "Hosts", about=f"names or patterns, separated by commas; {ALL_HOSTS} for all of them", required=True
    ),
)
NOTHING_YET = "so that it holds in the runs from now on; this run stays as it is"


def waiver_form(verdict: str, asked: Asked) -> Form | None:
    """The form that waives a result; None where there is nothing to waive, or for those who may not."""
    if verdict not in USUAL or not asked.caller.has_role(AUTHOR):
        return None
    first = {"hosts": asked.names["host"] if asked.names["host"] != RUN_SCOPED else ALL_HOSTS, **asked.form}
    fields = [
        Field(one.name, one.label, one.kind, first.get(one.name, ""), one.about, asked.errors.get(one.name, ""),
              one.required, limits=one.limits)
        for one in FIELDS
    ]  # fmt: skip
    address = at("runs", asked.names["run"], "hosts", asked.names["host"], asked.names["step"], "waiver")
    about = f"An entry in the project's file of waivers, {NOTHING_YET}."
    return Form("waive", "Waive it", address, "Waive", about, fields, asked.errors.get("", ""))


def waive(source: PageSource, asked: Asked) -> Page:
    """Add a waiver for the step of a result; the file says who did it.

    Raises FormError, NoSuchPageError, UsageError, TrustError.
    """
    run = recorded_runs.run(source.store(), recorded_runs.find(source.store(), asked.names["run"]))
    host, step = asked.names["host"], asked.names["step"]
    if result(source.store(), run["run_id"], "" if host == RUN_SCOPED else host, step) is None:
        raise NoSuchPageError(
            f"run {run['run_id']} has no step {step[:80]!r} on {host[:80]!r}, so there is nothing to waive"
        )
    entry = _entry(run, asked)
    if errors := entry_errors(entry):
        raise FormError(errors)
    found = settings.load()
    with logged(log_path(source.runs), asked.caller, "waive", {"run": run["run_id"], **entry}):
        cases = [(entry["step"], entry["hosts"])]
        check_waivers(str(run["recipe"] or ""), cases, found, None, user_of_caller(asked.caller))
        waiver = add_waiver(waivers_path(found), entry)
    return Page("Waiver", moved_to=at("runs", run["run_id"], "hosts", host, step), data={"waiver": waiver.to_data()})


def _entry(run: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The entry that a form asks for; what is wrong with it is found where the file is checked."""
    given = {one.name: asked.form.get(one.name, "").strip() for one in FIELDS}
    passes = given["passes"]
    entry = {
        "step": asked.names["step"],
        "test_id": run["test_id"],
        "hosts": [name for part in given["hosts"].split(",") if (name := part.strip())],
        "reason": given["reason"],
        "who": asked.caller.name,
        "until": given["until"],
        "passes": int(passes) if passes.isdecimal() and len(passes) < 9 else passes,
    }
    return {name: value for name, value in entry.items() if value not in (None, "", [])}
