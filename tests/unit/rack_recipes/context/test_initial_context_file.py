# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.context.initial_context_file import ExportedContext, initial_deltas, read_initial_context, to_data
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import encode

pytestmark = pytest.mark.usefixtures("own_folder")

TIME = "2026-11-25T12:00:00.000000Z"


def written(data: Any) -> str:
    Path("c.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return "c.json"


def test_what_is_exported_can_be_read() -> None:
    entries: list[dict[str, Any]] = [
        {"key": "a_v1", "host": "", "value": {"x": [1, None]}},
        {"key": "b_v1", "host": "r1", "value": "ü"},
        {"key": "a_v1", "host": "r1", "value": 2},
    ]
    data = to_data("R1", 7, entries)
    assert (data["run_id"], data["at"]) == ("R1", 7)
    found = read_initial_context(written(data))
    assert found == ExportedContext({"a_v1": {"x": [1, None]}}, {"r1": {"b_v1": "ü", "a_v1": 2}})


def test_either_part_is_enough() -> None:
    assert read_initial_context(written({"run": {"a_v1": 1}})) == ExportedContext({"a_v1": 1}, {})
    assert read_initial_context(written({"hosts": {"r1": {}}})) == ExportedContext({}, {"r1": {}})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("{", "c.json: expected JSON as `rack-recipes ctx export` writes it: Expecting property name"),
        ('{"run": {"a_v1": 1, "a_v1": 2}}', "writes it: 'a_v1' stands in one object twice"),
        ([1], "c.json: expected an object with 'run' and 'hosts', got [1]"),
        ({}, "c.json: expected 'run' or 'hosts' with keys, got only an empty object"),
        ({"run_id": "R1"}, "c.json: expected 'run' or 'hosts' with keys, got only run_id"),
        ({"host": {}}, "c.json: expected 'run' and 'hosts', got 'host' (did you mean 'hosts'?)"),
        ({"colour": {}}, "c.json: expected 'run' and 'hosts', got 'colour'"),
        ({"run": 5}, "c.json: run: expected an object of keys with their values, got 5"),
        ({"run": "x" * 100}, 'c.json: run: expected an object of keys with their values, got "' + "x" * 76 + "..."),
        ({"hosts": []}, "c.json: hosts: expected an object of hosts, each with its keys, got []"),
        ({"hosts": {"": {"a_v1": 1}}}, "c.json: hosts: expected the name of a host, got an empty one"),
        ({"hosts": {"r1": None}}, "c.json: hosts.r1: expected an object of keys with their values, got null"),
        ({"run": {}, "who": {"r1": 7}}, "c.json: who.r1: expected an object of keys with their authors, got 7"),
        ({"run": {}, "who": {"r1": {"a_v1": 7}}}, "c.json: who.r1: a_v1: expected a name of at most 1000 characters, "),
        ({"run": {"A": 1}}, "c.json: run: expected a context key such as numbers.stats_v1, got 'A'"),
        ('{"run": {"a_v1": [NaN]}}', "c.json: run: a_v1[0]: nan is not a JSON number"),
        ({"hosts": {"r1": {"a_v1": 2**64}}}, "c.json: hosts.r1: a_v1: an integer beyond 64 bits"),
    ],
)
def test_what_is_wrong_in_a_file(data: Any, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_initial_context(written(data))
    assert error in str(caught.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"^gone\.json: cannot be read: No such file or directory$"):
        read_initial_context("gone.json")


def test_a_run_starts_with_the_keys_of_its_hosts() -> None:
    given = ExportedContext({"a_v1": 1}, {"r2": {"b_v1": 2, "c_v1": 3}, "r9": {"d_v1": 4}})
    records = [*initial_deltas(given, ("r1", "r2"), TIME)]
    assert [(each["n"], each["host"], each["scope"], each["key"], each["after"]) for each in records] == [
        (1, "", "run", "a_v1", 1),
        (1, "r2", "host", "b_v1", 2),
        (2, "r2", "host", "c_v1", 3),
    ]
    origins = {tuple(each[name] for name in ("stage", "based_on", "who", "time")) for each in records}
    assert origins == {(0, 0, "import", TIME)}
    assert all(map(encode, records))


def test_authors_that_the_file_names_are_kept() -> None:
    given = read_initial_context(written({"run": {"a_v1": 1, "b_v1": 2}, "who": {"": {"b_v1": "me"}}}))
    assert [each["who"] for each in initial_deltas(given, (), TIME)] == ["import", "me"]


def test_a_long_key_is_cut() -> None:
    with pytest.raises(UsageError) as caught:
        read_initial_context(written({"run": {"A" * 1000: 1}}))
    assert str(caught.value).endswith(f"got '{'A' * 199}...")
