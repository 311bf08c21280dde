# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    ENDED,
    TIME,
    attempt,
    delta,
    end,
    run,
    step,
    whole_run,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.all_rows import everything, written
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import encode
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import BatchLimits, JournalImport, import_journal, is_behind

Written = Callable[..., Path]
LATER = "2026-11-26T00:00:00.000000Z"
CASES = Path(__file__).with_name("cases")
PEAK = """
import re, sys
from pathlib import Path
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing import import_journal as writing
store = connect_store(sys.argv[1])
writing.import_journal(store, Path(sys.argv[2]), writing.BatchLimits(records=300))
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def execute(store: Engine, *statements: str) -> None:
    with store.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def count(store: Engine, table: str) -> int:
    with store.connect() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0


@pytest.mark.usefixtures("every_database")
@pytest.mark.parametrize("case", sorted(CASES.glob("*.jsonl")), ids=lambda case: case.stem)
def test_a_journal_comes_to_the_same_in_every_database(
    store: Engine, journal: Written, golden: Callable[[Path, str], None], case: Path
) -> None:
    path = journal(json.loads(line) for line in case.read_text().splitlines())
    import_journal(store, path)
    golden(case.with_suffix(".json"), written(everything(store)))


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("limits", [BatchLimits(records=1), BatchLimits(records=3), BatchLimits(size=1500)])
@pytest.mark.parametrize("case", sorted(CASES.glob("*.jsonl")), ids=lambda case: case.stem)
def test_it_comes_to_the_same_whenever_it_is_stored(
    store: Engine, journal: Written, case: Path, limits: BatchLimits
) -> None:
    """While the run goes on, in batches and by others that begin anew each time, or once at its end."""
    records = [json.loads(line) for line in case.read_text().splitlines()]
    path = journal(records)
    import_journal(store, path, limits)
    held = everything(store)
    assert held == json.loads(case.with_suffix(".json").read_text())
    execute(store, "DELETE FROM runs")
    path.unlink()
    for number in range(0, len(records), 4):
        append(path, records[number : number + 4])
        import_journal(store, path)
    assert everything(store) == held


def test_tells_what_it_did(store: Engine, journal: Written) -> None:
    path = journal(whole_run())
    done = import_journal(store, path)
    assert (done.run_id, done.offset, done.set_aside) == ("R1", path.stat().st_size, 0)
    assert done.rows == sum(count(store, table) for table in ("runs", "steps", "context", "measurements", "conflicts"))


def test_a_second_time_writes_nothing(store: Engine, journal: Written) -> None:
    path = journal(whole_run())
    first = import_journal(store, path)
    held = everything(store)
    assert import_journal(store, path) == first._replace(rows=0)
    assert everything(store) == held


@pytest.mark.parametrize("keep", [False, True], ids=["anew", "kept"])
def test_what_comes_later_is_added(store: Engine, journal: Written, *, keep: bool) -> None:
    """The one that goes on knows the versions, and who was recorded, from before."""
    records = whole_run()
    path = journal(records[:1])
    kept = JournalImport(store, path)
    for record in records[1:]:
        (kept if keep else JournalImport(store, path)).catch_up()
        append(path, [record])
    assert (kept if keep else JournalImport(store, path)).catch_up().rows == 1
    held = everything(store)
    execute(store, "DELETE FROM runs")
    import_journal(store, path)
    assert everything(store) == held


def test_a_batch_is_one_transaction_with_its_place_in_the_journal(
    store: Engine, journal: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = journal(whole_run())
    following = JournalImport(store, path, BatchLimits(records=4))
    write, calls = JournalImport._write, []

    def stop_at_third(self: JournalImport, *batch: Any) -> None:
        calls.append(batch)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(self, *batch)

    monkeypatch.setattr(JournalImport, "_write", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        following.catch_up()
    offset = recorded_runs.run(store, "R1")["journal_offset"]
    assert offset == len(b"".join(map(encode, whole_run()[:8])))
    assert count(store, "context") + count(store, "steps") == 7  # all but the first record, which makes the run's row


DAMAGES = (
    "DELETE FROM runs",
    "DELETE FROM context WHERE seq < 4",
    "DELETE FROM steps WHERE host = 'r1'",
    "DELETE FROM measurements",
    "UPDATE runs SET journal_offset = 400",
    "UPDATE runs SET journal_offset = 401",
    "UPDATE runs SET journal_offset = 0",
    "UPDATE runs SET journal_offset = 10000000",
    "UPDATE runs SET journal_offset = 0, status = 'lost', test_id = NULL",
)


@pytest.mark.usefixtures("every_database")
@pytest.mark.parametrize("limits", [BatchLimits(), BatchLimits(records=3)], ids=["whole", "batches"])
def test_whatever_is_missing_is_brought_back(store: Engine, journal: Written, limits: BatchLimits) -> None:
    path = journal(whole_run())
    import_journal(store, path)
    held = everything(store)
    for damage in DAMAGES:
        execute(store, damage)
        import_journal(store, path, limits)
        assert everything(store) == held, damage


def test_a_cut_journal_loses_only_what_was_cut(store: Engine, journal: Written) -> None:
    """A writer was killed, the rest of its records came later."""
    records = whole_run()
    path = journal(records)
    ends = list(accumulate(len(encode(record)) for record in records))
    data = path.read_bytes()
    import_journal(store, path)
    held = everything(store)
    for size in random.Random(7).sample(range(1, len(data)), 12):
        execute(store, "DELETE FROM runs")
        path.write_bytes(data[:size])
        done = import_journal(store, path)
        assert (done.offset, done.set_aside) == (data.rfind(b"\n", 0, size) + 1, 0)
        finished = [record for record, stop in zip(records, ends, strict=True) if stop <= size]
        assert count(store, "context") == sum(record["kind"] == "delta" for record in finished)
        path.write_bytes(data)
        import_journal(store, path)
        assert everything(store) == held


def test_stumps_in_the_middle_cost_nothing_else(store: Engine, journal: Written) -> None:
    source = random.Random(8)
    records = whole_run()
    path = journal([])
    stumps = [encode(delta(90 + n, "killed"))[: source.randrange(2, 200)] for n in range(len(records))]
    path.write_bytes(b"".join(stump + encode(record) for stump, record in zip(stumps, records, strict=True)))
    done = import_journal(store, path, BatchLimits(records=2))
    assert (done.set_aside, done.damaged) == (len(stumps), ())
    held = everything(store)
    execute(store, "DELETE FROM runs")
    path.write_bytes(b"".join(map(encode, records)))
    import_journal(store, path)
    clean = everything(store)
    held["run"]["journal_offset"] = clean["run"]["journal_offset"]
    assert held == clean


def altered(path: Path, *numbers: int) -> None:
    """One byte of each of these lines, counted from 1, is another one."""
    lines = path.read_bytes().splitlines(keepends=True)
    for number in numbers:
        lines[number - 1] = lines[number - 1].replace(b'"host"', b'"hosT"', 1)
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("limits", [BatchLimits(), BatchLimits(records=3)], ids=["whole", "batches"])
def test_altered_lines_are_told_each_time(store: Engine, journal: Written, limits: BatchLimits) -> None:
    path = journal(whole_run())
    altered(path, 4, 8)
    for _time in range(2):
        assert import_journal(store, path, limits).damaged == (4, 8)


def test_a_line_that_is_altered_later_costs_the_store_nothing(store: Engine, journal: Written) -> None:
    """Its rows are there, and the changes behind it would get other numbers."""
    path = journal(whole_run())
    import_journal(store, path)
    held = everything(store)
    altered(path, 4, 8)
    assert not is_behind(store, path)
    done = import_journal(store, path)
    assert (done.rows, done.damaged) == (0, (4, 8))
    assert everything(store) == held


def test_repeated_records_count_once(store: Engine, journal: Written) -> None:
    records = whole_run()
    path = journal([*records[:-1], *records[1:-1], records[-1]])
    import_journal(store, path)
    assert [row["seq"] for row in recorded_runs.history(store, "R1")] == list(range(1, 13))
    assert recorded_runs.conflicts(store, "R1") == []


def test_a_run_is_running_until_its_end(store: Engine, journal: Written) -> None:
    path = journal([run()])
    import_journal(store, path)
    started = recorded_runs.run(store, "R1")
    assert (started["status"], started["started"], started["ended"], started["exit_code"]) == (
        "running",
        TIME,
        None,
        None,
    )
    assert started["counts"] == {}
    append(path, [end(status="failed", exit_code=1, counts={"failed": 3})])
    import_journal(store, path)
    ended = recorded_runs.run(store, "R1")
    assert (ended["status"], ended["ended"], ended["exit_code"]) == ("failed", ENDED, 1)
    assert ended["counts"] == {"failed": 3}


@pytest.mark.parametrize("limits", [BatchLimits(), BatchLimits(records=1)], ids=["whole", "batches"])
def test_nothing_behind_the_end_of_a_run_counts(store: Engine, journal: Written, limits: BatchLimits) -> None:
    whole = [run(), delta(1), step(2, verdict="failed"), end(status="interrupted", exit_code=1, counts={"failed": 1})]
    behind = [run(time=LATER), delta(3), step(4), step(0, final=True), end(time=LATER)]
    path = journal(whole)
    import_journal(store, path, limits)
    held = everything(store)
    append(path, behind)
    for _time in range(2):
        import_journal(store, path, limits)
        found = everything(store)
        found["run"]["journal_offset"] = held["run"]["journal_offset"]
        assert found == held
    assert not is_behind(store, path)
    execute(store, "DELETE FROM runs")
    assert import_journal(store, path, limits).rows
    assert recorded_runs.run(store, "R1")["status"] == "interrupted"


@pytest.mark.parametrize(
    "other",
    [
        [run(time=LATER), step(1), step(2), end()],
        [run(), step(1), step(2), end(time=LATER)],
        [run(), step(1)],
        [run(), step(1, verdict="passed")],
        [run(), end()],
    ],
    ids=["began", "ended", "cut", "same length", "shorter"],
)
def test_a_finished_run_is_not_written_over(store: Engine, journal: Written, other: list[dict[str, Any]]) -> None:
    """By a journal of another run that has its id, or by one that was cut."""
    path = journal([run(), step(1, verdict="failed"), end(status="failed")])
    import_journal(store, path)
    held = everything(store)
    path.unlink()
    journal(other)
    with pytest.raises(JournalError, match="a finished run is never written over"):
        import_journal(store, path)
    assert everything(store) == held


def test_a_run_whose_first_record_is_lost_is_named_after_its_folder(store: Engine, journal: Written) -> None:
    path = journal([], "R7")
    path.write_bytes(encode(run("R7"))[:60] + b"".join(map(encode, [delta(1), step(2), end()])))
    done = import_journal(store, path)
    assert (done.run_id, done.set_aside, done.damaged) == ("R7", 1, ())
    found = recorded_runs.run(store, "R7")
    assert (found["status"], found["started"], found["test_id"]) == ("passed", None, None)
    assert [row["scope"] for row in recorded_runs.steps(store, "R7")] == ["host"]


def test_an_empty_journal_is_no_run_yet(store: Engine, journal: Written) -> None:
    path = journal([])
    following = JournalImport(store, path)
    assert following.catch_up().rows == 0
    assert recorded_runs.runs(store) == []
    append(path, [run("R9")])
    assert following.catch_up().run_id == "R9"


def test_a_step_has_one_final_row(store: Engine, journal: Written) -> None:
    """The last of the host's own records; one that the recorder made counts only where there is no other."""
    path = journal(
        [
            run(hosts=("r1", "r2", "r3", "r4")),
            step(1, "r1", verdict="failed"),
            step(2, "r1", verdict="passed"),
            step(0, "r2", verdict="unreachable"),
            step(1, "r2", verdict="passed"),
            step(1, "r3", verdict="passed"),
            step(0, "r3", verdict="unreachable"),
            step(0, "r4", verdict="unreachable"),
            step(0, "r4", verdict="skipped"),
        ]
    )
    for limits in (BatchLimits(), BatchLimits(records=1)):
        import_journal(store, path, limits)
        verdicts = {row["host"]: row["verdict"] for row in recorded_runs.steps(store, "R1")}
        assert verdicts == {"r1": "passed", "r2": "passed", "r3": "passed", "r4": "skipped"}
        execute(store, "DELETE FROM runs")


@pytest.mark.parametrize("limits", [BatchLimits(), BatchLimits(records=1)], ids=["whole", "batches"])
def test_a_step_recorded_again_leaves_no_old_measurement(store: Engine, journal: Written, limits: BatchLimits) -> None:
    three = [{"name": name, "value": 1, "unit": ""} for name in "abc"]
    path = journal(
        [run(), step(1, measurements=three), step(1, "r2", measurements=three), step(2, measurements=three[:1])]
    )
    import_journal(store, path, limits)
    measured = [(row["host"], row["name"]) for row in recorded_runs.measurements(store, "R1")]
    assert sorted(measured) == [("r1", "a"), ("r2", "a"), ("r2", "b"), ("r2", "c")]
    assert import_journal(store, path).rows == 0


def checks_of(store: Engine) -> int:
    checks: int = recorded_runs.run(store, "R1")["checks"]
    return checks


@pytest.mark.parametrize("limits", [BatchLimits(), BatchLimits(records=1)], ids=["whole", "batches"])
def test_a_run_knows_how_much_it_checked(store: Engine, journal: Written, limits: BatchLimits) -> None:
    """The last record of a step counts; a looped step has checked what its instances did."""
    path = journal(
        [
            run(),
            step(1, checks=5),
            step(2, checks=3),
            step(1, "r2"),
            step(3, step="loop[a]", parent="loop", checks=4),
            step(4, step="loop[b]", parent="loop"),
            step(5, step="loop", instances=2, checks=4),
            step(0, "r1", step="compute", verdict="unreachable"),
        ]
    )
    import_journal(store, path, limits)
    assert checks_of(store) == 7
    append(path, [step(6, checks=1)])
    import_journal(store, path)
    assert checks_of(store) == 5


def test_a_run_that_checked_nothing_says_so(store: Engine, journal: Written) -> None:
    import_journal(store, journal([run(), step(1), end(status="unchecked", exit_code=1)]))
    found = recorded_runs.run(store, "R1")
    assert (found["checks"], found["status"]) == (0, "unchecked")


def artifacts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / "artifacts.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "fields",
    [{"size": 2**80, "masked": "yes", "media_type": 3}, {"name": "x" * 999}, {"name": "a\0\ud800", "masked": 0}],
)
def test_an_odd_artifact_loses_a_field_alone(store: Engine, journal: Written, fields: dict[str, Any]) -> None:
    import_journal(store, journal([run(), {**artifacts()[1], **fields}]))
    (row,) = recorded_runs.artifacts(store, "R1")
    assert (row["attempt"], row["masked"], len(row["name"]) <= 255) == (1, None if "masked" in fields else True, True)


def test_a_pinned_run_stays_pinned(store: Engine, journal: Written) -> None:
    """That is said of the row, and not by the journal."""
    path = journal([run()])
    import_journal(store, path)
    execute(store, "UPDATE runs SET pinned = TRUE")
    append(path, [end()])
    import_journal(store, path)
    found = recorded_runs.run(store, "R1")
    assert (found["status"], found["pinned"]) == ("passed", True)


def test_records_of_other_kinds_change_nothing(store: Engine, journal: Written) -> None:
    path = journal(whole_run())
    import_journal(store, path)
    held = everything(store)
    log = {"kind": "log", "stage": 1, "n": 0, "host": "r1", "step": "step0", "attempt": 1, "time": TIME, "event": "end"}
    path.unlink()
    journal(other for record in whole_run() for other in (record, log | {"text": "x"}, {"kind": "later", "n": 1}))
    execute(store, "DELETE FROM runs")
    import_journal(store, path, BatchLimits(records=5))
    found = everything(store)
    found["run"]["journal_offset"] = held["run"]["journal_offset"]
    assert found == held


HOSTILE = "100% %s %(x)s ' \" ` \\ \\' \\n ; -- ? :name {x} \t\r\n <b>"


@pytest.mark.usefixtures("every_database")
def test_values_and_texts_are_exact(store: Engine, journal: Written) -> None:
    values = [2**63 - 1, -(2**63), 10**40, 0.1, 1e-320, HOSTILE, {HOSTILE: [None, True]}, "a\0b\ud800", "🎉" * 3, ""]
    deltas = [delta(n, key=f"of.k{n}_v1", after=value) for n, value in enumerate(values, 1)]
    told = step(99, reason=HOSTILE, attempts=[attempt(stdout=HOSTILE, stderr="🎉ü")])
    import_journal(store, journal([run(), *deltas, told]))
    assert [row["after"] for row in recorded_runs.history(store, "R1")] == values
    (row,) = recorded_runs.steps(store, "R1")
    assert (row["reason"], row["stdout"], row["stderr"]) == (HOSTILE, HOSTILE, "🎉ü")
    assert row["attempts"] == [attempt(stdout=HOSTILE, stderr="🎉ü")]


@pytest.mark.usefixtures("every_database")
def test_measured_values_are_exact(store: Engine, journal: Written) -> None:
    values = [2**63 - 1, 2**70, -0.0, 0.1 + 0.2, 1e308, True, "text", None, [1, 2]]
    for number, value in enumerate(values):
        measured = {"name": "x", "value": value, "unit": "s"}
        import_journal(store, journal([run(f"R{number}"), step(1, measurements=[measured])], f"R{number}"))
        (row,) = recorded_runs.measurements(store, f"R{number}")
        assert row["value"] == value
        assert type(row["value"]) is type(value)
        with store.connect() as connection:
            stored = connection.scalar(text(f"SELECT value FROM measurements WHERE run_id = 'R{number}'"))
        assert stored == (float(value) if isinstance(value, int | float) else None)


@pytest.mark.usefixtures("every_database")
def test_a_large_value_with_signs_of_four_bytes(store: Engine, journal: Written) -> None:
    value = "🎉" * 2**18  # 1 MiB
    import_journal(store, journal([run(), delta(after=value), step(attempts=[attempt(stdout=value)])]))
    (held,) = recorded_runs.context(store, "R1")
    assert held["value"] == value
    assert recorded_runs.steps(store, "R1")[0]["stdout"] == value


@pytest.mark.usefixtures("every_database")
def test_captured_text_is_made_storable(store: Engine, journal: Written) -> None:
    """NUL and lone surrogates are shown by a sign that each database takes."""
    told = step(
        1, "h\0\ud800", step="s\0", reason="\0\udfff!", attempts=[attempt(stdout="a\0b\udc80c", stderr="\ud83c")]
    )
    import_journal(store, journal([run(), told, delta(1, "h\0\ud800", step="s\0")]))
    (row,) = recorded_runs.steps(store, "R1")
    assert (row["host"], row["step"], row["reason"]) == ("h␀�", "s␀", "␀�!")
    assert (row["stdout"], row["stderr"]) == ("a␀b�c", "�")
    assert recorded_runs.context(store, "R1")[0]["host"] == "h␀�"


@pytest.mark.usefixtures("every_database")
def test_names_that_differ_in_case_or_blanks_are_apart(store: Engine, journal: Written) -> None:
    names = ["abc", "ABC", "abc ", "äbc", "a\u0308bc"]
    import_journal(store, journal([run(), *(step(1, name) for name in names), *(delta(2, name) for name in names)]))
    assert {row["host"] for row in recorded_runs.steps(store, "R1")} == set(names)
    assert {row["host"] for row in recorded_runs.context(store, "R1")} == set(names)


@pytest.mark.usefixtures("every_database")
def test_names_that_are_too_long_keep_apart(store: Engine, journal: Written) -> None:
    long = "🎉" * 255
    names = [long, long + "a", long + "b"]
    import_journal(store, journal([run(), *(step(1, name, step=name) for name in names), delta(2, long, key=long)]))
    hosts = {row["host"] for row in recorded_runs.steps(store, "R1")}
    assert long in hosts
    assert len(hosts) == 3
    assert {len(host) for host in hosts} == {255}


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(
    "fields",
    [
        {"attempts": None, "measurements": None, "reason": None, "started": None, "seconds": None},
        {"attempts": [], "measurements": []},
        {"attempts": [attempt(exit_code=2**70, user_sec=10**400, max_rss_kib="much", stdout=None, stderr=3)]},
        {"attempts": ["?"], "measurements": [3, {"value": {}}, {"name": 5, "unit": 7, "value": 10**400}]},
        {"seconds": 10**400, "started": "x" * 999, "reason": ["a"], "verdict": "v" * 999, "stage": 2**80},
        {"parent": ["x"], "instances": "two", "checks": -4, "blocks": 1, "flake": "yes", "inputs": 5, "from": {"a": 1}},
        {"parent": "unknown", "instances": 2**80, "checks": 2**80, "rounds": [1], "hooks": {"a": 1}, "tags": "slow"},
        {"measurements": [{"name": "x", "value": 1, "limits": 3, "distance": 10**400, "verdict": {"a": 1}}]},
        {"measurements": [{"name": "x", "value": 1, "limits": {}, "distance": "far", "verdict": None}]},
    ],
)
def test_a_field_that_is_not_as_it_should_be_loses_itself_alone(
    store: Engine, journal: Written, fields: dict[str, Any]
) -> None:
    odd = delta(3, attempt=2**70, time="t" * 999, who="w" * 999, step="s" * 999)
    about = {"recipe": None, "hosts": None, "steps": [3, {"name": []}, {}], "versions": 4, "controller": ["c"]}
    about |= {"params": [1], "labels": "team", "references": {"a": 1}, "options": None, "resumes": 5}
    import_journal(
        store, journal([run() | about, step(1, **fields), odd, step(1, "r2"), end(counts=None, exit_code="x")])
    )
    assert [row["host"] for row in recorded_runs.steps(store, "R1")] == ["r1", "r2"]
    assert recorded_runs.run(store, "R1")["status"] == "passed"
    assert len(recorded_runs.context(store, "R1")) == 1


def test_memory_does_not_grow_with_the_hosts(tmp_path: Path, journal: Written) -> None:
    """But for the little that is known of each: the peak of a process of its own, in KiB."""
    peaks = []
    for hosts in (100, 400):
        path = journal(whole_run(hosts=hosts, steps=10), f"R{hosts}")
        command = [sys.executable, "-c", PEAK, f"sqlite:///{tmp_path}/{hosts}.db", str(path)]
        peaks.append(int(subprocess.run(command, capture_output=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 6 * 1024  # all of them at once take 10 MiB more


def test_two_runs_stay_apart(store: Engine, journal: Written) -> None:
    for run_id in ("R1", "R2"):
        import_journal(store, journal(whole_run(run_id), run_id))
    first, second = everything(store, "R1"), everything(store, "R2")
    assert json.loads(json.dumps(first).replace('"R1"', '"R2"')) == second


@pytest.mark.usefixtures("every_database")
def test_a_run_goes_with_all_its_rows(store: Engine, journal: Written) -> None:
    for run_id in ("R1", "R2"):
        import_journal(store, journal(whole_run(run_id), run_id))
    held = everything(store, "R2")
    execute(store, "DELETE FROM runs WHERE run_id = 'R1'")
    assert everything(store, "R2") == held
    assert {row["run_id"] for row in recorded_runs.runs(store)} == {"R2"}
    assert count(store, "context") == len(held["history"])


def test_whether_the_store_has_all_of_a_journal(store: Engine, journal: Written) -> None:
    path = journal(whole_run())
    assert is_behind(store, path)
    assert count(store, "runs") == 0
    import_journal(store, path)
    assert not is_behind(store, path)
    path.write_bytes(path.read_bytes() + encode(delta(99))[:-2])
    assert not is_behind(store, path)  # a torn record is none
    journal([delta(98)])
    assert is_behind(store, path)
    import_journal(store, path)
    execute(store, "DELETE FROM measurements WHERE n = 1")
    assert is_behind(store, path)
