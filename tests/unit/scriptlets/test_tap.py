# SPDX-License-Identifier: GPL-3.0-or-later

"""Streams of TAP: what is read of them, and that nothing passes of which a part is missing."""

from __future__ import annotations

import importlib
from operator import itemgetter
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[3]
CASES = yaml.safe_load(Path(__file__).with_name("tap_cases.yml").read_text(encoding="utf-8"))
PIECES = ("1..", "1", "2", "9", "ok", "not ok", " ", "    ", "  ---", "  ...", "\n", " - ", "#", " # SKIP", " # TODO",
          "\\", "Bail out!", "TAP version 14", "pragma +strict", "# Subtest: a", "message: x", "\x1b[1m", "\udcff",
          "é")  # fmt: skip


@pytest.fixture(scope="module")
def tap():
    """The module as a host has it. The tests with many examples need it, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield importlib.import_module("scriptlets.tools.tap")


def read(tap, stream):
    reader = tap.TapReader()
    for line in stream.split("\n"):
        reader.line(line.rstrip("\r"))
    reader.finish()
    return reader


def told(scriptlet, reader):
    unique = scriptlet("tools.suite_cases").unique
    named = unique(reader.cases, lambda case: case.name)
    return {name: case.outcome + (f": {case.message}" if case.message else "") for name, case in named}


@pytest.mark.parametrize("case", CASES, ids=itemgetter("name"))
def test_a_stream(scriptlet, tap, case):
    reader = read(tap, case["stream"])
    assert told(scriptlet, reader) == case["cases"]
    assert (reader.problems, reader.skipped) == (case.get("problems", []), case.get("skipped", ""))
    seconds = {each.name: each.seconds for each in reader.cases if each.seconds is not None}
    assert seconds == case.get("seconds", {})


def is_whole(reader):
    """Whether a step would pass, or be skipped."""
    return not reader.problems and all(case.outcome != "failed" for case in reader.cases)


@pytest.mark.parametrize("case", [case for case in CASES if "problems" not in case], ids=itemgetter("name"))
def test_a_stream_without_one_of_its_points_or_its_plan_is_an_error(tap, case):
    lines = case["stream"].splitlines()
    for number, line in enumerate(lines):
        if tap.POINT.fullmatch(line) or tap.PLAN.fullmatch(line):
            assert read(tap, "\n".join(lines[:number] + lines[number + 1 :])).problems, line


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 6), kept=st.data(), after=st.booleans())
def test_a_stream_that_is_cut_off_does_not_pass(tap, count, kept, after):
    points = [f"ok {number} - case" for number in range(1, count + 1)]
    whole = "\n".join([*points, f"1..{count}"] if after else [f"1..{count}", *points]) + "\n"
    assert is_whole(read(tap, whole))
    end = kept.draw(st.integers(0, len(whole) - len(points[-1]) - 2))
    assert not is_whole(read(tap, whole[:end]))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200))
def test_no_stream_breaks_the_reader_and_none_passes_without_a_case(tap, stream):
    reader = read(tap, stream)
    if is_whole(reader):
        assert reader.cases or reader.skipped


def test_more_cases_than_a_step_can_have(tap, monkeypatch):
    monkeypatch.setattr(tap, "MOST", 3)
    reader = read(tap, "\n".join(["ok"] * 100))
    assert len(reader.cases) == 4
    assert reader.problems[0] == "it has more than 3 cases, the most that a step can have: split it"


def test_subtests_that_are_too_deep_are_no_tap(tap):
    reader = read(tap, f"1..1\n{' ' * 400}ok 1\nok 1\n")
    assert ([case.name for case in reader.cases], reader.problems) == (["case 1"], [])


def test_a_stream_of_a_megabyte_in_one_line(tap):
    assert read(tap, "1..1\nok 1 " + "#\\ " * 300_000).problems == []
