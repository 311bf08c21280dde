# SPDX-License-Identifier: GPL-3.0-or-later

"""An earlier run of the same recipe whose results are reused, read from its journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from rack_recipes.context.run_context import Context, count_step
from rack_recipes.errors import UsageError, nearest
from rack_recipes.journal.compressed_journal import open_journal, restore_journal
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import Record, RunStep, TransferRecord, decode
from rack_recipes.journal.step_results_and_end_status import NOT_ASKED, Cell, Results, StepEnd, cell_of
from rack_recipes.run.run_folders import hold_run_until_exit, journal_of, journals, run_record

Offer = dict[str, Any]
MOST_NAMED = 8  # steps that never ran


class EarlierRun:
    """The results of a run.

    Memory holds their places in the journal and the newest context, not the records: each worker gets a copy.
    `anew` names the steps that run again in any case.
    """

    def __init__(self, path: Path, anew: Collection[str] = ()) -> None:
        self.path = path
        self.about: Record = {}
        self.steps: list[RunStep] = []
        self._anew = anew
        self._journal = JournalReader(path)
        self._results = Results()
        self._context = Context()
        self._lines: dict[Cell, list[tuple[int, int]]] = defaultdict(list)  # where its deltas and results are
        self._instances: dict[Cell, dict[str, None]] = defaultdict(dict)
        # By (stage, host), then by digest.
        self._artifacts: dict[tuple[int, str], dict[str, Record]] = defaultdict(dict)
        self._arrived: dict[tuple[int, str], set[str]] = defaultdict(set)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.about["run"])

    def catch_up(self) -> None:
        """Read what was appended to the journal: the run is over, but results are still collected from its hosts."""
        self._journal.dispatch(
            {
                "run": self._begin,
                "delta": self._add_delta,
                "merge": self._context.fold,
                "step": self._add_step,
                "artifact": self._add_artifact,
                "transfer": self._add_transfer,
            }
        )

    def _begin(self, record: Record) -> None:
        self._context.fold(record)
        self.about, self.steps = record, [*map(RunStep.of, record.get("steps", ()))]

    def _add_delta(self, record: Record) -> None:
        self._context.fold(record)
        self._lines[cell_of(record)].append((self._journal.start, self._journal.offset))

    def _add_step(self, record: Record) -> None:
        count_step(self._context, self._results, record)
        self._lines[cell_of(record)].append((self._journal.start, self._journal.offset))
        if record.get("parent"):
            self._instances[Cell(record["parent"], record["host"])][record["step"]] = None

    def _add_artifact(self, record: Record) -> None:
        self._artifacts[record["stage"], record["host"]][record["sha256"]] = record

    def _add_transfer(self, record: TransferRecord) -> None:
        arrived = self._arrived[record["stage"], record["host"]]
        (arrived.add if record.get("path") else arrived.discard)(record["sha256"])

    def offer(self, step: str, host: str) -> Offer | None:
        """The step's result on the host with all records of it and of its instances; None where it did not pass."""
        end = self._results.ended.get(Cell(step, host))
        if end is None or not end.sure or end.verdict not in PASSING or step in self._anew:
            return None
        records = self._records([step, *self._instances[Cell(step, host)]] if end.instances else [step], host)
        if any("waived" in record for record in records):  # the step runs again, for today's waivers
            return None
        last = next(record for record in reversed(records) if (record["kind"], record["step"]) == ("step", step))
        if "inputs" not in last:  # an old version did not record them, so that they cannot be compared
            return None
        said = {"verdict": last["verdict"], "inputs": last["inputs"]}
        return {**said, "run": last.get("from", self.run_id), "kind": "resume", "records": records}

    def refuse_gaps(self, step: str, before: Iterable[RunStep]) -> None:
        """Raise UsageError where one of the steps that stand before `step` never ran on one of its hosts."""
        missing = {
            one.name: hosts
            for one in before
            if not one.always and (hosts := [host for host in one.hosts if not self._has_run(one.name, host)])
        }
        if missing:
            named = [
                f"{name} on {first_few(hosts, MOST_NAMED)}" if any(hosts) else name for name, hosts in missing.items()
            ]
            raise UsageError(
                f"cannot resume from {step}: what stands before it has to have run in run {self.run_id}, and "
                f"{first_few(named, MOST_NAMED, '; ')} never did: resume from {next(iter(missing))}, or leave out by "
                "--skip what shall not run"
            )

    def _has_run(self, step: str, host: str) -> bool:
        end = self._results.ended.get(Cell(step, host))
        return end is not None and _is_final(end) and end.verdict != "blocked" and not end.reason.startswith(NOT_ASKED)

    def _records(self, steps: Iterable[str], host: str) -> list[Record]:
        spans = sorted(span for step in steps for span in self._lines[Cell(step, host)])
        with open_journal(self.path) as journal:
            return [decode(_read(journal, *span)) for span in spans]

    def unfinished(self, steps: Iterable[str], host: str) -> list[int]:
        """The numbers of the stages with these steps of which the host may still have results.

        These are the stages that have some results but not all, and the first that has none: a host begins no stage
        before the one before it has ended.
        """
        stages: dict[int, list[StepEnd | None]] = defaultdict(list)
        for step in self.steps:
            if host in step.hosts:
                stages[step.stage].append(self._results.ended.get(Cell(step.name, host)))
        begun = {stage for stage, ends in stages.items() if any(ends) and not all(map(_is_final, ends))}
        first = min((stage for stage, ends in stages.items() if not any(ends)), default=0)
        return sorted(self._stages(steps) & {*begun, first})

    def steps_of(self, number: int, host: str) -> list[str]:
        """The steps of a stage on a host."""
        return [step.name for step in self.steps if step.stage == number and host in step.hosts]

    def missing_artifacts(self, steps: Iterable[str], host: str) -> dict[int, list[Record]]:
        """The artifact records, by stage, whose files are still on the host, of the stages with these steps."""
        found = {
            stage: [
                record
                for digest, record in self._artifacts[stage, host].items()
                if digest not in self._arrived[stage, host]
            ]
            for stage in sorted(self._stages(steps))
        }
        return {stage: records for stage, records in found.items() if records}

    def _stages(self, steps: Iterable[str]) -> set[int]:
        wanted = set(steps)
        return {step.stage for step in self.steps if step.name in wanted}


def _is_final(end: StepEnd | None) -> bool:
    return end is not None and (end.sure or end.verdict == "skipped")


def _read(journal: Any, start: int, end: int) -> bytes:
    journal.seek(start)
    return bytes(journal.read(end - start))


def find_earlier(
    runs: Path, resume: str, resume_from: str, recipe: Mapping[str, Any], steps: Iterable[RunStep]
) -> EarlierRun:
    """The run with the id `resume`, or without one the newest of the recipe; this process locks it until it ends.

    `recipe` is what the playbook says of it, `steps` are those of this run. Raises UsageError where there is no such
    run or step, the run is of another recipe, another process has it, or a step before that to resume from never ran.
    """
    path = journal_of(runs, resume) if resume else _newest(runs, recipe)
    earlier = read_earlier(path, resume_from, recipe, steps)
    if not _is_same(recipe, earlier.about.get("recipe", {})):
        raise UsageError(f"run {earlier.run_id} was one of {_named(earlier.about['recipe'])}, not of {_named(recipe)}")
    hold_run_until_exit(earlier.path.parent)
    restore_journal(earlier.path)  # what its hosts still have is added to it
    return earlier


def read_earlier(path: Path, resume_from: str, recipe: Mapping[str, Any], steps: Iterable[RunStep]) -> EarlierRun:
    """The run of a journal, as `find_earlier` returns it, and with its errors about the step to resume from."""
    before, anew = _split_at(resume_from, _in_file_order(recipe, steps))
    earlier = EarlierRun(path, [step.name for step in anew])
    earlier.catch_up()
    if not earlier.about:
        raise UsageError(f"run {path.parent.name} had not begun: there is nothing to go on from")
    if anew:
        skipped = (recipe.get("options") or {}).get("skip", ())
        earlier.refuse_gaps(resume_from, [step for step in before if step.name not in skipped])
    return earlier


def _newest(runs: Path, recipe: Mapping[str, object]) -> Path:
    for path in reversed(journals(runs)):
        if _is_same(recipe, run_record(path).get("recipe", {})):
            return path
    raise UsageError(f"there is no earlier run of {_named(recipe)} in {runs}")


def _is_same(recipe: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return any(recipe.get(name) and recipe.get(name) == other.get(name) for name in ("path", "test_id"))


def _named(recipe: Mapping[str, object]) -> str:
    return f"{recipe.get('path', 'an unknown recipe')} ({recipe.get('test_id', 'no test_id')})"


def _in_file_order(recipe: Mapping[str, Any], steps: Iterable[RunStep]) -> list[RunStep]:
    """The steps as they stand in the file: by `idx`, unless the playbook has the order because that does not tell."""
    found = sorted(steps, key=attrgetter("idx"))
    order = {name: place for place, name in enumerate(recipe.get("order") or ())}
    return sorted(found, key=lambda step: order.get(step.name, len(order))) if order else found


def _split_at(name: str, steps: Sequence[RunStep]) -> tuple[Sequence[RunStep], Sequence[RunStep]]:
    """The steps before that of this name, and from it on; all are before no name. Raises UsageError for another one."""
    if not name:
        return steps, ()
    names = [step.name for step in steps]
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
        raise UsageError(f"there is no step {name!r} to resume from: {hint}")
    place = names.index(name)
    return steps[:place], steps[place:]
