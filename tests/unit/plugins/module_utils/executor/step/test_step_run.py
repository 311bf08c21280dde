# SPDX-License-Identifier: GPL-3.0-or-later

"""The inputs of a step, and results of earlier runs that stand for it."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import _files
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, python
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

DIGESTS = {"checks/a.py": "1", "checks/deep/b.py": "2", "checks_more/c.py": "3"}


@pytest.mark.parametrize(
    ("src", "names"),
    [
        ("checks/a.py", {"checks/a.py"}),
        ("./checks/a.py", {"checks/a.py"}),
        ("checks/", {"checks/a.py", "checks/deep/b.py"}),
        ("./checks/deep/", {"checks/deep/b.py"}),
        ("./", {*DIGESTS}),
        ("checks", set()),
        ("/opt/checks/", set()),
        (None, set()),
    ],
)
def test_a_folder_has_all_its_files(src, names):
    assert _files(SimpleNamespace(digests=DIGESTS), {"src": src}) == {name: DIGESTS[name] for name in names}


COUNT = """echo >> ../ran
echo '{"status": "ok", "outputs": {"n_v1": '$RACK_PARAM_N', "run_v1": 7}, "measurements": [{"name": "m", "value": 1}],
"checks": [{"name": "c", "value": 1, "eq": 1}]}' | tr -d '\\n'
"""


def count(work, name="a", **fields):
    """A step that tells how often it ran, with everything that an offer takes over."""
    usual = {"args": {"n": "${params.n}"}, "digest": "sha256:1", "reads": ["in_v1"], "success": {}}
    return work.script(COUNT, name, **{**usual, **fields})


def times(work):
    path = work.folder.parent / "ran"
    return len(path.read_text()) if path.exists() else 0


def offered(ran, kind, **changes):
    """What the controller makes of an earlier run."""
    parents = {name: record.get("parent", name) for name, record in ran.steps.items()}
    offers = {}
    for name in set(parents.values()):
        records = [record for record in ran.records if parents.get(record["step"]) == name]
        own = ran.steps[name]
        offer = {
            "run": "run0",
            "kind": kind,
            "inputs": own.get("inputs"),
            "verdict": own["verdict"],
            "records": records,
        }
        offers[name] = [{**offer, **changes}]
    return offers


GIVEN = {"params": {"n": 5}, "own": {"in_v1": [1, "x"]}}


def run(work, *steps, **given):
    return work.run(*steps, **copy.deepcopy({**GIVEN, **given}))


@pytest.mark.parametrize(
    ("kind", "verdict", "reason"), [("cache", "cached", "cached from run0"), ("resume", "passed", "reused from run0")]
)
def test_a_result_is_taken_over(work, kind, verdict, reason):
    first = run(work, count(work))
    own = {**GIVEN["own"], "n_v1": [3, 0]}
    again = run(work, count(work), own=own, offers=offered(first, kind))
    assert times(work) == 1
    record = again.only
    assert (record["verdict"], record["reason"], record["from"]) == (verdict, reason, "run0")
    assert record["checks"] == 1
    assert record["measurements"] == first.only["measurements"]
    assert record["inputs"] == first.only["inputs"]
    assert record["inputs"].startswith("sha256:")
    assert [
        (delta["key"], delta["after"], delta["based_on"], delta["step"], delta["who"]) for delta in again.deltas
    ] == [("n_v1", 5, 3, "a", "a"), ("run_v1", 7, 0, "a", "a")]
    assert again.deltas[0]["time"] > first.deltas[-1]["time"]


NEW = {"reason", "from"}


def test_a_run_that_goes_on_tells_of_a_step_as_the_earlier_one_did(work):
    hook = work.script("exit 1", "site.after")
    flaky = count(
        work, retry={"max": 2}, repeat={"count": 2}, success={"values": [{"value": "${step.attempt}", "min": 2}]}
    )
    first = run(work, flaky, looped(work, "b"), params={"n": 5, "ns": [1, 2]}, hooks={"post_step": [hook]})
    assert (len(first.steps["a"]["attempts"]), first.steps["a"]["flake"]) == (3, True)
    offers = offered(first, "resume")
    again = run(work, flaky, looped(work, "b"), params={"n": 5, "ns": [1, 2]}, offers=offers)
    assert list(again.steps) == list(first.steps)
    for name, record in first.steps.items():
        assert {field: again.steps[name][field] for field in set(record) - NEW} == {
            field: record[field] for field in set(record) - NEW
        }
        assert again.steps[name]["reason"] == "reused from run0"


def test_what_comes_from_a_cache_was_not_tried(work):
    record = run(work, count(work), offers=offered(run(work, count(work)), "cache")).only
    assert record["attempts"] == []


def test_steps_that_follow_see_what_was_taken_over(work):
    first = run(work, count(work))
    use = work.script("grep -q '\"n_v1\": 5' && " + OK, "use")
    assert run(work, count(work), use, offers=offered(first, "resume")).verdicts == {"a": "passed", "use": "passed"}


CHANGES = {
    "an argument": {"params": {"n": 6}},
    "a key that it reads": {"own": {"in_v1": [1, "y"]}},
    "a key that it reads, of the run": {"own": {}, "run": {"in_v1": [1, "z"]}},
    "the host": {"host": "r2"},
    "another host's value": {"hosts": {"r2": {"in_v1": [1, 1]}}},
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_with_other_inputs_it_runs_again(work, change):
    first = run(work, count(work))
    again = run(work, count(work), offers=offered(first, "resume"), **CHANGES[change])
    assert times(work) == 2
    assert again.only["inputs"] != first.only["inputs"]
    assert "from" not in again.only


FIELDS = {
    "its scriptlet": {"digest": "sha256:2"},
    "its criteria": {"success": {"ctx_has_keys": ["n_v1"]}},
    "the patterns for its output": {"patterns": {"n_v1": {"pattern": "[0-9]+"}}},
    "a criterion's limit": {"success": {"values": [{"value": "${params.n}", "max": 9}]}},
    "its repetition": {"repeat": {"count": 2}},
    "what it waits for": {"retry": {"until": [{"value": 1, "eq": 1}]}},
    "its function": {"function": "Other"},
    "what it says it reads": {"reads": None},
}


@pytest.mark.parametrize("field", list(FIELDS))
def test_with_other_words_it_runs_again(work, field):
    first = run(work, count(work))
    again = run(work, count(work, **FIELDS[field]), offers=offered(first, "resume"))
    assert again.only["inputs"] != first.only["inputs"]
    assert times(work) >= 2


@table("same")
def test_what_it_does_not_read_changes_nothing(work, same):
    first = run(work, count(work))
    assert run(work, count(work), offers=offered(first, "resume"), **same).only["from"] == "run0"


def test_a_criterion_is_judged_by_what_it_refers_to(work):
    fields = {
        "success": {"values": [{"value": "${in_v1}", "eq": "${in_v1@r2}"}, {"value": 5, "max": "${params.most}"}]}
    }
    given = {"hosts": {"r2": {"in_v1": [1, "x"]}}, "params": {"n": 5, "most": 9}}
    first = run(work, count(work, reads=[], **fields), **given)
    assert first.verdicts == {"a": "passed"}
    offers = offered(first, "cache")
    assert run(work, count(work, reads=[], **fields), offers=offers, **given).verdicts == {"a": "cached"}
    for other in ({**given, "hosts": {"r2": {"in_v1": [1, "y"]}}}, {**given, "params": {"n": 5, "most": 8}}):
        assert "from" not in run(work, count(work, reads=[], **fields), offers=offers, **other).only


def test_a_file_of_the_project_is_an_input(work):
    step = {"args": {"src": "./data.csv", "n": 1}}
    digests = {"data.csv": "sha256:3", "other.csv": "sha256:4"}
    first = run(work, count(work, **step), digests=digests)
    again = run(work, count(work, **step), digests={**digests, "data.csv": "sha256:5"}, offers=offered(first, "resume"))
    assert "from" not in again.only
    same = {**digests, "other.csv": "sha256:6"}
    assert run(work, count(work, **step), digests=same, offers=offered(first, "resume")).only["from"] == "run0"


def test_who_reads_anything_depends_on_everything(work):
    step = {"reads": None}
    first = run(work, count(work, **step))
    offers = offered(first, "resume")
    assert run(work, count(work, **step), offers=offers).only["from"] == "run0"
    for other in (
        {"own": {"in_v1": [1, "x"], "b_v1": [1, 1]}},
        {"run": {"b_v1": [1, 1]}},
        {"hosts": {"r2": {"b_v1": [1, 1]}}},
    ):
        assert "from" not in run(work, count(work, **step), offers=offers, **other).only


def test_what_an_earlier_step_set_counts(work):
    inputs = []
    for number in (1, 1, 2):
        put = work.script(f'echo \'{{"status":"ok","outputs":{{"b_v1":{number}}}}}\'', "put")
        inputs.append(run(work, put, count(work, reads=None)).steps["a"]["inputs"])
    assert inputs[0] == inputs[1] != inputs[2]


def test_a_failure_is_not_taken_from_a_cache(work):
    fail = {"success": {"values": [{"value": 1, "eq": 2}]}}
    first = run(work, count(work, **fail))
    run(work, count(work, **fail), offers=offered(first, "cache"))
    assert times(work) == 2
    again = run(work, count(work, **fail), offers=offered(first, "resume"))
    assert (again.only["verdict"], again.only["reason"]) == ("failed", "reused from run0")
    assert again.only["blocks"] is True
    assert times(work) == 2


def test_a_value_that_a_secret_was_taken_out_of_is_lost(work):
    step = work.script('echo \'{"status":"ok","outputs":{"a_v1":["x",12345]}}\'', digest="sha256:1")
    first = run(work, step, secrets=["12345"])
    assert first.deltas[0]["after"] == ["x", "********"]
    again = run(work, step, offers=offered(first, "resume"), secrets=["12345"])
    assert "from" not in again.only
    assert len(again.only["attempts"]) == 1


def test_the_first_offer_that_fits_is_taken(work):
    first = run(work, count(work))
    (fits,) = offered(first, "resume")["a"]
    offers = {"a": [{**fits, "inputs": "sha256:0"}, {**fits, "run": "run7"}, {**fits, "run": "run8"}]}
    assert run(work, count(work), offers=offers).only["from"] == "run7"


def test_a_flake_stays_a_flake(work):
    flaky = work.script(
        '[ -e tried ] && echo \'{"status": "ok"}\'; touch tried', "a", digest="sha256:1", retry={"max": 2}
    )
    first = run(work, flaky)
    assert first.only["flake"] is True
    again = run(work, flaky, offers=offered(first, "resume"))
    assert (again.only["flake"], again.only["from"]) == (True, "run0")


def looped(work, name="a", **fields):
    return count(work, name, loop="${params.ns}", args={"n": "${item}"}, **fields)


def test_a_loop_is_taken_over_with_its_instances(work):
    given = {"params": {"ns": [1, 2]}}
    first = run(work, looped(work), **given)
    assert first.verdicts == {"a[1]": "passed", "a[2]": "passed", "a": "passed"}
    again = run(work, looped(work), offers=offered(first, "cache"), **given)
    assert times(work) == 2
    assert again.verdicts == {"a[1]": "cached", "a[2]": "cached", "a": "cached"}
    assert {record["from"] for record in again.steps.values()} == {"run0"}
    assert [again.steps[name].get("parent") for name in ("a[1]", "a[2]", "a")] == ["a", "a", None]
    assert (again.steps["a"]["instances"], again.steps["a"]["checks"]) == (2, 2)
    assert [(delta["step"], delta["after"], delta["based_on"]) for delta in again.deltas if delta["key"] == "n_v1"] == [
        ("a[1]", 1, 0),
        ("a[2]", 2, 1),
    ]


def test_a_loop_over_other_items_runs_again(work):
    first = run(work, looped(work), params={"ns": [1, 2]})
    again = run(work, looped(work), offers=offered(first, "resume"), params={"ns": [1, 3]})
    assert times(work) == 4
    assert "from" not in again.steps["a"]


def test_a_loop_whose_items_need_each_other_has_no_inputs_of_its_own(work):
    step = count(work, "a", loop=[1, 2], args={"n": "${n_v1}"})
    first = run(work, work.script('echo \'{"status":"ok","outputs":{"n_v1":1}}\'', "put"), step)
    assert "inputs" in first.steps["a"]
    alone = run(work, count(work, "a", loop=[1], args={"n": "${n_v1}"}))
    assert "inputs" not in alone.steps["a"]
    assert alone.verdicts == {"a[1]": "error", "a": "error"}


def test_a_scriptlet_that_runs_by_itself_has_no_inputs(work):
    class Alone(Scriptlet):
        def run(self, ctx, params):
            pass

    assert "inputs" not in work.run(python(Alone)).only


@pytest.mark.parametrize("kind", ["cache", "resume"])
def test_a_step_that_registered_secrets_runs_again(work, kind):
    """What it registered is in no record, and has to be known again."""
    registers = COUNT.replace('"status": "ok"', '"status": "ok", "secrets": ["zebra-7777"]')
    step = {"args": {"n": "${params.n}"}, "digest": "sha256:1", "reads": ["in_v1"], "success": {}}
    before = run(work, work.script(registers, "a", **step))
    after = run(work, work.script(registers, "a", **step), offers=offered(before, kind))
    assert (times(work), after.only["verdict"], after.told[0]) == (2, "passed", {"secret": "zebra-7777"})


def test_an_exit_code_is_a_check(work):
    found = run(work, {**work.script("true", "a", success={}), "patterns": {}}).only
    assert (found["verdict"], found["checks"]) == ("passed", 1)
