# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, end, step
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import (
    KEY,
    begun,
    opened,
    setting,
    versions,
)
from rack_recipes.context.run_context import Context
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.server.live import live_context
from rack_recipes.server.live.key_operations import INCREMENT, PATCH, WriteRequest
from rack_recipes.server.live.live_context import LiveContext, Written
from rack_recipes.server.problems import Problem

ADD = WriteRequest("count_v1", "", INCREMENT, {"by": 1})


def folded(journal: Path) -> Context:
    """The context as every other reader of the journal has it."""
    context = Context()
    for line in JournalReader(journal).read():
        if line.record:
            context.fold(line.record)
    return context


def test_a_write_is_in_the_journal(tmp_path):
    live = opened(begun(tmp_path))
    (written,) = live.commit([setting({"mean": 1}, who="zoe", step="measure")])
    assert written == Written(1, 1, '{"mean":1}')
    record = [line.record for line in JournalReader(tmp_path / "journal.jsonl").read()][-1]
    assert record
    shown = {name: record[name] for name in ("key", "scope", "host", "after", "based_on", "who", "step", "exact")}
    assert shown == {
        "key": KEY,
        "scope": "run",
        "host": "",
        "after": {"mean": 1},
        "based_on": 0,
        "who": "zoe",
        "step": "measure",
        "exact": True,
    }


def test_of_two_writes_based_on_one_version_one_counts(tmp_path):
    live = opened(begun(tmp_path))
    outcomes = live.commit([setting(1, 0), setting(2, 1), setting(3, 1), setting(4)])
    assert versions(outcomes) == [1, 2, "version-conflict", 3]
    problem = outcomes[2]
    assert isinstance(problem, Problem)
    assert problem.detail == f"{KEY} of the run is at version 2, this write is based on version 1"
    assert problem.more == {"current": {"key": KEY, "host": "", "version": 2, "value": 2}}


@pytest.mark.parametrize(("based_on", "detail"), [(1, "is not set"), (7, "is not set")])
def test_a_write_based_on_what_is_not_there(tmp_path, based_on, detail):
    (problem,) = opened(begun(tmp_path)).commit([setting(1, based_on)])
    assert isinstance(problem, Problem)
    assert problem.detail == f"{KEY} of the run {detail}, this write is based on version {based_on}"


def test_keys_of_hosts_are_apart(tmp_path):
    live = opened(begun(tmp_path))
    assert versions(live.commit([setting(1, 0), setting(2, 0, host="leaf1"), setting(3, 0, host="leaf2")])) == [1, 1, 1]
    assert live.context.values(KEY) == {"leaf1": 2, "leaf2": 3}


def test_operations_of_one_batch_build_on_each_other(tmp_path):
    live = opened(begun(tmp_path))
    patch = WriteRequest("list_v1", "", PATCH, [{"op": "add", "path": "/-", "value": 1}])
    outcomes = live.commit([*[ADD] * 50, setting([], key="list_v1"), patch, patch])
    assert versions(outcomes) == [*range(1, 51), 1, 2, 3]
    assert (live.context.get("count_v1"), live.context.get("list_v1")) == (50, [1, 1])
    assert folded(tmp_path / "journal.jsonl").get("count_v1") == 50


def test_it_goes_on_where_the_journal_ended(tmp_path):
    journal = begun(tmp_path)
    opened(journal).commit([setting(1), setting(2)])
    again = opened(journal)
    assert (again.index.last, again.context.get(KEY)) == (2, 2)
    assert versions(again.commit([setting(3, 2)])) == [3]


def test_what_others_append_is_seen_before_a_write(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    append(journal, [delta(0, scope="run", after="theirs")])
    assert versions(live.commit([setting("ours", 0)])) == ["version-conflict"]


def appended_between(journal, monkeypatch, *records):
    """Another process appends just before the next write, when the server has looked already."""
    appended = []

    def append_late(descriptor, lines):
        if not appended:
            appended.append(append(journal, records))
        return append_lines(descriptor, lines)

    append_lines = live_context.append_lines
    monkeypatch.setattr(live_context, "append_lines", append_late)


def test_a_write_that_others_came_before_is_tried_again(tmp_path, monkeypatch):
    journal = begun(tmp_path)
    live = opened(journal)
    live.commit([ADD])
    theirs = delta(0, scope="run", key="count_v1", after=10, based_on=1)
    appended_between(journal, monkeypatch, theirs)
    assert versions(live.commit([ADD, setting(1)])) == [None, 1]
    assert versions(live.commit([ADD])) == [3]
    assert live.context.get("count_v1") == folded(journal).get("count_v1") == 11
    assert [change.after for _before, change in live.index.history(("", "count_v1"), 99, 99)] == ["1", "10", "11"]


def test_a_versioned_write_that_others_came_before_is_a_conflict_then(tmp_path, monkeypatch):
    journal = begun(tmp_path)
    live = opened(journal)
    appended_between(journal, monkeypatch, delta(0, scope="run", after="theirs"))
    assert versions(live.commit([setting("ours", 0)])) == [None]
    assert versions(live.commit([setting("ours", 0)])) == ["version-conflict"]
    assert live.context.get(KEY) == folded(journal).get(KEY) == "theirs"


def test_deep_merge_makes_one_value_of_two_writes(tmp_path):
    journal = begun(tmp_path, merge=[{"keys": "power.*", "policy": "deep_merge"}])
    live = opened(journal)
    key = "power.limits_v1"
    live.commit([setting({"a": 1, "b": 1}, 0, key)])
    outcomes = live.commit([setting({"a": 2, "b": 1}, 1, key), setting({"a": 1, "b": 2}, 1, key), setting(1, 2, key)])
    assert versions(outcomes) == [2, 3, None]
    merged = outcomes[1]
    assert isinstance(merged, Written)
    assert (json.loads(merged.text), merged.policy) == ({"a": 2, "b": 2}, "deep_merge")
    assert folded(journal).get(key) == {"a": 2, "b": 2}


def test_an_old_version_under_deep_merge_merges_for_each_client(tmp_path):
    """The clients of the server share a host; what one of them knows is nothing that another one knows."""
    live = opened(begun(tmp_path, merge=[{"keys": "*", "policy": "deep_merge"}]))
    for value in ({"a": 1}, {"a": 2}, {"a": 3}):
        live.commit([setting(value)])
    live.commit([setting({"a": 1, "b": 1}, 1)])
    live.commit([setting({"a": 2, "c": 1}, 2)])
    assert live.context.get(KEY) == {"a": 3, "b": 1, "c": 1}


def test_a_repeated_request_changes_nothing(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    once = WriteRequest("count_v1", "", INCREMENT, {"by": 1}, request="id-1")
    (first,) = live.commit([once])
    for context in (live, opened(journal)):
        (again,) = context.commit([once])
        assert isinstance(first, Written)
        assert again == Written(first.seq, first.version, first.text, repeated=True)


def test_an_id_that_was_used_for_another_request_is_refused(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    assert versions(live.commit([setting(1, who="zoe", request="id-1")])) == [1]
    others = [
        setting(2, who="zoe", request="id-1"),
        setting(1, 1, who="zoe", request="id-1"),
        setting(1, who="zoe", request="id-1", step="other"),
        setting(1, who="zoe", request="id-1", host="leaf1"),
        WriteRequest(KEY, "", PATCH, [], who="zoe", request="id-1"),
        WriteRequest("other_v1", "", INCREMENT, {}, who="zoe", request="id-1"),
    ]
    for context in (live, opened(journal)):
        for other in others:
            assert versions(context.commit([other])) == ["another-request"]
        assert versions(context.commit([setting(1, who="eve", request="id-1")])) == [1]
    assert versions(live.commit([setting(1, key="other_v1", who="eve", request="id-1")])) == [1]


def test_two_requests_of_one_id_at_once_are_not_both_done(tmp_path):
    live = opened(begun(tmp_path))
    both = [setting(1, key=key, who="zoe", request="id-1") for key in ("a_v1", "b_v1")]
    assert versions(live.commit(both)) == [1, None]
    assert versions(live.commit(both[1:])) == ["another-request"]


def test_a_secret_leaves_no_digest_by_which_it_could_be_tried_out(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    secret = setting({"password": "s3cr3t-one"}, who="zoe", request="id-1")
    hidden = WriteRequest(KEY, "", PATCH, [{"op": "add", "path": "/token", "value": "s3cr3t-two"}], request="id-2")
    assert versions(live.commit([secret])) == [1]
    assert versions(live.commit([hidden])) == [2]
    assert b"asked" not in journal.read_bytes()
    assert versions(opened(journal).commit([secret])) == [1]
    assert versions(opened(journal).commit([hidden])) == [2]


def test_what_takes_long_is_done_in_several_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(live_context, "SOON", 0.0)
    live = opened(begun(tmp_path))
    assert versions(live.commit([ADD, ADD, ADD])) == [1, None, None]


def test_merges_do_not_grow_beyond_what_a_key_can_hold(tmp_path):
    live = opened(begun(tmp_path, merge=[{"keys": "numbers.*", "policy": "deep_merge"}]))
    half = "x" * 600_000
    assert versions(live.commit([setting({"a": half}), setting({"b": "x"}, 0)])) == [1, 2]
    assert versions(live.commit([setting({"c": half}, 0)])) == ["not-applicable"]


def test_a_request_that_is_repeated_at_once_waits(tmp_path):
    live = opened(begun(tmp_path))
    once = WriteRequest("count_v1", "", INCREMENT, {"by": 1}, request="id-1")
    assert versions(live.commit([once, once])) == [1, None]


def test_a_run_that_is_over_takes_nothing(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    append(journal, [end()])
    (problem,) = live.commit([setting(1)])
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.detail) == ("not-allowed", "run R1 is over")


def test_a_write_has_the_stage_of_the_run(tmp_path):
    journal = begun(tmp_path)
    append(journal, [step(stage=3)])
    opened(journal).commit([setting(1)])
    assert [line.record.get("stage") for line in JournalReader(journal).read() if line.record][-1] == 3


def test_secrets_are_masked_before_they_are_written(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    live.commit([setting({"password": "hunter22"}), setting("hunter22-long", key="bmc.token_v1")])
    live.commit([setting("it said hunter22", key="log_v1")])
    assert live.context.get(KEY) == {"password": "********"}
    assert live.context.get("bmc.token_v1") == "********"
    assert live.context.get("log_v1") == "it said ********"
    assert "hunter22" not in journal.read_text()


def test_a_full_disk_loses_only_what_was_not_acknowledged(tmp_path, monkeypatch):
    journal = begun(tmp_path)
    live = opened(journal)

    def cut_short(descriptor, lines):
        size = len(lines[0]) + 30
        return os.write(descriptor, b"".join(lines)[:size]), 1

    monkeypatch.setattr(live_context, "append_lines", cut_short)
    assert versions(live.commit([ADD, ADD, setting(1)])) == [1, "disk-full", "disk-full"]
    monkeypatch.undo()
    assert versions(live.commit([ADD, setting(1)])) == [2, 1]
    assert folded(journal).get("count_v1") == live.context.get("count_v1") == 2
    assert [live.index.change(number).about["seq"] for number in range(1, live.index.last + 1)] == [1, 2, 3]


def test_a_record_without_its_newline_is_acknowledged(tmp_path, monkeypatch):
    journal = begun(tmp_path)
    live = opened(journal)
    monkeypatch.setattr(live_context, "append_lines", lambda file, lines: (os.write(file, lines[0][:-1]), 1))
    assert versions(live.commit([ADD, ADD])) == [1, "disk-full"]
    assert opened(journal).context.get("count_v1") == 1
    monkeypatch.undo()
    assert versions(live.commit([ADD, setting(1)])) == [2, 1]
    assert opened(journal).context.get("count_v1") == folded(journal).get("count_v1") == 2


def test_a_conflict_with_what_could_not_be_written_is_not_told(tmp_path, monkeypatch):
    live = opened(begun(tmp_path))
    live.commit([setting("a")])
    monkeypatch.setattr(live_context, "append_lines", lambda _file, _lines: (0, 0))
    assert versions(live.commit([setting("b", 1), setting("c", 1), setting("d", 0)])) == ["disk-full", None, None]
    monkeypatch.undo()
    assert versions(live.commit([setting("c", 1), setting("d", 0)])) == [2, "version-conflict"]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EIO, "cannot-write")]
)
def test_a_failed_write_is_told(tmp_path, monkeypatch, number, kind):
    live = opened(begun(tmp_path))

    def fail(_descriptor, _lines):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(live_context, "append_lines", fail)
    (problem,) = live.commit([setting(1)])
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.detail) == (kind, f"nothing was written: {os.strerror(number)}")


def test_a_journal_that_was_altered_under_it_is_told(tmp_path):
    journal = begun(tmp_path)
    live = opened(journal)
    live.commit([setting("abc")])
    journal.write_bytes(journal.read_bytes().replace(b'"abc"', b'"abd"'))
    with pytest.raises(JournalError, match="change 1 was altered since it was read"):
        [*live.index.history(("", KEY), 9, 9)]


KEYS = st.sampled_from(["a_v1", "b_v1"])
REQUESTS = st.builds(
    lambda key, value, based_on, host: setting(value, based_on, key, host=host),
    KEYS,
    st.integers(0, 3),
    st.none() | st.integers(0, 4),
    st.sampled_from(["", "h"]),
)


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.lists(REQUESTS, max_size=4), max_size=5), merges=st.booleans())
def test_it_holds_what_every_other_reader_makes_of_the_journal(tmp_path_factory, batches, merges):
    policy = [{"keys": "a_*", "policy": "deep_merge"}] if merges else []
    journal = begun(tmp_path_factory.mktemp("run"), merge=policy)
    live = opened(journal)
    for batch in batches:
        live.commit(batch)
    other = folded(journal)
    for host in ("", "h"):
        assert live.context.held(host) == other.held(host)
    assert [*opened(journal).index.state(99, any_key)] == [*live.index.state(99, any_key)]
    _check_each_state(live, journal)


def any_key(_key: str, _host: str) -> bool:
    """Every key is wanted."""
    return True


def _check_each_state(live: LiveContext, journal: Path) -> None:
    """Whether the state after each change is what the journal comes to by then."""
    context = Context()
    for line in JournalReader(journal).read():
        assert line.record
        context.fold(line.record)
        held = {(key, host): each for host in ("", "h") for key, each in context.held(host).items()}
        found = [state for state in live.index.state(context.seq, any_key) if state]
        assert {(each.key, each.host): [each.version, json.loads(each.text)] for each in found} == held
        assert [(each.key, each.host) for each in found] == sorted(held)
