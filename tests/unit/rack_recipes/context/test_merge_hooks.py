# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, run, step
from rack_recipes.context import merge_hooks
from rack_recipes.context.merge_hooks import MergeHooks, load_hooks
from rack_recipes.context.run_context import Context
from rack_recipes.errors import CatalogError
from rack_recipes.journal.record_fields import encode

KEY = "power.limits_v1"
POLICY = "hook site.merge_power"
RULES = (("power.*", POLICY),)
SUM = """
def merge(key, base, theirs, ours):
    # Adds up what each has added.
    if ours == "refuse":
        raise ValueError(f"{key} of {base}")
    theirs.append("spoilt") if isinstance(theirs, list) else None
    return theirs + ours - (base or 0)
"""
Record = dict[str, Any]


def hook_file(text: str) -> Path:
    path = Path("scriptlets/site/merge_power.py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hook_file(SUM)


class Leading:
    """Folds a journal as the process that leads the run does, and another beside it that knows no hooks."""

    def __init__(self) -> None:
        self.context, self.other = Context("R1"), Context("R1")
        self.merges = MergeHooks(load_hooks(RULES, [Path("scriptlets")]))
        self.deltas: list[Any] = []
        self.take(run(merge=[{"keys": keys, "policy": policy} for keys, policy in RULES]))

    def take(self, *records: Record) -> None:
        for record in records:
            assert encode(record)
            found = self.context.fold(record)
            for each in found:
                self.merges.add(record, each, self.context)
            self.deltas += found
            assert self.other.fold(record) == found

    def settle(self) -> list[Record]:
        records = [*self.merges.records(self.context)]
        self.take(*records)
        return records


def write(after: Any, host: str = "r1", n: int = 1, based_on: int = 0, **fields: Any) -> Record:
    return delta(n, host, scope="run", key=KEY, after=after, based_on=based_on, **fields)


@pytest.fixture
def leading() -> Leading:
    return Leading()


def test_two_writes_become_one_value(leading: Leading) -> None:
    leading.take(write(10), write(5, "r2"))
    assert leading.context.get(KEY) == 5
    (record,) = leading.settle()
    assert {name: record[name] for name in ("host", "step", "after", "theirs", "based_on", "who")} == {
        "host": "r2",
        "step": "compute",
        "after": 15,
        "theirs": 10,
        "based_on": 2,
        "who": POLICY,
    }
    assert leading.context.get(KEY) == leading.other.get(KEY) == 15
    assert [(each.version, each.outcome, each.before, each.after, each.other) for each in leading.deltas] == [
        (1, "", None, "10", None),
        (2, "kept", "10", "5", None),
        (3, "merged", "5", "15", "10"),
    ]
    assert leading.settle() == []


def test_what_the_writers_knew_is_the_base(leading: Leading) -> None:
    leading.take(write(10, stage=1), write(11, "r1", 1, 1, stage=2), write(13, "r2", 1, 1, stage=2))
    leading.settle()
    assert leading.context.get(KEY) == 14


def test_one_that_goes_on_from_its_own_write_is_merged_again(leading: Leading) -> None:
    leading.take(write(10), write(5, "r2"))
    leading.settle()
    leading.take(write(7, "r2", 2, 1))
    leading.settle()
    assert leading.context.get(KEY) == 17


def test_many_at_once_are_merged_one_after_the_other(leading: Leading) -> None:
    leading.take(*(write(2**number, f"r{number}") for number in range(5)))
    assert len(leading.settle()) == 1
    assert leading.context.get(KEY) == 31


def test_what_comes_before_the_merge_is_written_is_merged_too(leading: Leading) -> None:
    leading.take(write(10), write(5, "r2"))
    late = [*leading.merges.records(leading.context)]
    assert [*leading.merges.records(leading.context)] == []
    leading.take(write(100, "r3"), *late)
    assert leading.context.get(KEY) == 100
    (record,) = leading.settle()
    assert (record["after"], record["theirs"]) == (115, 10)
    assert leading.context.get(KEY) == leading.other.get(KEY) == 115


def test_a_writer_that_goes_on_before_the_merge_is_written(leading: Leading) -> None:
    leading.take(write(10), write(5, "r2"), write(8, "r2", 2, 1))
    leading.settle()
    assert leading.context.get(KEY) == 18


def test_a_hook_that_fails_leaves_what_was_there(leading: Leading) -> None:
    leading.take(write(10), write("refuse", "r2"))
    leading.settle()
    assert leading.context.get(KEY) == 10
    ruled = leading.context.refusals.final_record(step(host="r2"))
    failed = f"ValueError: {KEY} of None"
    assert ruled["reason"] == f"wrote {KEY}, which had changed, and merge {POLICY} failed: {failed}"


def test_what_is_no_json_is_a_failure(leading: Leading) -> None:
    hook_file("def merge(key, base, theirs, ours):\n    return {1: 2}\n")
    leading.merges = MergeHooks(load_hooks(RULES, [Path("scriptlets")]))
    leading.take(write(10), write(5, "r2"))
    leading.settle()
    assert leading.context.get(KEY) == 10
    reason = leading.context.refusals.final_record(step(host="r2"))["reason"]
    assert f"what it made of {KEY}: a mapping's key must be text" in reason


def test_what_is_too_large_for_a_key_is_a_failure(leading: Leading) -> None:
    hook_file("def merge(key, base, theirs, ours):\n    return 'x' * 2_000_000\n")
    leading.merges = MergeHooks(load_hooks(RULES, [Path("scriptlets")]))
    leading.take(write(10), write(5, "r2"))
    leading.settle()
    assert leading.context.get(KEY) == 10
    reason = leading.context.refusals.final_record(step(host="r2"))["reason"]
    assert f"what it made of {KEY}: 2000002 bytes of JSON, a key can hold 1048576" in reason


def test_a_hook_changes_no_argument_for_others(leading: Leading) -> None:
    leading.take(write([1]), write([2], "r2"))
    (record,) = leading.settle()
    assert record["theirs"] == [1]


def test_the_digest_is_that_of_the_file() -> None:
    first = load_hooks(RULES, [Path("scriptlets")])[POLICY].digest
    hook_file(f"{SUM}\n")
    assert load_hooks(RULES, [Path("scriptlets")])[POLICY].digest != first
    assert load_hooks((("a.*", "fail"),), []) == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def merge(", "scriptlets/site/merge_power.py: a merge hook that cannot be loaded: SyntaxError: "),
        ("1 / 0", "a merge hook that cannot be loaded: ZeroDivisionError: division by zero"),
        ("def join(): ...", "a merge hook needs a function merge(key, base, theirs, ours)"),
        ("merge = 5", "a merge hook needs a function merge(key, base, theirs, ours)"),
    ],
)
def test_a_file_that_is_no_hook(text: str, error: str) -> None:
    hook_file(text)
    with pytest.raises(CatalogError) as caught:
        load_hooks(RULES, [Path("scriptlets")])
    assert error in str(caught.value)


def test_without_hooks_nothing_is_merged() -> None:
    context, merges = Context(), MergeHooks()
    for record in (write(1), write(2, "r2")):
        for each in context.fold(record):
            merges.add(record, each, context)
    assert [*merges.records(context)] == []


def test_a_hook_that_does_not_come_back_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    hook_file("def merge(key, base, theirs, ours):\n    while True:\n        pass\n")
    slow = Leading()
    monkeypatch.setattr(merge_hooks, "TIME_LIMIT", 0.1)
    slow.take(write(10), write(5, "r2"))
    slow.settle()
    assert slow.context.get(KEY) == 10
    ruled = slow.context.refusals.final_record(step(host="r2"))
    assert ruled["verdict"] == "error"
    assert ruled["reason"].endswith(f"and merge {POLICY} failed: TimeoutError: took more than 0.1 s")
