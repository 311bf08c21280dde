# SPDX-License-Identifier: GPL-3.0-or-later

"""Forms on the pages of a run: stop it, make it the baseline of its test, waive a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rack_recipes import settings
from rack_recipes.archive.pins_and_baselines import accept_baseline, doubt, unfit
from rack_recipes.recipe.waiver_file import ALL_HOSTS, add_waiver, entry_errors, waivers_path
from rack_recipes.recipe.waivers import USUAL
from rack_recipes.report.table_model import RUN_SCOPED
from rack_recipes.run.stop_run import stop_run
from rack_recipes.run.trust.check_trust import check_store, check_waivers
from rack_recipes.server.access.caller import AUTHOR, OPERATOR
from rack_recipes.server.access.identify import user_of_caller
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading.counts_and_short_results import result
from rack_recipes.web.actions.action_log import log_action, log_path
from rack_recipes.web.page_model import (
    CONFIRM,
    Asked,
    Field,
    Form,
    FormError,
    NoSuchPageError,
    Page,
    check_confirmed,
    confirmation,
    page_address,
)

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource
WHAT = "Steps that run are ended on their hosts, what is left is not tried, and closing steps do not run."


def stop_form(run_id: str, asked: Asked) -> Form | None:
    """The form that stops a run; None for those who may not."""
    if not asked.caller.has_role(OPERATOR):
        return None
    fields = [confirmation("End it now", WHAT, asked)]
    return Form("stop", "Stop it", page_address("runs", run_id, "stop"), "Stop this run", fields=fields)


def stop(source: PageSource, asked: Asked) -> Page:
    """Stop a run as Ctrl-C does; its journal says who asked for it. A program is not asked once more.

    Raises NoSuchPageError, FormError, UsageError.
    """
    live = source.live(asked.names["run"])
    if live is None:
        raise NoSuchPageError(f"run {asked.names['run'][:80]} does not go on here, so there is nothing to stop")
    if not asked.as_data:
        check_confirmed(asked, WHAT)
    with log_action(log_path(source.runs), asked.caller, "stop", {"run": live.run_id}):
        stop_run(source.runs / live.run_id, asked.caller.name)
    return Page("Stop", moved_to=page_address("runs", live.run_id), data={"run_id": live.run_id, "stopping": True})


LONGEST_NOTE = 500  # characters


def baseline_form(run: Mapping[str, object], asked: Asked) -> Form | None:
    """The form that makes a run the baseline; None where it cannot be one, or for those who may not."""
    if unfit(run) or not asked.caller.has_role(AUTHOR):
        return None
    note = Field("note", "Why it is good", value=asked.form.get("note", ""), error=asked.errors.get("note", ""))
    why = doubt(run)
    fields = [note, confirmation("Accept it although it did not pass", why, asked)] if why else [note]
    about = "Later runs of this test are compared with it, and it is kept when old runs are pruned."
    address = page_address("runs", run["run_id"], "baseline")
    return Form(
        "baseline", "Make it the baseline", address, "Accept as baseline", about, fields, asked.errors.get("", "")
    )


def accept(source: PageSource, asked: Asked) -> Page:
    """Make a run the baseline of its test; the store says who did it. Raises FormError, UsageError, TrustError."""
    note = asked.form.get("note", "").strip()
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise FormError({"note": f"expected one line of text, at most {LONGEST_NOTE} characters"})
    run = source.run_of(asked.names["run"])
    if why := unfit(run):
        raise FormError({"": why})
    if doubted := doubt(run):
        check_confirmed(asked, doubted)
    about = {"run": run["run_id"], "note": note, **({CONFIRM: run["status"]} if doubted else {})}
    with log_action(log_path(source.runs), asked.caller, "accept baseline", about):
        check_store("change", settings.load(), user_of_caller(asked.caller))
        store = connect_store(source.db)
        try:
            row = accept_baseline(store, source.runs, run, asked.caller.name, note)
        finally:
            store.dispose()
    return Page("Baseline", moved_to=page_address("runs", run["run_id"]), data={**row})


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
    fields = [replace(one, value=first.get(one.name, ""), error=asked.errors.get(one.name, "")) for one in FIELDS]
    address = page_address("runs", asked.names["run"], "hosts", asked.names["host"], asked.names["step"], "waiver")
    about = f"An entry in the project's file of waivers, {NOTHING_YET}."
    return Form("waive", "Waive it", address, "Waive", about, fields, asked.errors.get("", ""))


def waive(source: PageSource, asked: Asked) -> Page:
    """Add a waiver for the step of a result; the file says who did it.

    Raises FormError, NoSuchPageError, UsageError, TrustError.
    """
    run = source.run_of(asked.names["run"])
    host, step = asked.names["host"], asked.names["step"]
    if result(source.store(), run["run_id"], "" if host == RUN_SCOPED else host, step) is None:
        raise NoSuchPageError(
            f"run {run['run_id']} has no step {step[:80]!r} on {host[:80]!r}, so there is nothing to waive"
        )
    entry = _entry(run, asked)
    if errors := entry_errors(entry):
        raise FormError(errors)
    found = settings.load()
    with log_action(log_path(source.runs), asked.caller, "waive", {"run": run["run_id"], **entry}):
        cases = [(entry["step"], entry["hosts"])]
        check_waivers(str(run["recipe"] or ""), cases, found, None, user_of_caller(asked.caller))
        waiver = add_waiver(waivers_path(found), entry)
    return Page(
        "Waiver", moved_to=page_address("runs", run["run_id"], "hosts", host, step), data={"waiver": waiver.to_data()}
    )


def _entry(run: Mapping[str, object], asked: Asked) -> dict[str, Any]:
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
