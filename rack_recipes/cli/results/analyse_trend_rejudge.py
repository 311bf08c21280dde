# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands analyse, trend and rejudge: findings of a run, a measurement over runs, judgements by other limits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.results.diff_and_baseline import NOTHING_COMPARED
from rack_recipes.cli.terminal import format_table, painter, printable, value_text
from rack_recipes.errors import StoreError, counted
from rack_recipes.journal.step_results_and_end_status import counts_in_words

if TYPE_CHECKING:
    from rack_recipes.analysis.findings import Finding
    from rack_recipes.analysis.rejudge import Judged
    from rack_recipes.analysis.run_data import RunData
MOST_REASONS = 10


@takes(
    """
    [RUN]
    --last N=20  compare with the last N earlier runs (default: 20)
    --summary
    --db URL
    examples:
    rack-recipes analyse
    rack-recipes analyse 20261125-1444 --last 50
    rack-recipes analyse --json | jq '.findings[] | select(.grade == "problem").title'
    """
)
def analyse(options: argparse.Namespace) -> Answer:
    """Find what a run has to tell: causes, what is worse than before, hosts that differ from their twins, changes.

    A run is compared with the earlier runs of its test. Runs in check mode and runs that have not ended do not count.
    The findings are stored, so that `show`, reports and other programs have the same. They replace those of an earlier
    analysis; a summary that was made after the run had ended stays until there is a new one. Each finding says by which
    method it was made, and how often that method is wrong.
    """
    from rack_recipes import settings
    from rack_recipes.analysis.analyse_run import analyse as findings_of
    from rack_recipes.analysis.analyse_run import store_findings_at, with_summary
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.cli.results.show_runs import finding_lines, state_in_words
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        run, project = load_run_data(store, run_id, recorded_runs.judged), settings.load()
        found = with_summary(store, run, findings_of(store, run, options.last), project if options.summary else None)
    is_stored = True
    try:
        store_findings_at(options.db or project.db, run_id, found)
    except StoreError as error:
        is_stored = False
        sys.stderr.write(f"the findings are not stored: {error}\n")
    if options.json:
        findings: list[dict[str, Any]] = [asdict(one) for one in found]
        about = {name: run.run[name] for name in ("status", "counts", "ended")}
        return {"run_id": run_id, **about, "stored": is_stored, "findings": findings}, 0
    head = f"run {run_id} {state_in_words(run.run)}\n"
    return "".join([head, *_unsaid_lines(run, found), *finding_lines(found)]), 0


def _unsaid_lines(run: RunData, findings: Sequence[Finding]) -> Iterator[str]:
    """What did not pass, where there are no findings but notes; and where there is nothing at all, that."""
    from rack_recipes.analysis.findings import NOTE
    from rack_recipes.analysis.run_statistics import reasons

    bad = () if any(one.grade != NOTE for one in findings) else reasons(run)
    if bad:
        yield "no finding says why this did not pass:\n"
    elif not findings:
        yield "nothing was found\n"
    for row in bad[:MOST_REASONS]:
        on = row["first_host"] or "the run"
        more = f" and {counted(row['hosts'] - 1, 'other host')}" if row["hosts"] > 1 else ""
        yield printable(f"{row['verdict']}: {row['step']} on {on}{more}: {row['reason']}") + "\n"


TREND_TITLES = ("run", "started", "value", "")
Told = dict[str, Any]


@takes(
    """
    [KEY]  a measurement's name, or a number's path in the context (left out: it is told which there are)
    --host HOST=  only this host (default: the median of each class)
    --step NAME=  only what this step has measured
    --last N=20  the last N runs that have it (default: 20)
    --run RUN=  up to this run (default: the newest that has it)
    --db URL
    examples:
    rack-recipes trend latency --step ping
    rack-recipes trend numbers.stats_v1.mean --host r1 --last 50
    """
)
def trend(options: argparse.Namespace) -> Answer:
    """Show a measurement, or a number inside of the context, over the last runs of a test.

    Hosts of one class (attribute `class`, or `model` and `role`) are shown by their median. Where there are fewer than
    four, each host is shown. A result that was used again is no new value. Below the values stand those beyond their
    limits, changes of level, the slope with its 95 % interval, the limit and when the slope leads to it, and the hosts,
    racks and other groups that move away from their twins. With fewer than ten runs none of the last four is told.
    """
    from rack_recipes.analysis.stored_trends import check_key, stored_trends

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db) if options.run else ""
        if not (run_id and options.key):
            check_key(store, options.key)
        found, told = stored_trends(store, options.key, options.host, options.step, options.last, run_id)
    if options.json:
        return {"key": options.key, "run_id": found, "series": told}, 0
    return "\n".join("".join(_trend_as_lines(one)) for one in told), 0


def _trend_as_lines(told: Told) -> Iterator[str]:
    from rack_recipes.analysis.stored_trends import limits_told, told_in_words

    number = f" (number {told['number']})" if told["number"] > 1 else ""
    of = f" of {told['step']}" if told["step"] else ""
    limits = f", {limits}" if (limits := limits_told(told)) else ""
    window = f"; {told['runs']} of {told['of_runs']} runs (--last)" if told["runs"] < told["of_runs"] else ""
    yield printable(f"{told['name']}{number}{of}, {told['whose']}{limits}{window}") + "\n"
    changes = {change["since"]: change for change in told["changes"]}
    rows = []
    for one in told["values"]:
        hosts = f"{len(one['beyond'])} of {len(told['hosts'])} hosts " if len(told["hosts"]) > 1 else ""
        marks = (_mark(changes.get(one["run_id"])), f"{hosts}beyond the limit" if one["beyond"] else "")
        value = f"{one['value']:g} {told['unit']}".rstrip()
        rows.append([one["run_id"], one["started"], value, "; ".join(filter(None, marks))])
    yield format_table(TREND_TITLES, rows)
    yield from (printable(sentence) + "\n" for sentence in told_in_words(told))


def _mark(change: Told | None) -> str:
    return f"level {change['before']:g} -> {change['after']:g} (p {change['p']:.2g})" if change else ""


JUDGEMENT_TITLES = ("was", "", "now", "name", "value", "step", "host", "why")


@takes(
    """
    RUN  the run: its id, its beginning, or `last`
    --limits FILE  YAML file with the new limits
    --exit-code  for CI: end with 1 if a measurement fails that passed before, or had no limit; otherwise with 0
    --db URL
    examples:
    rack-recipes rejudge 20261125-14 --limits limits.yml
    rack-recipes rejudge 20261125-14 --limits limits.yml --json --exit-code
    """,
    limits={"required": True},
)
def rejudge(options: argparse.Namespace) -> Answer:
    """Judge the stored measurements of a run by other limits, and tell what changes. Nothing is run.

    The run and its verdicts stay as they are: the store gets a judgement more, which `show` and reports tell of. The
    file lists limits, each with `measurement`, the criteria of recipes (`min`, `max`, `within`, `one_of`, `eq`, `ne`,
    `matches`, `warn`), and `step` and `unit` where they matter; * stands for any text, and the first that fits counts.
    Limits that are for no measurement of the run are named on stderr; if all are, it ends with exit code 4.
    """
    from rack_recipes import settings
    from rack_recipes.analysis.rejudge import count_verdicts, unused
    from rack_recipes.analysis.rejudge import rejudge as judge
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.recipe.limits_file import read_limits
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.store.writing.write_rows import add_judgement

    limits = read_limits(options.limits)
    check_store("change", settings.load())
    with open_store(options, writing=True) as store:
        run_id = run_id_of(store, options.run, options.db)
        run = load_run_data(store, run_id)
        judged = judge(run.measurements, limits.limits, run.attributes)
        changed = [one for one in judged if one.has_changed]
        told: dict[str, Any] = {
            "limits": limits.data,
            "counts": count_verdicts(judged),
            "changes": [one.to_data() for one in changed],
        }
        number = add_judgement(store, run_id, {**_by_whom(), "source": limits.path, "digest": limits.digest, **told})
    lost = [*unused(run.measurements, limits.limits, run.attributes)]
    sys.stderr.writelines(f"{limits.path}: {text}\n" for text in lost)
    worse = [one for one in changed if one.is_worse]
    code = NOTHING_COMPARED if not judged else 1 if options.exit_code and worse else 0
    if options.json:
        answer = {"run": run_id, "unused": lost, "judgement": number, "source": limits.path, "digest": limits.digest}
        return {**answer, "judged": len(judged), **told, "worse": len(worse)}, code
    return "".join(_judgement_lines(run_id, number, judged, changed, told["counts"])), code


def _by_whom() -> dict[str, str]:
    from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
    from rack_recipes.run.trust.os_user import this_user

    return {"time": now(), "user": this_user().name}


def _judgement_lines(
    run_id: str, number: int, judged: Sequence[Judged], changed: Sequence[Judged], verdicts: Mapping[str, int]
) -> Iterator[str]:
    if not judged:
        yield "no measurement of this run has a new limit\n"
    else:
        yield f"{counted(len(judged), 'measurement')} judged anew: {counts_in_words(verdicts)}\n"
        yield (
            format_table(JUDGEMENT_TITLES, [*map(_row, changed)], painter(sys.stdout))
            if changed
            else "no verdict changes\n"
        )
    yield f"judgement {number} of run {run_id}; the run itself stays as it is\n"


def _row(one: Judged) -> tuple[str, ...]:
    row = one.row
    value = f"{value_text(row['value'])} {row['unit'] or ''}".rstrip()
    told: tuple[Any, ...] = (one.before or "-", "->", one.after, row["name"], value)
    return (*told, row["step"], row["host"] or "run", one.why)
