# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands about waivers, and what `plan` and `run --dry-run` tell of them."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal import sample_records
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import end, first, step
from rack_recipes.journal.append import append
from rack_recipes.recipe.waiver_file import read_waivers
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

TODAY = datetime.now(UTC).date()
OVER, SOON, LATER = (TODAY + timedelta(days=days) for days in (-1, 3, 60))
FILE = f"""\
waivers:
  - {{step: fail_step, reason: RMA 1, who: alice, until: {LATER}, hosts: [r1, r2]}}
  - {{step: ok_step, measurement: temp, reason: hot, who: bob, passes: 2}}
  - {{step: old, reason: r, who: carol, until: {OVER}}}
  - {{step: soon, reason: r, who: carol, until: {SOON}}}
"""


@pytest.fixture
def lab(project: Path) -> None:
    make_project(project)
    Path("waivers.yml").write_text(FILE)


@pytest.fixture
def stored(lab: None) -> Any:
    """Three runs with these waivers: `ok_step` failed on r1, and then passed twice; `fail_step` failed each time."""
    waivers = read_waivers("waivers.yml").waivers
    for day, ok in enumerate(("waived", "passed", "passed"), 1):
        begun = {**first(run_id=f"R{day}"), "time": f"2026-11-{day:02}T00:00:00.000000Z"}
        begun["waivers"] = {"in_force": [each.to_data() for each in waivers], "over": []}
        was = {"verdict": "failed", "reason": "down"}
        results = [
            step("fail_step", "r1", "waived", 1, waived={**was, "by": [waivers[0].id]}),
            step("ok_step", "r1", ok, 2, **({"waived": {**was, "by": [waivers[1].id]}} if ok == "waived" else {})),
            step("fail_step", "r2", "passed", 3),
        ]
        append(Path(f"R{day}.jsonl"), [begun, *results, end()])
        store = connect_store("sqlite:///.rack-recipes/results.db")
        import_journal(store, Path(f"R{day}.jsonl"))
        store.dispose()


def test_the_list_has_states_uses_and_passes(stored):
    done = call("waivers", "list")
    lines = [line.split() for line in done.out.splitlines()]
    assert done.code == 0
    assert lines[1] == ["2", "fail_step", "r1,", "r2", "active", str(LATER), "3", "3", "alice", "RMA", "1"]
    assert " ".join(lines[2]) == "3 ok_step: temp all lifted 2 passes in a row 2 of 2 1 3 bob hot"
    assert [lines[number][3] for number in (3, 4)] == ["over", "ends"]


def test_the_list_as_json(stored):
    answer = call("waivers", "list", "--json").answer
    assert answer["file"] == "waivers.yml"
    found = {waiver["step"]: waiver for waiver in answer["waivers"]}
    assert found["fail_step"].items() >= {"state": "active", "runs": 3, "used": 3, "last_used": "R3"}.items()
    assert found["ok_step"]["places"] == [{"step": "ok_step", "host": "r1", "passes": 2, "lifted": True}]
    assert "last_used" not in found["old"]


def test_without_a_store_the_file_alone_is_told(lab):
    done = call("waivers", "list", "--json")
    assert done.err.startswith("what waivers were used for is not known: ")
    assert [waiver["state"] for waiver in done.answer["waivers"]] == ["active", "active", "over", "ends soon"]


def test_a_project_without_waivers(stored):
    Path("waivers.yml").unlink()
    done = call("waivers", "list")
    assert done.out.startswith("there are no waivers here: they stand in waivers.yml beside ansible.cfg")
    assert call("waivers", "list", "--json").answer["waivers"] == []
    assert call("waivers", "check").answer["waivers"] == 0


def test_the_check_tells_what_somebody_should_do(stored):
    done = call("waivers", "check")
    assert done.code == 0
    assert done.answer["remarks"] == [line.removeprefix("waivers.yml:") for line in done.err.splitlines()]
    assert done.err.splitlines() == [
        "waivers.yml:3: the waiver of ok_step by bob is lifted by 2 passes in a row wherever it was used: remove it",
        f"waivers.yml:4: the waiver of old by carol was over after {OVER}: remove it, or give it a new date",
        f"waivers.yml:5: the waiver of soon by carol ends after {SOON}",
    ]
    assert call("waivers", "check", "--exit-code").code == 1


@pytest.mark.parametrize("step", ["ok_stp", "ok_stp[eth0]"])
def test_a_misspelt_step_is_told_when_it_is_added_and_by_the_check(stored, step: str):
    Path("waivers.yml").unlink()
    meant = "did you mean 'ok_step'?"
    told = f"no step of the last runs is {step!r} ({meant}): until there is one, its waiver covers nothing\n"
    words = ("--hosts", "all", "--reason", "r", "--until", str(LATER))
    assert call("waivers", "add", step, *words).err == told
    assert call("waivers", "check").err == f"waivers.yml:2: {told}"
    assert call("waivers", "add", "ok_*", *words).err == ""


def test_the_check_tells_of_a_waiver_that_was_never_used(stored):
    text = FILE.replace("step: fail_step, reason", "step: fail_step, measurement: x, reason")
    Path("waivers.yml").write_text(text)
    assert "fail_step" not in call("waivers", "check").err  # another waiver: it was in force in no run yet
    Path("waivers.yml").write_text("\n".join(FILE.splitlines()[:2]))
    assert call("waivers", "check", "--exit-code").code == 0


@pytest.mark.parametrize(
    "words", [("waivers", "list"), ("waivers", "check"), ("plan", "good.yml"), ("run", "good.yml")]
)
def test_a_file_that_is_wrong_is_told_with_its_place(lab, words: tuple[str, ...]):
    Path("waivers.yml").write_text("waivers:\n  - {step: a, reason: r, who: w, until: soon}\n")
    done = call(*words, "--json", *(["--dry-run"] if words[0] == "run" else []))
    reason = "waivers.yml:2:41: expected a date such as 2026-12-31, got 'soon'"
    assert (done.code, done.answer["reason"]) == (2, reason)


@pytest.mark.parametrize("words", [("plan", "bad.yml"), ("run", "bad.yml", "--dry-run")])
def test_a_plan_tells_which_failures_are_waived(lab, words: tuple[str, ...]):
    lines = call(*words).out.splitlines()
    at = lines.index(next(line for line in lines if line.startswith("step  ") and "waived if it fails" in line))
    told = [" ".join(line.split()) for line in lines[at + 1 : at + 3]]
    assert told[0] == f"fail_step failed or error, until {LATER} r1, r2 alice: RMA 1"
    assert told[1] == "ok_step: temp failed or error, until 2 passes in a row all bob: hot"
    answer = call(*words, "--json").answer
    told = answer.get("preview", answer)["waivers"]
    assert [waiver["step"] for waiver in told] == ["fail_step", "ok_step"]


def test_other_drawings_of_a_plan_stay_drawings(lab):
    assert "RMA 1" not in call("plan", "bad.yml", "--format", "dot").out


WORDS = ("waivers", "add", "fans", "--reason", "RMA 1", "--who", "alice")


def test_a_waiver_is_added_and_told(project):
    code, out, _err = call(*WORDS, "--hosts", "r1", "--hosts", "leaf*", "--until", "2099-12-31", "--json")
    told = json.loads(out)
    assert (code, told["file"], told["waiver"]["hosts"]) == (0, "waivers.yml", ["r1", "leaf*"])
    [waiver] = read_waivers("waivers.yml").waivers
    assert waiver.to_data() == told["waiver"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "until: expected until (a date) or passes (how many in a row end it)"),
        (("--until", "soon"), "until: expected a date such as 2026-12-31, got 'soon'"),
        (("--until", "2020-01-01"), "on, since the waiver would be over, got '2020-01-01'"),
        (("--passes", "0"), "passes: expected a whole number from 1 to 1000"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(project, words, message):
    code, out, err = call(*WORDS, "--hosts", "r1", *words)
    assert (code, message in out + err) == (2, True)
    assert not Path("waivers.yml").exists()


def test_all_hosts_are_waived_only_where_somebody_says_so(project):
    code, _out, err = call(*WORDS, "--until", "2099-12-31")
    assert (code, "hosts: expected hosts, such as leaf3 or leaf*, or all for all of them, got none" in err) == (2, True)
    assert not Path("waivers.yml").exists()
    assert call(*WORDS, "--hosts", "all", "--until", "2099-12-31").code == 0
    [waiver] = read_waivers("waivers.yml").waivers
    assert waiver.hosts == ()


def test_the_policy_says_who_may(project):
    Path("policy.yml").write_text('rules:\n  - {users: ["*"], may: [run]}\n')
    Path("policy.yml").chmod(0o600)
    Path("ansible.cfg").write_text("[defaults]\n[rack_recipes]\npolicy = policy.yml\n")
    code, out, err = call(*WORDS, "--hosts", "all", "--until", "2099-12-31")
    assert (code, "may not waive" in out + err) == (2, True)


FLAKY = "pppfppfppfpppfpf"  # a letter for each run, the newest last
WAIVED = {"verdict": "failed", "reason": "down", "by": ["0a1b2c3d"]}


def result_of(letter: str, number: int, host: str) -> dict[str, Any]:
    verdict = {"p": "passed", "f": "failed", "w": "waived"}[letter]
    more = {"waived": WAIVED} if letter == "w" else {}
    return sample_records.step(number, host, step="link", verdict=verdict, inputs="sha256:1", **more)


@pytest.fixture
def flaky(project: Path) -> Any:
    """A function that stores runs in which the step `link` ended so on r1 and on r2."""

    def flaky(on_r1: str, on_r2: str) -> None:
        store = connect_store("sqlite:///.rack-recipes/results.db")
        for day, (one, two) in enumerate(zip(on_r1, on_r2, strict=True), 1):
            path = Path(f"R{day:02}.jsonl")
            begun = sample_records.run(f"R{day:02}", time=f"2026-11-{day:02}T00:00:00.000000Z")
            append(path, [begun, result_of(one, 1, "r1"), result_of(two, 1, "r2"), sample_records.end()])
            import_journal(store, path)
        store.dispose()

    return flaky


def test_what_fails_now_and_then_gets_a_waiver_ready_to_paste(flaky: Any):
    flaky(FLAKY, "p" * len(FLAKY))
    text = call("waivers", "suggest").out
    Path("waivers.yml").write_text(f"waivers:\n{text}")
    (waiver,) = read_waivers("waivers.yml").waivers
    assert (waiver.step, waiver.hosts, waiver.test_id, waiver.who) == ("link", ("r1",), "T-17", getpass.getuser())
    assert waiver.reason == f"a flake: 5 of {len(FLAKY)} results failed with the same inputs"
    assert waiver.passes >= 3
    assert call("waivers", "suggest", "--json").answer["waivers"] == [
        {
            "step": "link",
            "test_id": "T-17",
            "hosts": ["r1"],
            "reason": waiver.reason,
            "who": waiver.who,
            "passes": waiver.passes,
        }
    ]


def test_hosts_with_the_same_rate_share_a_waiver(flaky: Any):
    flaky(FLAKY, FLAKY)
    assert call("waivers", "suggest", "--json").answer["waivers"][0]["hosts"] == ["r1", "r2"]


def test_what_is_waived_already_is_left_out(flaky: Any):
    flaky(FLAKY.replace("f", "w"), "p" * len(FLAKY))
    assert call("waivers", "suggest", "--json").answer["waivers"] == []


def test_where_nothing_fails_now_and_then(flaky: Any):
    flaky("pppp", "pppf")
    run_id = "R04"
    assert call("waivers", "suggest").out.startswith(f"# nothing to put into quarantine: no step of run {run_id} fails")
