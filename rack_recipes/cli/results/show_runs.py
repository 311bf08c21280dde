# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands runs and show, and findings and parts of a run as lines of text, which other commands print too."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import GREEN, HARMLESS, PASSING, RED, YELLOW
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table, painter, printable, takes_colours, value_text
from rack_recipes.journal.step_results_and_end_status import counts_in_words, stopped_in_words, why_nothing_passed

if TYPE_CHECKING:
    from rack_recipes.analysis.findings import Finding


def finding_lines(findings: Sequence[Finding], *, in_full: bool = True) -> Iterator[str]:
    """Each finding with its grade; in full also with what to do next, and with the method."""
    from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM  # 16 ms, which `runs` does not need

    colours = {PROBLEM: RED, NOTABLE: YELLOW, NOTE: GREEN}
    width = max(map(len, colours))
    for one in findings:
        grade, suggestion = one.grade.ljust(width), "suggestion: " if one.suggestion else ""
        painted = f"\x1b[{colours[one.grade]}m{grade}\x1b[0m" if takes_colours(sys.stdout) else grade
        yield f"{painted}  {printable(suggestion + one.title)}\n"
        if in_full:
            action = f"action: {one.action} ({one.rule})" if one.action and one.grade != NOTE else ""
            told = (one.advice, action, f"by: {one.method}" if one.method else "")
            yield from (f"{' ' * (width + 2)}{printable(text)}\n" for text in told if text)


PART_TITLES = ("part", "state", "hosts", "controller", "run", "remarks")
NAMED = 10


def part_lines(info: Mapping[str, Any]) -> Iterator[str]:
    """Lines for people; `info` is the column `group_info` of a run, empty for one that has no parts."""
    if not info.get("told"):
        return
    rows = [
        (part["part"], part["state"], part["hosts"], part["controller"], part["run"], part["note"])
        for part in info["told"]
    ]
    yield format_table(PART_TITLES, rows, painter(sys.stdout))
    if info["missing"]:
        yield f"in no part: {printable(first_few(info['missing'], NAMED))}\n"
    yield from (f"{printable(problem)}\n" for problem in info["problems"])
    yield "\n"


MOST_LOGGED = 20
RUN_TITLES = ("run", "status", "test", "recipe", "started", "verdicts")


@takes(
    """
    -n, --number N=20  how many (default: 20)
    --db URL
    examples:
    rack-recipes runs
    rack-recipes runs -n 1 --json | jq -r '.runs[].run_id'
    """
)
def runs(options: argparse.Namespace) -> Answer:
    """List the runs in the store, the newest first: status, test, recipe, start, counts of verdicts."""
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        found = recorded_runs.runs(store)[: options.number]
        flakes = recorded_runs.flakes(store, [run["run_id"] for run in found])
    found = [{**run, "flakes": flakes.get(run["run_id"], 0)} for run in found]
    if options.json:
        return {"runs": found}, 0
    names = ("run_id", "status", "test_id", "recipe", "started")
    rows = [(*(run[name] or "-" for name in names), summary_of(run, run["flakes"])) for run in found]
    return format_table(RUN_TITLES, rows, painter(sys.stdout)), 0


def summary_of(run: Mapping[str, Any], flakes: int) -> str:
    """In words: counts of verdicts and flakes, the run that was resumed, and whether the run is pinned."""
    again = f"{flakes} of them after a retry" if flakes else ""
    resumes = run["resumes"] and f"resumes {run['resumes']}"
    return "; ".join(filter(None, (counts_in_words(run["counts"]), again, resumes, "pinned" if run["pinned"] else "")))


def state_in_words(run: Mapping[str, Any]) -> str:
    """How a run ended, and by whom it was stopped: `failed: 1 failed, 5 passed`."""
    counted, stopped = counts_in_words(run["counts"] or {}), stopped_in_words(run)
    state = run["status"] if run["ended"] else "has not ended"
    return f"{state}{': ' if counted else ''}{counted}{f'; stopped {printable(stopped)}' if stopped else ''}"


Row = Mapping[str, Any]
MOST_FINDINGS = 5


@takes(
    """
    [RUN]
    --all  each instance of a loop, not only those that did not pass, or not at once
    --db URL
    examples:
    rack-recipes show
    rack-recipes show 20261125-1444
    rack-recipes show --json | jq '.steps[] | select(.flake)'
    """
)
def show(options: argparse.Namespace) -> Answer:
    """Show one run: how each step ended on each host, what did not pass first.

    At the top are the gravest findings of the last analysis, which `analyse` and `report` make. Each result has its
    reason: why it was skipped or blocked, how often it was tried, from which run it was used again, and through which
    other host it ran. Below are the criteria that did not hold, or only just, with the distance to their limits, and
    the files that steps have attached, and what scriptlets have logged as a warning or worse.
    """
    from rack_recipes.store.reading import recorded_runs

    with open_store(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        run, steps, measured = (
            recorded_runs.run(store, run_id),
            recorded_runs.steps(store, run_id, attempts=options.json),
            recorded_runs.measurements(store, run_id, only_bad=not options.json),
        )
        findings = recorded_runs.findings(store, run_id)
        conflicts, artifacts = recorded_runs.conflicts(store, run_id), recorded_runs.artifacts(store, run_id)
        judgements = recorded_runs.judgements(store, run_id)
        origins = recorded_runs.origins(store, run_id) if conflicts else {}
        conflicts = [{**one, "origin": origins.get(one["seq"])} for one in conflicts]
        if options.json:
            context = recorded_runs.context(store, run_id)
            more = {"context": context, "conflicts": conflicts, "artifacts": artifacts, "judgements": judgements}
            return {"run": run, "findings": findings, "steps": steps, "measurements": measured, **more}, 0
        places = {name: place for place, name in enumerate(dict.fromkeys(step["step"] for step in steps))}
        for rows in (measured, artifacts):
            rows.sort(key=lambda row: places.get(row["step"], -1))
        shown = steps if options.all else [step for step in steps if not step["parent"] or not _is_plain(step)]
        below = [*_criteria(measured), *_conflicts(conflicts), *_artifacts(artifacts), *_judgements(judgements)]
        below += _logged(recorded_runs.logged(store, run_id))
        below += _where_stderr_is(recorded_runs.failed_with_stderr(store, run_id), run_id)
        return "".join([*_head(run, steps), *_findings(findings), *_steps(shown, steps), *below]), 0


def _findings(rows: Sequence[Row]) -> Iterator[str]:
    """The findings of the newest analysis in short, without notes."""
    from rack_recipes.analysis.findings import NOTE, finding_from_row, format_count

    found = [finding_from_row(row) for row in rows if row["grade"] != NOTE]
    yield from finding_lines(found[:MOST_FINDINGS], in_full=False)
    if rows:
        more = len(rows) - len(found[:MOST_FINDINGS])
        what = f"{format_count(more, 'more finding')}: " if more else "all of each: "
        yield f"{what}rack-recipes analyse {rows[0]['run_id']}\n"


def _head(run: Row, steps: Sequence[Row]) -> Iterator[str]:
    status = painter(sys.stdout)(run["status"], run["status"])
    flakes = sum(bool(step["flake"]) for step in steps if not step["instances"])
    about = [printable(run[name]) for name in ("test_id", "recipe") if run[name]]  # stages by hand have neither
    yield "  ".join([f"run {run['run_id']}", status, *about, summary_of(run, flakes)]) + "\n"
    for name in ("params", "labels", "options"):
        given = ", ".join(f"{key}={value_text(value)}" for key, value in run[name].items())
        if given:
            yield f"{name}: {printable(given)}\n"
    if stopped := stopped_in_words(run):
        yield f"stopped {printable(stopped)}\n"
    bad = sum(step["verdict"] not in HARMLESS for step in steps)
    if why := why_nothing_passed(run["status"], bad):
        yield f"nothing failed, but {why}\n"
    yield from part_lines(run["group_info"])


def _steps(shown: Sequence[Row], steps: Sequence[Row]) -> Iterator[str]:
    instances: dict[tuple[str, str], list[Row]] = defaultdict(list)  # by step and host
    for step in steps:
        if step["parent"]:
            instances[step["parent"], step["host"]].append(step)
    rows = [
        (
            step["verdict"],
            step["step"],
            step["host"] or ("between" if step["members"] else "run"),
            f"{step['seconds']:.3f} s",
            "; ".join(_remarks(step, instances.get((step["step"], step["host"]), ()))),
        )
        for step in sorted(shown, key=lambda step: step["verdict"] in PASSING)
    ]
    yield _table(("verdict", "step", "host", "duration", "reason"), rows)


def _is_plain(step: Row) -> bool:
    """Whether it passed at the first try."""
    return step["verdict"] in PASSING - {"marginal"} and not step["flake"]


def _remarks(step: Row, instances: Sequence[Row]) -> Iterator[str]:
    """What is shown of how a step ended, beside its verdict."""
    if step["reason"]:
        yield str(step["reason"])
    if step["flake"] and not step["instances"] and f"at try {step['tries']}" not in step["reason"]:
        yield f"flake: passed at try {step['tries']}"
    if step["source_run"] and step["source_run"] not in step["reason"]:
        yield f"from {step['source_run']}"
    if step["through"] and f"through {step['through']}" not in step["reason"]:
        yield f"through {step['through']}"
    if step["instances"]:
        passed = sum(instance["verdict"] in PASSING for instance in instances)
        yield f"{passed} of {step['instances']} instances passed"
    if step["rounds"]:
        yield f"{step['rounds']['passed']} of {step['rounds']['count']} rounds passed"
    for hook in step["hooks"]:
        yield f"{hook['when']} {hook['hook']} {hook['verdict']}: {hook['reason']}"


def _criteria(measured: Sequence[Row]) -> Iterator[str]:
    """The criteria that did not hold, or only just."""
    rows = [
        (
            one["verdict"],
            one["name"],
            f"{value_text(one['value'])} {one['unit']}".rstrip(),
            _distance(one["distance"]),
            one["step"],
            one["host"] or "run",
            _limits(one["limits"]),
        )
        for one in measured
    ]
    if rows:
        yield "\n" + _table(("criterion", "name", "value", "to the limit", "step", "host", "limits"), rows)


def _distance(distance: float | None) -> str:
    """With all digits of a large one."""
    if distance is None:
        return ""
    return f"{distance:+g}" if abs(distance) < 1e6 else f"{distance:+.10g}"


def _limits(limits: Mapping[str, object] | None) -> str:
    return ", ".join(f"{word} {value_text(bound)}" for word, bound in (limits or {}).items())


def _conflicts(conflicts: Sequence[Row]) -> Iterator[str]:
    """The conflicting writes, with both values and the outcome."""
    rows = [
        (
            one["key"],
            one["host"] or (f"run, by {one['origin']}" if one["origin"] else "run"),
            one["step"],
            " ".join(filter(None, (one["policy"], one["outcome"]))),
            value_text(one["before"]),
            "->",
            value_text(one["after"]),
            _other(one),
        )
        for one in conflicts
    ]
    if rows:
        yield "\n" + _table(("conflict", "host", "step", "policy", "before", "", "after", "other"), rows)


def _other(conflict: Row) -> str:
    """The third value of a conflict, and the fields that both writes had changed."""
    fields = (
        f"both changed {', '.join(name or 'all of it' for name in conflict['fields'])}" if conflict["fields"] else ""
    )
    other = "" if conflict["outcome"] in (None, "kept") else value_text(conflict["other"])
    return "; ".join(filter(None, (other, fields)))


def _artifacts(artifacts: Sequence[Row]) -> Iterator[str]:
    rows = [
        (
            one["name"],
            one["step"],
            one["host"] or "run",
            f"{one['size']:,} B",
            one["path"] or f"missing: {one['note'] or 'it has not come yet'}",
        )
        for one in artifacts
    ]
    if rows:
        yield "\n" + _table(("artifact", "step", "host", "size", "file"), rows)


def _logged(rows: Sequence[Row]) -> Iterator[str]:
    """What scriptlets have logged as a warning or worse."""
    from rack_recipes.journal.record_fields import logged_lines

    lines = [
        (line.level, row["step"], row["host"] or "run", line.by, line.text)
        for row in rows
        for line in logged_lines(row["stderr"])
    ]
    if lines:
        yield "\n" + _table(("logged", "step", "host", "by", "text"), lines[:MOST_LOGGED])
    if len(lines) > MOST_LOGGED:
        yield f"and {len(lines) - MOST_LOGGED} more, in the stderr of each step: --json\n"


def _where_stderr_is(rows: Sequence[Row], run_id: str) -> Iterator[str]:
    """Where what failing steps wrote to stderr is to be read: it may be long, so it is not shown here."""
    if rows:
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        yield f"\nstderr of {printable(rows[0]['step'])} on {rows[0]['host'] or 'the run'}{more}: "
        yield f"rack-recipes report {run_id}, or show {run_id} --json (stdout and stderr of each of its steps)\n"


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return format_table(titles, rows, painter(sys.stdout))


def _judgements(found: Sequence[Row]) -> Iterator[str]:
    """Judgements by other limits, which were made after the run."""
    rows = [
        (one["n"], one["time"], one["user"], one["source"], len(one["changes"]), counts_in_words(one["counts"]))
        for one in found
    ]
    if rows:
        yield "\n" + _table(("judgement", "time", "by", "limits from", "changes", "measurements"), rows)
