# SPDX-License-Identifier: GPL-3.0-or-later

"""Adding a waiver to a file: all else in it stays, and what cannot be added is told with the line to put there."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.recipe.waiver_file import add_waiver, entry_errors, read_waivers

ENTRY = {"step": "fans", "hosts": ["r1"], "reason": 'loud: "very", #1', "who": "token:alice", "until": "2099-12-31"}
LINE = """- {step: "fans", hosts: ["r1"], reason: "loud: \\"very\\", #1", who: "token:alice", until: "2099-12-31"}\n"""
OLD = "  - step: wire\n    reason: x  # why\n    who: bob\n    until: 2099-01-01\n"
PATH = Path("waivers.yml")


@pytest.mark.parametrize(
    ("before", "indentation"),
    [
        (None, "  "),
        ("waivers:\n", "  "),
        ("waivers:", "  "),
        (f"# ours\nwaivers:\n{OLD}", "  "),
        (f"---\nwaivers: # all\n\n  # first\n{OLD}\n", "  "),
        ("waivers:\n- {step: wire, reason: x, who: bob, hosts:\n  [a, b], passes: 3}\n", ""),
        (
            "waivers:\n    - step: wire\n      reason: x\n      who: bob\n      passes: 3\n      hosts:\n        - r1",
            "    ",
        ),
    ],
)
def test_the_rest_of_the_file_stays(project, before, indentation):
    if before is not None:
        PATH.write_text(before)
        PATH.chmod(0o640)
    waiver = add_waiver(PATH, ENTRY)
    assert (waiver.step, waiver.reason, waiver.who) == ("fans", 'loud: "very", #1', "token:alice")
    start = "waivers:\n" if before is None else before if before.endswith("\n") else f"{before}\n"
    assert PATH.read_text() == f"{start}{indentation}{LINE}"
    assert read_waivers(str(PATH)).waivers[-1] == waiver
    assert before is None or stat.S_IMODE(PATH.stat().st_mode) == 0o640
    assert [path.name for path in Path().iterdir() if path.name.startswith(".waivers")] == []


@pytest.mark.parametrize("before", ["waivers: []\n", "waivers: [{step: a, reason: b, who: c, passes: 1}]\n"])
def test_a_list_in_brackets_stays_and_the_line_is_told(project, before):
    PATH.write_text(before)
    with pytest.raises(UsageError, match=r"waivers.yml: its list is not one .* put this into it yourself: - \{step"):
        add_waiver(PATH, ENTRY)
    assert PATH.read_text() == before


def test_a_wrong_file_is_told_with_its_place(project):
    PATH.write_text("waivers:\n  - {step: a}\n")
    with pytest.raises(UsageError, match=r"waivers\.yml:2:5: expected"):
        add_waiver(PATH, ENTRY)


def test_a_waiver_that_is_there_is_named_by_its_line(project):
    add_waiver(PATH, ENTRY)
    with pytest.raises(UsageError, match=r"^waivers\.yml:3: expected each waiver once, got that of line 2 again"):
        add_waiver(PATH, {**ENTRY, "reason": "another"})


def test_a_file_that_cannot_be_written_is_told(project):
    with pytest.raises(UsageError, match=r"none/waivers\.yml: cannot be written: No such file"):
        add_waiver(Path("none/waivers.yml"), ENTRY)


def test_many_at_once_are_all_there(project):
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda number: add_waiver(PATH, {**ENTRY, "step": f"s{number}"}), range(16))]
    assert {waiver.step for waiver in read_waivers(str(PATH)).waivers} == {f"s{number}" for number in range(16)}


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({"until": "soon"}, "until", "expected a date such as 2026-12-31, got 'soon'"),
        ({"who": None}, "who", "expected who in a waiver, got none"),
        (
            {"until": None},
            "until",
            "expected until (a date) or passes (so many in a row) in a waiver",
        ),
        ({"hosts": ["a", "b\n"]}, "hosts", "expected one line of text, at most 200 characters"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_by_field(change, name, message):
    entry = {field: value for field, value in {**ENTRY, **change}.items() if value is not None}
    found = entry_errors(entry)
    assert [*found] == [name]
    assert message in found[name]


def test_a_right_entry_has_no_errors():
    assert entry_errors(ENTRY) == {}
