# SPDX-License-Identifier: GPL-3.0-or-later

"""Which records a host, or a pack, may bring; and that what it may bring harms nobody who reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    TIME,
    attempt,
    delta,
    end,
    run,
    step,
)
from rack_recipes.errors import JournalError
from rack_recipes.journal.allowed_records import RECORDS, Sender, refusal
from rack_recipes.journal.record_fields import FIELDS, Record, decode, encode
from rack_recipes.journal.step_results_and_end_status import Results
from rack_recipes.run.stage.run_stage import task_summary
from rack_recipes.store.writing.fold_journal import Batch, JournalFold

R1 = Sender(1, {"r1": ["compute"]})
RUN = Sender(1, {"": ["compute"]})
ARTIFACT = {
    **{name: delta()[name] for name in ("stage", "n", "host", "step", "attempt", "who", "time")},
    "kind": "artifact",
    "name": "a.log",
    "sha256": "0" * 64,
    "size": 7,
    "media_type": "text/plain",
}
LOG = {**ARTIFACT, "kind": "log", "event": "end failed", "text": "failed: it broke"}
for name in ("who", "name", "sha256", "size", "media_type"):
    del LOG[name]
SENT = (delta(), step(), ARTIFACT, LOG)
DEEP: Any = None
for _level in range(3000):
    DEEP = [DEEP]
HOSTILE = [
    *(
        None,
        True,
        -1,
        2**63,
        10**400,
        0.5,
        -0.5,
        1e300,
        float("nan"),
        float("inf"),
        "",
        "x",
        "a\0b",
        "\ud800",
        "\x1b[2J",
    ),
    *("x" * 1_000_000, [], [[]], {}, {"": {}}, [float("nan")], DEEP, {"a": DEEP}, "2026-02-30T00:00:00Z", "run", "end"),
]
FINDING = {
    "title": "t",
    "grade": "note",
    "results": [["r1", "compute"]],
    "figures": {"a": 1},
    "advice": "",
    "method": "",
}
FULL = step(
    attempts=[attempt(findings=[FINDING], group={"user_sec": 0.5}, **{"try": 2, "round": 3}, waiting=True)],
    measurements=[
        {"name": "a", "value": [1], "unit": "", "limits": {"max": 2}, "distance": 1, "verdict": "marginal"},
    ],
    checks=1, blocks=True, flake=True, rounds={"count": 2, "passed": 1}, secrets=1, inputs="i", tags=["t"],
    hooks=[{"hook": "h", "when": "pre_step", "verdict": "failed", "reason": "r"}], instances=3, **{"from": "R0"},
    waived={"verdict": "failed", "reason": "r", "by": ["w"]},
)  # fmt: skip


@pytest.mark.parametrize("record", [*SENT, FULL, step(step="compute[eth0]", parent="compute")])
def test_what_a_step_sends_may_come_from_its_host(record: Record):
    assert refusal(record, R1) is None
    assert refusal(record) is None


def test_a_key_of_the_run_names_the_host_of_its_author():
    assert refusal(delta(scope="run", who="compute@r1"), R1) is None
    assert refusal(delta(scope="run", who="********"), R1) is None
    assert refusal(delta(scope="run", who="other@r2"), R1) == (
        "a delta record for the run that names 'other@r2' as its author"
    )
    assert refusal(delta(host="", scope="run"), RUN) is None


OTHERS = [
    (run(), "a record of the kind 'run'"),
    (end(), "a record of the kind 'end'"),
    ({"kind": "warning", "time": TIME, "text": "all is well"}, "a record of the kind 'warning'"),
    ({**ARTIFACT, "kind": "transfer"}, "a record of the kind 'transfer'"),
    ({**delta(), "kind": "merge", "theirs": 1}, "a record of the kind 'merge'"),
    ({"kind": "clock", "stage": 1, "host": "r1", "offset": 0.5, "time": TIME}, "a record of the kind 'clock'"),
    ({"kind": "piece"}, "a record of the kind 'piece'"),
    ({"kind": ["step"]}, "what is no record"),
    ({}, "what is no record"),
    ([], "what is no record"),
    (None, "what is no record"),
    (step(host="r2"), "a step record in the name of 'r2'"),
    (step(step="total"), "a step record of 'total', which is no step of this stage there"),
    (step(step="total", parent="compute"), "a step record of 'total', which is no instance of 'compute'"),
    (step(step="total[1]", parent="total"), "a step record of 'total[1]', which is no step of this stage there"),
    (step(stage=2), "a step record of stage 2, and this is stage 1"),
    (step(n=0), "a step record whose n is 0, expected a number from 1 on"),
    (step(final=True), "a step record with the field 'final'"),
    (step(through="r9"), "a step record with the field 'through'"),
    (delta(exact=True), "a delta record with the field 'exact'"),
    (delta(unless_changed=True), "a delta record with the field 'unless_changed'"),
    (step(verdict=["passed"]), f"a step record whose verdict is a list, expected one of {', '.join(VERDICTS)}"),
    (step(seconds=float("nan")), "a step record whose seconds is NaN, expected a number of seconds"),
    (step(seconds=10**400), "a step record whose seconds is a very large number, expected a number of seconds"),
    (step(started="tomorrow"), "a step record whose started is 'tomorrow', expected a time in UTC"),
    (delta(after=DEEP), "a delta record whose after is a list, expected JSON of at most 120 levels, "),
    (delta(after=[10**400]), "a delta record whose after is a list, expected JSON of at most 120 levels, "),
    (delta(key="../x"), "a delta record whose key is '../x', expected a key of the context"),
]


@pytest.mark.parametrize(("record", "reason"), OTHERS)
def test_what_no_step_sends_is_refused(record: Any, reason: str):
    assert (refusal(record, R1) or "").startswith(reason)


def test_a_step_of_the_run_does_not_speak_for_a_host():
    reason = "a delta record of a step of the run with the scope of a host"
    assert refusal(delta(host=""), RUN) == reason


@pytest.mark.parametrize("record", [run(), end(), step(final=True, n=0, through="r9"), {"kind": "new", "a": 1}])
def test_a_journal_has_more_kinds_and_fields_than_hosts_send(record: Record):
    assert refusal({**record, "of_a_later_version": 1}) is None


def test_every_kind_of_record_is_in_the_table():
    assert FIELDS.keys() <= RECORDS.keys()
    for kind, fields in FIELDS.items():
        assert fields.keys() <= RECORDS[kind].keys(), kind


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, each in items for found in places(each, (*path, name)))]


def changed(record: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copied = dict(record) if isinstance(record, dict) else list(record)
    copied[path[0]] = changed(record[path[0]], path[1:], value)
    return copied


def is_read(record: Record) -> None:
    """All that reads a record of a host does so."""
    assert decode(encode(record)) == record
    fold, results = JournalFold("R1"), Results()
    fold.add(record, Batch())
    if record["kind"] == "step":
        results.add(record)
        json.dumps(task_summary([record], ["r1"]))


KINDS = [delta(), ARTIFACT, LOG, FULL]
PLACES = [places(record)[1:] for record in KINDS]


@given(st.integers(0, len(KINDS) - 1), st.data())
def test_what_is_not_refused_harms_no_reader(which: int, data: st.DataObject):
    record = KINDS[which]
    for _change in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(PLACES[which]))
        value = HOSTILE[data.draw(st.integers(0, len(HOSTILE) - 1))]  # its number: some are too deep to be shown
        try:
            record = changed(record, path, value)
        except (LookupError, TypeError):  # the other change has taken this place away
            continue
    refusal(record)
    if refusal(record, R1) is None:
        is_read(record)


@pytest.mark.parametrize("kind", RECORDS)
def test_no_value_of_a_field_is_too_much_for_the_check(kind: str):
    for name in RECORDS[kind]:
        for value in HOSTILE:
            for sender in (None, R1):
                refusal({**run(), **delta(), **FULL, "kind": kind, name: value}, sender)


def test_what_python_reads_but_json_is_not_is_no_record():
    with pytest.raises(JournalError):
        encode(step(seconds=float("nan")))
