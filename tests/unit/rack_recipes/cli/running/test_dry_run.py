# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project, runs_made_in
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import Writer, measured
from rack_recipes.cli.running.dry_run import _duration_text
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.output_formats import FORMATS, plan_to_data
from rack_recipes.run.delegates import needs_delegate

INVENTORY = "lab: {hosts: {leaf1: , leaf2: , leaf3: }}\nspines: {hosts: {spine1: }}\n"
OK = {"type": "shell", "module": "t.ok", "success": "none"}
RECIPE = {
    "test_meta": {"test_id": "BURN"},
    "hosts": "lab",
    "steps": [
        {**OK, "name": "wire", "cache_key": "wiring"},
        {**OK, "name": "burn", "depends_on": ["wire"], "hosts": "leaf1,leaf2"},
        {**OK, "name": "new", "when": False},
        {**OK, "name": "sum", "scope": "run", "depends_on": ["burn"]},
    ],
}
NEVER = "sqlite:///.rack-recipes/results.db: there is no store yet, it is made by the first run"


@pytest.fixture(scope="module")
def _stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one run of the recipe."""
    return runs_made_in(tmp_path_factory.mktemp("past"), _make_run)


def _make_run() -> None:
    run = Writer("20261124-090000-aaaaaa")
    run.begin("sha256:1", ("wire", "burn"), cache_key="wiring")
    for host, seconds in (("leaf1", 2.0), ("leaf2", 4.0)):
        run.step("wire", host, seconds=1.0, inputs="sha256:9")
        run.step("burn", host, seconds=seconds, inputs="sha256:8", measurements=[measured("heat", 1)])
    run.end("passed", 0, passed=4)


@pytest.fixture(autouse=True)
def lab(project: Path) -> Path:
    make_project(project)
    (project / "inventory.yml").write_text(INVENTORY)
    (project / "burn.yml").write_text(json.dumps(RECIPE))
    return project


@pytest.fixture
def past(lab: Path, _stored: Path) -> Path:
    shutil.copytree(_stored, lab / ".rack-recipes")
    return lab


def test_the_plan_comes_first():
    done = call("run", "good.yml", "--dry-run")
    tree = FORMATS["tree"](plan_of("good.yml"))
    assert done.err == ""
    assert (
        done.out
        == f"{tree}\nhosts: localhost\n\nstage  hosts  may take\n1      1      unknown\nin all unknown ({NEVER})\n"
    )


def test_hosts_notes_and_durations(past: Path):
    done = call("run", "burn.yml", "--dry-run", "-i", "inventory.yml")
    text = done.out.removeprefix(FORMATS["tree"](plan_of("burn.yml")))
    assert (done.code, text) == (
        0,
        """
hosts: leaf1, leaf2, leaf3

step  may not run    why
wire  may be cached  'wiring' has results of 20261124-090000-aaaaaa on 2 of 3 hosts, if its inputs are the same
new   skipped        when: false

stage  hosts           may take
1      3               5.0 s
2      the controller  unknown   never run: sum
in all 5.0 s (the steps alone, by the median of each in the last 20 runs)
""",
    )


def test_as_json(past: Path):
    done = call("run", "burn.yml", "--dry-run", "-i", "inventory.yml", "--json", "--limit", "leaf1,spine1")
    found = done.answer
    preview = found.pop("preview")
    assert found == json.loads(json.dumps(plan_to_data(plan_of("burn.yml"))))
    assert preview == {
        "params": {},
        "hosts": ["leaf1"],
        "problem": "",
        "history": "median of the last 20 runs",
        "seconds": 3.0,
        "stages": [
            {"number": 1, "hosts": ["leaf1"], "seconds": 3.0, "never_run": []},
            {"number": 2, "hosts": [""], "seconds": None, "never_run": ["sum"]},
        ],
        "notes": [
            {
                "step": "wire",
                "what": "may be cached",
                "why": "'wiring' has results of 20261124-090000-aaaaaa, if its inputs are the same",
            },
            {"step": "new", "what": "skipped", "why": "when: false"},
        ],
    }


def notes(*words: str) -> list[tuple[str, str, str]]:
    found = json.loads(call("run", *words, "--dry-run", "--json", "-i", "inventory.yml").out)["preview"]["notes"]
    return [(note["step"], note["what"], note["why"]) for note in found]


def test_what_is_skipped_and_what_that_blocks():
    assert notes("burn.yml", "--skip", "wire") == [
        ("wire", "skipped", "left out by --skip"),
        ("burn", "blocked", "it needs wire, which is skipped"),
        ("new", "skipped", "when: false"),
        ("sum", "blocked", "it needs burn, which is blocked"),
    ]


LEFT_OUT = [
    {**OK, "name": "wire"},
    {**OK, "name": "optional", "depends_on": ["wire"], "continue_on_fail": True},
    {**OK, "name": "survey", "depends_on": ["optional"]},
    {**OK, "name": "never", "when": False},
    {**OK, "name": "after", "depends_on": ["never"]},
    {**OK, "name": "maybe", "when": False, "continue_on_fail": True},
    {**OK, "name": "behind", "depends_on": ["maybe"]},
    {**OK, "name": "at_once", "scope": "run", "depends_on": ["after"]},
    {**OK, "name": "closing", "always": True, "depends_on": ["after"]},
]


@pytest.mark.parametrize("mode", [(), ("--check",)], ids=["run", "check"])
def test_it_says_of_each_step_what_the_run_does(lab: Path, mode: tuple[str, ...]):
    (lab / "left.yml").write_text(json.dumps({**RECIPE, "hosts": "all", "steps": LEFT_OUT}))
    found = json.loads(call("run", "left.yml", "--skip", "wire", "--dry-run", "--json", *mode).out)["preview"]["notes"]
    done = call("run", "left.yml", "--skip", "wire", *mode)
    journal = Path(done.answer["folder"], "journal.jsonl").read_text()
    records = [json.loads(line) for line in journal.splitlines() if line]
    ends = {record["step"]: record["verdict"] for record in records if record["kind"] == "step"}
    blocked = {step for step, verdict in ends.items() if verdict == "blocked"}
    assert {note["step"] for note in found if note["what"] == "blocked"} == blocked
    assert blocked == (set() if mode else {"optional"})


def test_hosts_that_can_never_be_enough_block(lab: Path):
    def step(name: str, **need: object) -> dict[str, object]:
        return {**OK, "name": name, "depends_on": [{"step": "first", **need}]}

    steps = [
        {**OK, "name": "first"},
        step("many", hosts="all", quorum=4),
        step("share", hosts="all", quorum="100%"),
        step("typo", hosts="laef1"),
        step("two", hosts="leaf1,leaf2", quorum=3),
        step("open", hosts="{{ chosen }}"),
        {**step("closing", hosts="all", quorum=4), "always": True},
    ]
    (lab / "few.yml").write_text(json.dumps({**RECIPE, "steps": steps}))
    assert notes("few.yml") == [
        ("many", "blocked", "it needs first on 4 of all hosts: this run has 3 of them"),
        ("typo", "blocked", "it needs first on laef1: no host of first in this run matches laef1"),
        ("two", "blocked", "it needs first on 3 of leaf1,leaf2: this run has 2 of them"),
    ]


def test_nothing_is_cached_yet_or_any_more(past: Path, lab: Path):
    recipe = {**RECIPE, "steps": [{**RECIPE["steps"][0], "cache_key": {"key": "wiring", "expires_sec": 0.5}}]}
    (lab / "expired.yml").write_text(json.dumps(recipe))
    (lab / "other.yml").write_text(json.dumps({**recipe, "steps": [{**RECIPE["steps"][0], "cache_key": "other"}]}))
    for name, key in (("expired.yml", "wiring"), ("other.yml", "other")):
        assert notes(name) == [("wire", "runs", f"nothing that may be used is cached under {key!r}")]


def test_what_may_be_reused(past: Path, lab: Path):
    reused = "it passed in 20261124-090000-aaaaaa on 2 of 3 hosts, if its inputs are the same"
    (lab / "burn.yml").rename(lab / "recipes.yml")
    steps = [{**step, "cache_key": None} for step in RECIPE["steps"]]
    recipe = {**RECIPE, "steps": [{key: value for key, value in step.items() if value is not None} for step in steps]}
    (lab / "burn.yml").write_text(json.dumps(recipe))
    assert notes("burn.yml", "--resume", "2026") == [
        ("wire", "may be reused", reused),
        ("burn", "may be reused", reused.replace(" on 2 of 3 hosts", "")),
        ("new", "skipped", "when: false"),
    ]
    from_burn = ["burn.yml", "--resume", "2026", "--resume-from", "burn"]
    assert [note[0] for note in notes(*from_burn, "--limit", "leaf1,leaf2")] == ["wire", "new"]
    done = call("run", *from_burn, "--dry-run", "-i", "inventory.yml")
    assert (done.code, "and wire on leaf3 never did: resume from wire" in done.err) == (2, True), done.err


def test_a_closing_step_always_runs(past: Path, lab: Path):
    recipe = {**RECIPE, "steps": [*RECIPE["steps"][1:], {**RECIPE["steps"][0], "always": True}]}
    recipe["steps"][0] = {**RECIPE["steps"][1], "depends_on": []}
    (lab / "burn.yml").write_text(json.dumps(recipe))
    assert [note[:2] for note in notes("burn.yml", "--resume", "2026")] == [
        ("burn", "may be reused"),
        ("new", "skipped"),
    ]


def test_parameters_are_checked_and_shown():
    done = call("run", "asks.yml", "--dry-run", "--param", "name=x")
    assert '\ngiven: name = "x"\n' in done.out
    assert call("run", "asks.yml", "--dry-run").code == 2
    words = ["secret.yml", "--dry-run", "--param", "name=x", "--param", "password=hunter2"]
    assert 'password = "********"' in call("run", *words).out
    assert "hunter2" not in call("run", *words, "--json").out


def test_what_has_the_name_of_a_secret_is_not_shown(lab: Path):
    params = {"admin_password": {"type": "str"}, "site": {"type": "dict"}, "minutes": {"type": "int"}}
    (lab / "named.yml").write_text(json.dumps({**RECIPE, "hosts": "all", "params": params}))
    site = json.dumps({"api_token": "hunter3", "room": "b2"})
    words = ["--param", "admin_password=hunter2", "--param", f"site={site}", "--param", "minutes=5"]
    done = call("run", "named.yml", "--dry-run", *words)
    assert done.code == 0
    assert (
        '\ngiven: admin_password = "********", site = {"api_token": "********", "room": "b2"}, minutes = 5\n'
        in done.out
    )
    assert "hunter" not in call("run", "named.yml", "--dry-run", "--json", *words).out


def test_a_wrong_value_with_the_name_of_a_secret_is_not_shown(lab: Path):
    (lab / "named.yml").write_text(json.dumps({**RECIPE, "params": {"pin_password": {"type": "int"}}}))
    done = call("run", "named.yml", "--dry-run", "--param", "pin_password=hunter2")
    assert (done.code, done.err) == (2, "parameter 'pin_password': expected a whole number, got ********\n")


def test_no_host_matches(lab: Path):
    refusal = "no host matches 'lab' here, see the inventory and --limit; the inventory has "
    for words in ([], ["-i", "inventory.yml", "--limit", "spine1"]):
        done = call("run", "burn.yml", "--dry-run", *words)
        assert (done.code, f"\nhosts: {refusal}" in done.out) == (2, True)
        assert f"nothing would be run: {refusal}" in done.err
    done = call("run", "burn.yml", "--dry-run", "-i", "inventory.yml", "-i", "absent.yml")
    assert (done.code, done.err) == (2, "there is no inventory 'absent.yml'\n")
    done = call("run", "burn.yml", "--dry-run", "--json")
    assert (done.code, json.loads(done.out)["preview"]["problem"]) == (2, f"{refusal}localhost")


def test_no_host_matches_the_hosts_of_any_step(lab: Path):
    steps = [{**OK, "name": "wire", "hosts": "spine1"}, {**OK, "name": "burn", "hosts": "spine1"}]
    (lab / "elsewhere.yml").write_text(json.dumps({**RECIPE, "steps": steps}))
    done = call("run", "elsewhere.yml", "--dry-run", "-i", "inventory.yml")
    assert (done.code, "\nhosts: leaf1, leaf2, leaf3\n" in done.out) == (2, True)
    assert done.err == "nothing would be run: no host of this run matches the hosts of any step: wire, burn\n"


def test_hosts_of_a_step_that_are_none_of_the_recipes(lab: Path, monkeypatch: pytest.MonkeyPatch):
    steps = [{**OK, "name": "wire", "hosts": "leaf1:spine1"}, {**OK, "name": "burn", "hosts": "spine1"}]
    (lab / "elsewhere.yml").write_text(json.dumps({**RECIPE, "steps": steps}, indent=1))
    why = "not among the recipe's hosts, so it does not run there: spine1"
    preview = call("run", "elsewhere.yml", "--dry-run", "-i", "inventory.yml", "--limit", "leaf1", "--json").out
    assert [(note["step"], note["why"]) for note in json.loads(preview)["preview"]["notes"]] == [
        (name, f"hosts of step {name}: {why}") for name in ("wire", "burn")
    ]
    assert why not in call("validate", "elsewhere.yml").err  # no inventory knows these hosts
    monkeypatch.setenv("ANSIBLE_INVENTORY", str(lab / "inventory.yml"))
    assert f"elsewhere.yml:12:13: hosts of step wire: {why}\n" in call("validate", "elsewhere.yml").err


def test_a_canary_that_is_no_host_of_the_recipe_is_refused(lab: Path, monkeypatch: pytest.MonkeyPatch):
    (lab / "canary.yml").write_text(json.dumps({**RECIPE, "canary": {"hosts": "leaf9"}}, indent=1))
    told = "the canary 'leaf9' is no host of the recipe (did you mean 'leaf3'?): all hosts would start at once"
    done = call("run", "canary.yml", "--dry-run", "-i", "inventory.yml")
    assert (done.code, done.err.splitlines()[-1]) == (2, f"nothing would be run: {told}")
    monkeypatch.setenv("ANSIBLE_INVENTORY", str(lab / "inventory.yml"))
    assert f"canary.yml:43:12: {told}\n" in call("validate", "canary.yml").err
    (lab / "canary.yml").write_text(json.dumps({**RECIPE, "canary": {"hosts": "leaf2"}}))
    assert call("run", "canary.yml", "--dry-run", "--limit", "leaf1").code == 0


def test_hosts_that_only_the_run_knows(lab: Path):
    (lab / "open.yml").write_text(json.dumps({**RECIPE, "hosts": "{{ target }}"}))
    done = call("run", "open.yml", "--dry-run", "-i", "inventory.yml", "-e", "target=lab")
    assert (done.code, "\nhosts: those of '{{ target }}', which only the run knows\n" in done.out) == (0, True)
    done = call("run", "burn.yml", "--dry-run", "--", "-i", "inventory.yml")
    assert (done.code, "\nhosts: those of 'lab', which only the run knows\n" in done.out) == (0, True)


def test_an_inventory_that_only_the_run_can_read(lab: Path):
    (lab / "locked.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3132\n")
    done = call("run", "burn.yml", "--dry-run", "-i", "locked.yml", "--json")
    preview = json.loads(done.out)["preview"]
    assert done.code == 0
    assert preview["hosts"] == []
    told = "locked.yml is encrypted; only the run itself asks for the vault password"
    assert preview["problem"] == f"the inventory cannot be read: {told}"


def test_an_inventory_that_cannot_be_read(lab: Path):
    (lab / "broken.yml").write_text("all: [\n")
    done = call("run", "burn.yml", "--dry-run", "-i", "inventory.yml", "-i", "broken.yml")
    refusal = f"the inventory cannot be read: Completely failed to parse inventory source {lab}/broken.yml"
    assert (done.code, f"\nhosts: {refusal}\n" in done.out) == (2, True)
    assert done.err.endswith(f"nothing would be run: {refusal}\n")


def test_the_configured_inventory_is_meant(lab: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANSIBLE_INVENTORY", str(lab / "inventory.yml"))
    assert "\nhosts: leaf1, leaf2, leaf3\n" in call("run", "burn.yml", "--dry-run").out


DEVICES = """\
lab:
  hosts:
    leaf1: {ansible_connection: device}
    leaf2: {ansible_connection: "{{ other }}"}
    leaf3: {ansible_connection: no_such_connection}
"""
CONNECTION = """\
from ansible.plugins.connection import NetworkConnectionBase

class Connection(NetworkConnectionBase):
    transport = "device"
"""


def test_scriptlets_that_devices_cannot_run_are_told(lab: Path, monkeypatch: pytest.MonkeyPatch):
    (lab / "inventory.yml").write_text(DEVICES)
    (lab / "connections").mkdir()
    (lab / "connections/device.py").write_text(CONNECTION)
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(lab / "connections"))
    ping = {"name": "ping", "type": "ansible", "module": "ansible.builtin.ping", "success": "none"}
    delegated = {**OK, "name": "outside", "delegate_to": "localhost"}
    steps = [{**OK, "name": "here"}, ping, delegated, {**OK, "name": "sum", "scope": "run"}]
    (lab / "d.yml").write_text(json.dumps({**RECIPE, "steps": steps}))
    notes = call("run", "d.yml", "--dry-run", "-i", "inventory.yml", "--json").answer["preview"]["notes"]
    assert notes == [{"step": "here", "what": "is an error on 1 of 3 hosts", "why": needs_delegate("device")}]


def test_devices_are_not_told_where_variables_are_in_a_vault(lab: Path):
    (lab / "group_vars").mkdir()
    (lab / "group_vars/all.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    done = call("run", "burn.yml", "--dry-run", "-i", "inventory.yml", "--json")
    assert (done.code, done.answer["preview"]["hosts"]) == (0, ["leaf1", "leaf2", "leaf3"])


def test_many_hosts_are_counted(lab: Path):
    hosts = ",".join(f"r{number}" for number in range(20))
    assert (
        "\nhosts: r0, r1, r2, r3, r4, r5, r6, r7 and 12 more\n" in call("run", "good.yml", "--dry-run", "-i", hosts).out
    )


def test_longer_than_the_time_box(past: Path, lab: Path):
    (lab / "boxed.yml").write_text(json.dumps({**RECIPE, "time_box": 4}))
    done = call("run", "boxed.yml", "--dry-run", "-i", "inventory.yml")
    assert done.out.endswith("its time box is 4.0 s: steps of the lowest priorities may be skipped\n")


def test_canary_and_batches_take_longer(past: Path, lab: Path):
    (lab / "canary.yml").write_text(json.dumps({**RECIPE, "canary": {"hosts": "leaf2"}, "serial": 1}))
    preview = json.loads(call("run", "canary.yml", "--dry-run", "-i", "inventory.yml", "--json").out)["preview"]
    assert preview["stages"][0]["seconds"] == 9.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.01, "under 0.1 s"),
        (5, "5.0 s"),
        (75, "1 min 15 s"),
        (3600, "1 h 0 min"),
        (7322, "2 h 2 min"),
    ],
)
def test_times(seconds: float | None, text: str):
    assert _duration_text(seconds) == text
