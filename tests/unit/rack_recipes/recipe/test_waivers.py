# SPDX-License-Identifier: GPL-3.0-or-later

"""Waivers: as they are written, read and added, the passes that lift them, and which are in force."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.errors import UsageError
from rack_recipes.recipe.waiver_file import CHECKS, add_waiver, entry_errors, read_waivers, waivers_of
from rack_recipes.recipe.waivers import (
    InForce,
    RunWaivers,
    Streak,
    Waiver,
    WaiverFile,
    count_streaks,
    day_of,
    lifted,
    waivers_for,
)
from rack_recipes.recipe.yaml.reader import read_value
from rack_recipes.settings import Settings

pytestmark = pytest.mark.usefixtures("own_folder")

WAIVER = Waiver("link", "RMA 1", "alice", date(2026, 12, 31))


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 12, 23), "active"),
        (date(2026, 12, 24), "ends soon"),
        (date(2026, 12, 31), "ends soon"),
        (date(2027, 1, 1), "over"),
    ],
)
def test_it_is_in_force_through_its_last_day(today: date, state: str):
    assert WAIVER.state(today) == state
    assert replace(WAIVER, until=None, passes=2).state(today) == "active"


def test_its_term_in_words():
    assert WAIVER.words == "waived by alice until 2026-12-31: RMA 1"
    assert replace(WAIVER, passes=1).term == "2026-12-31 or 1 pass"
    assert replace(WAIVER, until=None, passes=3).term == "3 passes in a row"


@pytest.mark.parametrize("changed", [{"reason": "x"}, {"who": "x"}, {"until": None}, {"line": 9}])
def test_it_stays_the_same_waiver_where_only_the_words_or_the_date_change(changed):
    assert replace(WAIVER, **changed).id == WAIVER.id


@pytest.mark.parametrize(
    "changed",
    [{"step": "x"}, {"hosts": ("a",)}, {"measurement": "x"}, {"passes": 1}, {"test_id": "x"}, {"recipe": "x"}],
)
def test_it_is_another_one_where_it_covers_something_else(changed):
    assert replace(WAIVER, **changed).id != WAIVER.id


@pytest.mark.parametrize(
    ("of", "recipe", "expected"),
    [
        ({}, {}, True),
        ({"test_id": "HALL-1"}, {"test_id": "HALL-1"}, True),
        ({"test_id": "HALL-*"}, {"test_id": "HALL-1"}, True),
        ({"test_id": "HALL-1"}, {"test_id": "HALL-2"}, False),
        ({"test_id": "HALL-1"}, {}, False),
        ({"recipe": "recipes/a.yml"}, {"path": "./recipes/a.yml"}, True),
        ({"recipe": "recipes/*"}, {"path": "recipes/a.yml"}, True),
        ({"recipe": "recipes/a.yml"}, {"path": "recipes/b.yml"}, False),
        ({"recipe": "recipes/a.yml", "test_id": "x"}, {"path": "recipes/a.yml"}, False),
    ],
)
def test_the_recipes_that_it_is_for(of, recipe, expected: bool):
    assert replace(WAIVER, **of).is_of(recipe) is expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("link", "link", True),
        ("link", "link2", False),
        ("link*", "link2", True),
        ("link[eth0]", "link", True),
        ("link[*]", "link", True),
        ("l*[eth0]", "link", True),
        ("disk[eth0]", "link", False),
    ],
)
def test_the_planned_steps_that_it_is_for(pattern: str, name: str, expected: bool):
    assert replace(WAIVER, step=pattern).covers_step(name) is expected


def test_a_day_is_one_of_utc():
    assert day_of("2026-12-31T23:59:59.999999Z") == date(2026, 12, 31)
    assert day_of("2026-12-31T23:59:59+02:00") == date(2026, 12, 31)
    assert day_of("2027-01-01T01:00:00+02:00") == date(2026, 12, 31)


def test_its_data_has_what_is_set():
    told = {"id": WAIVER.id, "step": "link", "reason": "RMA 1", "who": "alice", "until": "2026-12-31"}
    assert WAIVER.to_data() == {**told, "verdicts": ["failed", "error"]}
    more = replace(WAIVER, hosts=("a",), passes=2, line=7, measurement="m", test_id="T", recipe="r").to_data()
    assert more.items() >= {"passes": 2, "line": 7, "measurement": "m", "test_id": "T", "recipe": "r"}.items()
    assert more["hosts"] == ["a"]


SHORT = {
    "p": "passed",
    "m": "marginal",
    "w": "waived",
    "f": "failed",
    "e": "error",
    "u": "unreachable",
    "c": "cached",
    "s": "skipped",
    "b": "blocked",
}


@pytest.mark.parametrize(
    ("ends", "passes", "is_lifted"),
    [
        ("", None, None),
        ("w", 0, False),
        ("wp", 1, False),
        ("wpp", 2, True),
        ("wppf", 0, True),  # for good
        ("wpwp", 1, False),
        ("wpfp", 1, False),
        ("wpep", 1, False),
        ("wpup", 1, False),
        ("wpcsbm", 2, True),  # what did not run says nothing
        ("wcccc", 0, False),
        ("pp", 2, True),
    ],
)
def test_a_waiver_is_lifted_by_passes_in_a_row(ends: str, passes, is_lifted):
    found = count_streaks([("a", "n1", SHORT[end]) for end in ends], 2)
    assert found == ({} if passes is None else {("a", "n1"): Streak(passes, is_lifted)})


def test_each_step_and_host_is_counted_apart():
    found = count_streaks(
        [("a", "n1", "passed"), ("a", "n2", "failed"), ("a", "n1", "passed"), ("b", "n1", "passed")], 2
    )
    assert lifted(found) == {("a", "n1")}


def test_a_verdict_of_a_newer_version_says_nothing():
    assert count_streaks([("a", "n1", "of 2030")], 1) == {}


@given(st.lists(st.sampled_from([*VERDICTS])), st.integers(1, 5))
def test_it_is_lifted_exactly_where_so_many_in_a_row_have_passed(verdicts: list[str], needed: int):
    ran = [verdict for verdict in verdicts if verdict not in ("skipped", "blocked", "cached")]
    marks = "".join("p" if verdict in ("passed", "marginal") else "f" for verdict in ran)
    found = count_streaks([("a", "n1", verdict) for verdict in verdicts], needed)
    assert (("a", "n1") in lifted(found)) is ("p" * needed in marks)


TODAY = date(2026, 11, 28)
HOSTS = {"leaves": ["leaf1", "leaf2"], "n1": ["n1"], "nobody": []}
LINK = Waiver("link", "RMA 1", "alice", date(2026, 12, 31))
OF_LEAVES = Waiver("fan", "loud", "bob", passes=2, hosts=("leaves", "n1"), measurement="noise")


def of(*waivers: Waiver, steps=("link", "fan")) -> RunWaivers:
    return waivers_for(WaiverFile("w.yml", "sha256:1", waivers), {"test_id": "T"}, steps, HOSTS.__getitem__, TODAY)


def test_only_what_is_for_this_recipe_and_its_steps_is_in_force():
    others = [Waiver("other", "r", "w", passes=1), Waiver("link", "r", "w", passes=1, test_id="U")]
    assert of(LINK, *others).in_force == (InForce(LINK),)


def test_one_that_is_over_changes_nothing_and_is_told():
    over = Waiver("fan", "r", "w", date(2026, 11, 27))
    last = Waiver("fan", "r", "w", TODAY, test_id="T")
    found = of(over, last)
    assert [each.waiver for each in found.in_force] == [last]
    assert found.over == (over,)
    assert [each["step"] for each in found.to_record()["over"]] == ["fan"]


def test_a_host_is_told_of_its_own():
    found = of(LINK, OF_LEAVES)
    link = {"id": LINK.id, "step": "link", "verdicts": ["failed", "error"]}
    words = "waived by alice until 2026-12-31: RMA 1"
    assert found.of("n9") == found.of("") == [{**link, "words": words}]
    assert [each["step"] for each in found.of("leaf2")] == ["link", "fan"]
    assert found.of("leaf2")[1]["measurement"] == "noise"


def test_a_host_is_told_for_which_of_its_steps_passes_have_lifted_one():
    each = InForce(LINK, None, frozenset([("link[b]", "n1"), ("link[a]", "n1"), ("link[a]", "n2")]))
    assert [(each.message(host) or {}).get("lifted") for host in ("n1", "n2", "n3")] == [
        ["link[a]", "link[b]"],
        ["link[a]"],
        None,
    ]


def test_one_for_no_host_of_this_run_covers_nothing():
    found = of(Waiver("link", "r", "w", passes=1, hosts=("nobody",)))
    assert found.of("n1") == found.of("") == []
    assert found.to_record()["in_force"][0]["on"] == []


def test_a_run_without_waivers_records_none():
    assert of(Waiver("other", "r", "w", passes=1)).to_record() == {}


def test_what_the_run_records():
    each = InForce(OF_LEAVES, frozenset(["n1", "leaf1"]), frozenset([("fan", "n1")]))
    record = RunWaivers(WaiverFile("w.yml", "sha256:1"), (each,)).to_record()
    assert (record["file"], record["digest"], record["over"]) == ("w.yml", "sha256:1", [])
    (told,) = record["in_force"]
    assert (told["on"], told["lifted"], told["id"]) == (["leaf1", "n1"], [["fan", "n1"]], OF_LEAVES.id)


def test_what_the_controller_writes_goes_through_the_same_function():
    away = Waiver("link", "moved", "bob", passes=1, verdicts=("unreachable",))
    waived = of(away).waive("link", "n1", "unreachable", "no route")
    assert waived is not None
    assert waived.reason == "waived by bob until 1 pass: moved; unreachable: no route"
    assert of(LINK).waive("link", "n1", "unreachable", "no route") is None
    assert RunWaivers().waive("link", "n1", "failed", "x") is None


def test_attributes_leave_the_hosts_that_have_them():
    of_model = Waiver("link", "r", "w", passes=1, attributes={"nic": "CX-6", "slot": 2})
    known = {
        "leaf1": {"nic": ["CX-5", "CX-6"], "slot": "2"},
        "leaf2": {"nic": "CX-6"},
        "n1": {"nic": "CX-6", "slot": 2},
    }
    for hosts, expected in (((), {"leaf1", "n1"}), (("leaves",), {"leaf1"})):
        file = WaiverFile("w.yml", "sha256:1", (replace(of_model, hosts=hosts),))
        (found,) = waivers_for(file, {}, ("link",), HOSTS.__getitem__, TODAY, known).in_force
        assert found.hosts == expected
    assert of_model.where == "all with nic=CX-6, slot=2"


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
            "expected until (a date) or passes (how many in a row end it)",
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
