# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of new limits: what it may say, and what is wrong with it and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS
from rack_recipes.analysis.rejudge import NewLimit, read_limits
from rack_recipes.errors import UsageError

GOOD = """\
limits:
  - {step: fans, measurement: noise, unit: dB, max: 80, warn: {max: 70}}
  - {measurement: "*_errors", eq: 0}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_that_a_file_can_say():
    Path("l.yml").write_text(GOOD)
    found = read_limits("l.yml")
    assert found.limits == (
        NewLimit("fans", "noise", "dB", {"max": 80, "warn": {"max": 70}}),
        NewLimit("*", "*_errors", None, {"eq": 0}),
    )
    assert (found.path, found.digest[:7]) == ("l.yml", "sha256:")
    assert len(found.data["limits"]) == 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"step": "fans", "name": "noise", "unit": "dB"}, True),
        ({"step": "fans[1]", "planned": "fans", "name": "noise", "unit": "dB"}, True),
        ({"step": "fans[1]", "planned": "other", "name": "noise", "unit": "dB"}, False),
        ({"step": "fans", "name": "noise", "unit": None}, False),
        ({"step": "fans", "name": "speed", "unit": "dB"}, False),
    ],
)
def test_the_measurements_that_limits_are_for(row: dict[str, Any], expected: bool):
    assert NewLimit("fans", "noise", "dB", {"max": 80}).is_for(row) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "l.yml:1:1: expected a mapping with limits, got an empty file"),
        ("limit: []", "l.yml:1:1: expected one of limits, got 'limit' (did you mean 'limits'?)"),
        ("limits: []", "l.yml:1:9: expected a list of limits, got an empty list"),
        ("limits: [a]", "l.yml:1:10: expected limits of a measurement, such as {step: fans, measurement: noise,"),
        ("limits: [{step: a, max: 1}]", "l.yml:1:10: expected the name of a measurement, got none"),
        ("limits: [{measurement: a}]", f"l.yml:1:10: expected a limit: {', '.join(LIMITS)}, got none"),
        ("limits: [{measurement: a, max: 1, at_least: 1}]", "got 'at_least' (did you mean 'min'?)"),
        ("limits: [{measurement: 1, max: 1}]", "l.yml:1:24: expected text, got the number 1"),
        ("limits: [{measurement: a, max: high}]", "l.yml:1:32: expected a number, got 'high'"),
        ("limits: [{measurement: a, max: true}]", "l.yml:1:32: expected a number, got true"),
        ("limits: [{measurement: a, one_of: 1}]", "l.yml:1:35: expected a list, got the number 1"),
        ("limits: [{measurement: a, matches: 1}]", "l.yml:1:36: expected a text, got the number 1"),
        ("limits: [{measurement: a, within: 1}]", "l.yml:1:35: expected a mapping, got the number 1"),
        ("limits: [{measurement: a, within: {of: 1}}]", "l.yml:1:35: expected 'percent' or 'by' in within, got"),
        ("limits: [{measurement: a, min: 2, max: 1}]", "l.yml:1:40: expected at least 2, the min beside it, got"),
        ("limits: [{measurement: a, matches: '('}]", "l.yml:1:36: expected a regular expression, got '('"),
        ("limits: [{measurement: a, max: 1, warn: 1}]", "l.yml:1:41: expected limits, such as {max: 75}, got"),
        ("limits: [{measurement: a, max: 1, warn: {max: x}}]", "l.yml:1:47: expected a number, got 'x'"),
        ("limits: [{measurement: a, max: 1, warn: {maxx: 1}}]", "got 'maxx' (did you mean 'max'?)"),
        ("limits: [{measurement: a, max: 1, warn: {max: 2}}]", "l.yml:1:47: expected at most 1, the hard bound"),
        ("limits: [", "l.yml:2:1: expected a value, got the end of the file"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str):
    Path("l.yml").write_text(text)
    with pytest.raises(UsageError) as refusal:
        read_limits("l.yml")
    assert said in str(refusal.value)


def test_a_missing_file():
    with pytest.raises(UsageError, match=r"^gone\.yml: cannot be read: No such file or directory$"):
        read_limits("gone.yml")
