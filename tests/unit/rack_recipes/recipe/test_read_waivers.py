# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of waivers: what it may say, what is wrong with it and where, and what its JSON Schema says of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rack_recipes.errors import UsageError
from rack_recipes.recipe.waiver_file import CHECKS, read_waivers, waivers_of
from rack_recipes.recipe.waivers import Waiver, WaiverFile
from rack_recipes.recipe.yaml.reader import read_value
from rack_recipes.settings import Settings

ROOT = Path(__file__).parents[4]
SCHEMA = json.loads((ROOT / "docs" / "waivers.schema.json").read_text())
WRONG = yaml.safe_load(Path(__file__).with_name("cases").joinpath("wrong_waivers.yml").read_text())
GOOD = """\
waivers:
  - {step: link, reason: RMA 1234, who: alice, until: 2026-12-31}
  - test_id: HALL-*
    recipe: recipes/hall.yml
    step: disk[*
    hosts: [leaf1, "n[1:4]"]
    measurement: temp
    verdicts: [failed, unreachable]
    reason: " a fan is loud "
    who: bob
    until: 2027-01-01
    passes: 3
  - {step: x, hosts: "a:!b", reason: r, who: w, passes: 1, attributes: {slot: 2}}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def schema_takes(text: str) -> bool:
    """Whether the schema takes a file as we read it: a date is text."""
    return Draft202012Validator(SCHEMA).is_valid(read_value(text) if text else None)


def test_all_that_a_file_can_say():
    Path("w.yml").write_text(GOOD)
    found = read_waivers("w.yml")
    assert found.waivers == (
        Waiver("link", "RMA 1234", "alice", date(2026, 12, 31), line=2),
        Waiver(
            "disk[*",
            "a fan is loud",
            "bob",
            date(2027, 1, 1),
            3,
            "HALL-*",
            "recipes/hall.yml",
            ("leaf1", "n[1:4]"),
            "temp",
            ("failed", "unreachable"),
            line=3,
        ),
        Waiver("x", "r", "w", passes=1, hosts=("a:!b",), attributes={"slot": 2}, line=13),
    )
    assert found.path == "w.yml"
    assert found.digest.startswith("sha256:")
    assert schema_takes(GOOD)


@pytest.mark.parametrize("text", ["waivers:\n", "waivers: []\n"])
def test_a_file_may_have_none(text: str):
    Path("w.yml").write_text(text)
    assert read_waivers("w.yml").waivers == ()
    assert schema_takes(text)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["text"][:60])
def test_what_is_wrong_is_told_with_its_place(case: dict[str, Any]):
    Path("w.yml").write_text(case["text"])
    with pytest.raises(UsageError) as refusal:
        read_waivers("w.yml")
    assert str(refusal.value).startswith(case["said"])
    if case.get("schema") != "unreadable":
        assert str(refusal.value) == case["said"]
        assert schema_takes(case["text"]) is case.get("schema", False)


def test_the_schema_has_the_fields_that_are_read():
    assert [*SCHEMA["properties"]["waivers"]["items"]["properties"]] == [*CHECKS]


def test_a_missing_file():
    with pytest.raises(UsageError, match=r"^gone\.yml: cannot be read: No such file or directory$"):
        waivers_of(Settings(waivers="gone.yml"))


def test_the_file_is_beside_ansible_cfg_unless_the_setting_names_another(tmp_path: Path, monkeypatch):
    assert waivers_of(Settings()) == WaiverFile()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "conf" / "waivers.yml").write_text(GOOD)
    assert waivers_of(Settings()) == WaiverFile()
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "conf" / "ansible.cfg"))
    assert len(waivers_of(Settings()).waivers) == 3
    Path("other.yml").write_text("waivers: []")
    assert waivers_of(Settings(waivers="other.yml")).path == "other.yml"
