# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An earlier run of the same recipe, read from its journal, of which results are used again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError, nearest
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed_journal import opened, restore
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader, Line
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record, decode
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.step_results import Place, Results, StepEnd
from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import begun, hold, journal_of, journals

Offer = dict[str, Any]
Needs = Mapping[str, Collection[str]]  # the steps that each step depends on

LINES = frozenset({"delta", "step"})


class EarlierRun:
    """The results of a run, which stay on disk: a journal may be larger than what all workers should hold.

    `anew` names the steps that are to run again, whatever there is of them.
    """

    def __init__(self, path: Path, anew: Collection[str] = ()) -> None:
        self.path = path
        self.about: Record = {}
        self._anew = anew
        self._journal = JournalReader(path)
        self._results = Results()
        self._lines: dict[Place, list[tuple[int, int]]] = defaultdict(list)
        self._instances: dict[Place, dict[str, None]] = defaultdict(dict)
        self._absent: dict[tuple[int, str], dict[str, Record]] = defaultdict(dict)  # artifacts by stage, host; digest

    @property
    def run_id(self) -> str:
        """The run's name."""
        return str(self.about["run"])

    def catch_up(self) -> None:
        """Read what the journal gained: of hosts that are collected, the run being over."""
        for line in self._journal.read():
            if line.record is not None:
                self._take(line, line.record)

    def _take(self, line: Line, record: Record) -> None:
        if record["kind"] in LINES:
            self._lines[record["step"], record["host"]].append((line.start, line.end))
        if record["kind"] == "step":
            self._results.add(record)
            if record.get("parent"):
                self._instances[record["parent"], record["host"]][record["step"]] = None
        elif record["kind"] == "run":
            self.about = record
        elif record["kind"] == "artifact":
            self._absent[record["stage"], record["host"]][record["sha256"]] = record
        elif record["kind"] == "transfer" and record.get("path"):
            self._absent[record["stage"], record["host"]].pop(record["sha256"], None)

    def offer(self, step: str, host: str) -> Offer | None:
        """The step's result on the host, with all its records, its instances' too; None where it did not pass."""
        end = self._results.ended.get((step, host))
        if end is None or not end.sure or end.verdict not in PASSING or step in self._anew:
            return None
        records = self._records([step, *self._instances[step, host]] if end.instances else [step], host)
        last = next(record for record in reversed(records) if (record["kind"], record["step"]) == ("step", step))
        if "inputs" not in last:  # of a version that did not keep them: nobody can tell whether they are the same
            return None
        said = {"verdict": last["verdict"], "inputs": last["inputs"]}
        return {**said, "run": last.get("from", self.run_id), "kind": "resume", "records": records}

    def _records(self, steps: Iterable[str], host: str) -> list[Record]:
        spans = sorted(span for step in steps for span in self._lines[step, host])
        with opened(self.path) as journal:
            return [decode(_read(journal, *span)) for span in spans]

    def unfinished(self, steps: Iterable[str], host: str) -> list[int]:
        """The stages with these steps of which the host may have results that never came here.

        Those with some results, but not all, and the first without any: a host begins no stage before the last ended.
        """
        stages: dict[int, list[StepEnd | None]] = defaultdict(list)
        for step in self.about["steps"]:
            if host in step["hosts"]:
                stages[step["stage"]].append(self._results.ended.get((step["name"], host)))
        begun = {stage for stage, ends in stages.items() if any(ends) and not all(map(_is_final, ends))}
        first = min((stage for stage, ends in stages.items() if not any(ends)), default=0)
        return sorted(self._stages(steps) & {*begun, first})

    def absent(self, steps: Iterable[str], host: str) -> dict[int, list[Record]]:
        """The artifacts, by stage, that these steps' stages left on the host and that never came here."""
        found = {stage: [*self._absent[stage, host].values()] for stage in sorted(self._stages(steps))}
        return {stage: records for stage, records in found.items() if records}

    def _stages(self, steps: Iterable[str]) -> set[int]:
        wanted = set(steps)
        return {step["stage"] for step in self.about["steps"] if step["name"] in wanted}


def _is_final(end: StepEnd | None) -> bool:
    return end is not None and (end.sure or end.verdict == "skipped")


def _read(journal: Any, start: int, end: int) -> bytes:
    journal.seek(start)
    return bytes(journal.read(end - start))


def find_earlier(runs: Path, resume: str, resume_from: str, recipe: Mapping[str, Any], needs: Needs) -> EarlierRun:
    """The run to go on from, held for this process: `resume` by its name, or the newest where only a step is named.

    Raises UsageError where the run, or the step, cannot be meant.
    """
    anew = with_dependents(resume_from, needs) if resume_from else ()
    earlier = EarlierRun(journal_of(runs, resume) if resume else _newest(runs, recipe), anew)
    earlier.catch_up()
    if not earlier.about:
        raise UsageError(f"run {earlier.path.parent.name} had not begun: there is nothing to go on from")
    if not _is_same(recipe, earlier.about.get("recipe", {})):
        raise UsageError(f"run {earlier.run_id} was one of {_named(earlier.about['recipe'])}, not of {_named(recipe)}")
    hold(earlier.path.parent)
    restore(earlier.path)  # what its hosts still have is added to it
    return earlier


def _newest(runs: Path, recipe: Mapping[str, Any]) -> Path:
    for path in reversed(journals(runs)):
        if _is_same(recipe, begun(path).get("recipe", {})):
            return path
    raise UsageError(f"there is no earlier run of {_named(recipe)} in {runs}")


def _is_same(recipe: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(recipe.get(name) and recipe.get(name) == other.get(name) for name in ("path", "test_id"))


def _named(recipe: Mapping[str, Any]) -> str:
    return f"{recipe.get('path', 'an unknown recipe')} ({recipe.get('test_id', 'no test_id')})"


def with_dependents(step: str, needs: Needs) -> set[str]:
    """The step and all that depend on it, by whatever way. Raises UsageError for a step that is none."""
    if step not in needs:
        near = nearest(step, [*needs])
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(needs)}"
        raise UsageError(f"there is no step {step!r} to resume from: {hint}")
    found, waiting = {step}, [step]
    while waiting:
        need = waiting.pop()
        more = {name for name, needed in needs.items() if need in needed} - found
        found |= more
        waiting += more
    return found
