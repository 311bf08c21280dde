# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands prune and pin: old runs go, those that are pinned stay."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, parse_count, size_text, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import RackError, StoreError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.archive.prune_runs import Choice, IndexedRun, PruneRules
    from rack_recipes.run.run_folders import FoundRun
TITLES = ("", "run", "size", "why")
YES = ("y", "yes")


@takes(
    """
    --compress  compress the journals of the runs that stay; they are read as before
    --store  remove the runs from the store, too, also runs that have no folder here
    --logs  take what the steps wrote to stdout and stderr out of the store, too; their results stay there
    --vacuum  give the space of deleted rows of a SQLite store back to the disk
    --damaged  remove runs whose journal has damaged lines, too
    --dry-run  only show what would be done
    --yes  remove without asking; where there is no terminal nothing is asked
    --db URL
    which runs: all that any of these options selects:
    --older-than AGE  runs that started longer ago than this, such as 90d, 12h or 4w
    --keep N  all runs except the newest N
    --max-size SIZE  the oldest runs, until the folders of all runs have at most this size, such as 10GiB
    examples:
    rack-recipes prune --older-than 90d --compress --dry-run
    rack-recipes prune --keep 100 --max-size 10GiB
    rack-recipes prune --older-than 30d --logs --vacuum
    rack-recipes prune --older-than 2w --store --vacuum --yes
    """,
    keep=parse_count,
)
def prune(options: argparse.Namespace) -> Answer:
    """Remove folders of runs by age, number and size, and compress journals.

    A run is kept where it is pinned, still running or being resumed, or where the store lacks some of its results. One
    whose journal has damaged lines is kept, too, unless --damaged is given. A folder in which no run has begun does not
    count as a run. The command can be killed at any moment and called again.
    """
    from rack_recipes import settings
    from rack_recipes.archive.prune_runs import PruneRules
    from rack_recipes.run.launcher.progress_and_summary import StatusLine
    from rack_recipes.run.trust.check_trust import check_store

    rules = PruneRules(options.older_than, options.keep, options.max_size)
    if rules == PruneRules() and not (options.compress or options.vacuum):
        raise UsageError("rack-recipes prune: expected --older-than, --keep, --max-size or --compress; see --help")
    if options.logs and options.store:
        raise UsageError(
            "rack-recipes prune: --store removes runs with their logs: leave one of --logs and --store out"
        )
    if not options.dry_run:
        check_store("delete", settings.load())
    drawing, runs = StatusLine(sys.stderr), Path(settings.load().runs)
    with open_store(
        options, writing=(options.store or options.logs or options.vacuum) and not options.dry_run
    ) as store:
        try:
            plan = _plan(runs, store, rules, options, drawing.draw)
            drawing.clear()
            _confirm(plan, options)
            done = _perform(runs, store, plan, drawing.draw, is_plan=options.dry_run)
            if options.vacuum and not done.is_plan:
                done.freed += _vacuum(store)
        finally:
            drawing.clear()
    return (done.to_data() if options.json else "".join(done.lines())), done.exit_code


@dataclass(frozen=True)
class PrunePlan:
    """What is removed and what is compressed, with the reasons.

    `rows` are the runs to delete from the store, or, with `only_logs`, those whose output is taken out there.
    """

    removed: Sequence[Choice]
    compressed: Sequence[Choice]
    rows: Sequence[IndexedRun] = ()
    only_logs: bool = False

    @property
    def in_store(self) -> str:
        """What is removed in the store."""
        return "its logs in the store" if self.only_logs else "the store"


@dataclass
class Pruned:
    """What was done; with `is_plan` what would be done."""

    is_plan: bool
    removed: list[tuple[Choice, str]] = field(default_factory=list)  # with where it was removed from
    compressed: list[tuple[Choice, int]] = field(default_factory=list)  # with the bytes that this saved
    kept: list[Choice] = field(default_factory=list)
    failed: list[tuple[IndexedRun, str]] = field(default_factory=list)
    freed: int = 0

    @property
    def exit_code(self) -> int:
        """1 where something could not be removed or compressed, otherwise 0."""
        return 1 if self.failed else 0

    def to_data(self) -> dict[str, Any]:
        """The answer as one JSON object."""
        return {
            "status": "error" if self.failed else "ok",
            "dry_run": self.is_plan,
            "removed": [{**_named(choice.run), "why": choice.why, "from": where} for choice, where in self.removed],
            "compressed": [{**_named(choice.run), "saved": saved} for choice, saved in self.compressed],
            "kept": [{**_named(choice.run), "why": choice.why, "because": choice.kept} for choice in self.kept],
            "failed": [{**_named(run), "reason": reason} for run, reason in self.failed],
            "freed": self.freed,
        }

    def lines(self) -> Iterator[str]:
        """The answer for people."""
        would = "would be " if self.is_plan else ""
        rows = [
            *((f"{would}removed from {w}", c.run.run_id, size_text(c.run.size), c.why) for c, w in self.removed),
            *((f"{would}compressed", c.run.run_id, size_text(c.run.size), "") for c, _saved in self.compressed),
            *(("kept", c.run.run_id, size_text(c.run.size), c.kept) for c in self.kept),
            *(("failed", run.run_id, size_text(run.size), reason) for run, reason in self.failed),
        ]
        if rows:
            yield format_table(TITLES, rows)
        counts = f"removed: {len(self.removed)}, compressed: {len(self.compressed)}, kept: {len(self.kept)}"
        yield f"{would}{counts}, freed: {size_text(self.freed)}\n"


def _named(run: IndexedRun) -> dict[str, Any]:
    return {"run_id": run.run_id, "size": run.size}


def _plan(
    runs: Path, store: Engine, rules: PruneRules, options: argparse.Namespace, draw: Callable[[str], None]
) -> PrunePlan:
    """What to remove and to compress. `--dry-run` shows this very plan."""
    from datetime import UTC, datetime

    from rack_recipes.archive.prune_runs import all_runs, select, to_compress, why_kept, with_logs

    now = datetime.now(UTC)

    def protected(run: IndexedRun) -> str:
        draw(f"looking at run {run.run_id}")
        return why_kept(run, store, now, even_damaged=options.damaged)

    draw("looking for runs")
    logs = with_logs(store) if options.logs else set[str]()
    found = [run for run in all_runs(runs, store) if run.folder or options.store or run.run_id in logs]
    removed = [*select(found, rules, protected, now)]
    selected = {choice.run.run_id for choice in removed}
    rest = [run for run in found if run.run_id not in selected] if options.compress else []
    compressed = [*to_compress(rest, protected)]
    going = [choice.run for choice in removed if choice.run.status and not choice.kept]
    rows = [run for run in going if options.store or run.run_id in logs]
    return PrunePlan(removed, compressed, rows, options.logs)


def _confirm(plan: PrunePlan, options: argparse.Namespace) -> None:
    """On a terminal, ask before anything is removed. Raises UsageError where the answer is no."""
    going = [choice.run for choice in plan.removed if not choice.kept]
    if options.dry_run or options.yes or options.json or not going or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    from rack_recipes.analysis.findings import format_count

    also = f" and their {'logs' if plan.only_logs else 'rows'} in the store" if plan.rows else ""
    sys.stderr.write(
        f"remove {format_count(len(going), 'run')}{also}, {size_text(sum(run.size for run in going))}? [y/N] "
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in YES:
        raise UsageError("nothing was removed")


def _perform(runs: Path, store: Engine, plan: PrunePlan, draw: Callable[[str], None], *, is_plan: bool) -> Pruned:
    """Carry out a plan; with `is_plan` only list what it would do.

    Folders go before rows: a run that is left in the store alone is found and removed by the next call.
    """
    from rack_recipes.archive import prune_runs

    done = Pruned(is_plan, kept=[choice for choice in (*plan.removed, *plan.compressed) if choice.kept])
    if not is_plan:
        prune_runs.remove_leftovers(runs)
    going = [choice for choice in plan.removed if not choice.kept]
    for number, choice in enumerate(going, 1):
        draw(f"removing run {number} of {len(going)}: {choice.run.run_id}")
        _remove(choice, plan, done)
    rows = [choice.run for choice, _where in done.removed if choice.run in plan.rows]
    if not is_plan:
        remove = prune_runs.remove_logs if plan.only_logs else prune_runs.remove_rows
        remove(store, rows, lambda number: draw(f"{number} of {len(rows)} runs removed from {plan.in_store}"))
    packing = [choice for choice in plan.compressed if not choice.kept]
    for number, choice in enumerate(packing, 1):
        draw(f"compressing journal {number} of {len(packing)}: {choice.run.run_id}")
        _compress(choice, done)
    return done


def _remove(choice: Choice, plan: PrunePlan, done: Pruned) -> None:
    """Remove the run's folder, if it has one. `_perform` deletes the rows of all runs together."""
    from rack_recipes.archive.prune_runs import remove_folder

    run = choice.run
    try:
        if run.folder and not done.is_plan:
            remove_folder(run.folder)
    except RackError as error:
        done.failed.append((run, str(error)))
    else:
        places = [*(["its folder"] if run.folder else []), *([plan.in_store] if run in plan.rows else [])]
        done.removed.append((choice, " and ".join(places)))
        done.freed += run.size


def _compress(choice: Choice, done: Pruned) -> None:
    from rack_recipes.archive.prune_runs import compress

    folder, journal = choice.run.folder, choice.run.journal
    try:
        saved = compress(folder, journal) if folder and journal and not done.is_plan else 0
    except RackError as error:
        done.failed.append((choice.run, str(error)))
    else:
        done.compressed.append((choice, saved))
        done.freed += saved


def _vacuum(store: Engine) -> int:
    from rack_recipes.archive.prune_runs import vacuum

    return vacuum(store)


@takes(
    """
    [RUN]
    --off  take the mark away, so that the run may be pruned
    --db URL
    examples:
    rack-recipes pin 20261125-1444
    rack-recipes pin 20261125-1444 --off
    """
)
def pin(options: argparse.Namespace) -> Answer:
    """Mark a run, so that `prune` neither removes nor compresses it, nor its rows in the store.

    The mark is written to the run's folder and to the store, as far as the run is there. So it counts while the store
    cannot be reached, and for other controllers that use the store. Of a run in parts all parts are marked, too.
    """
    from rack_recipes import settings
    from rack_recipes.archive import pins_and_baselines
    from rack_recipes.run.run_folders import find_here
    from rack_recipes.run.trust.check_trust import check_store

    check_store("change", settings.load())
    found = find_here(Path(settings.load().runs), options.run)
    for journal in found.journals if found else ():
        pins_and_baselines.pin(journal.parent, pinned=not options.off)
    try:
        run_id = _pin_stored(options, found)
    except StoreError as error:
        if found is None:
            raise
        run_id = ""
        sys.stderr.write(f"only in the run's folder: {error}\n")
    answer = {"run_id": run_id or (found.run_id if found else ""), "pinned": not options.off}
    parts = {"parts": [journal.parent.name for journal in found.journals]} if found and found.is_group else {}
    return {"status": "ok", **answer, **parts, "folder": bool(found), "store": bool(run_id)}, 0


def _pin_stored(options: argparse.Namespace, found: FoundRun | None) -> str:
    """Mark the run in the store. Returns its id, empty where only its folder is here.

    Raises StoreError, and UsageError where it is neither here nor there.
    """
    from rack_recipes.archive import pins_and_baselines
    from rack_recipes.store.writing.import_journal import run_of

    with open_store(options) as store:  # reading only: this makes no store
        if found is None:
            run_id = run_id_of(store, options.run)
        else:
            run_id = found.run_id if found.is_group else run_of(found.journals[0])
    with open_store(options, writing=True) as store:
        return run_id if pins_and_baselines.pin_stored(store, run_id, pinned=not options.off) else ""
