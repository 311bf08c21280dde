# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts have in common, out of all that is known of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import (
    NO_HISTORY,
    context_row,
    names,
    run_of,
    step_row,
)
from rack_recipes.analysis import causes
from rack_recipes.analysis.causes import traits_of, values_of
from rack_recipes.analysis.findings import NOTE, PROBLEM, Finding, ResultId, most_important_first
from rack_recipes.analysis.run_data import RunData

HOSTS = names("r1", 6)


def learned(values: Sequence[Any], name: str = "model") -> Any:
    context = [context_row(host, "nic.card_v1", {name: value}) for host, value in zip(HOSTS, values, strict=True)]
    return traits_of(RunData({}, context=context))


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["x", "x", "y", "y", "z", "z"], {"x", "y", "z"}),
        (["x", "x", "y", "y", "z", "w"], set()),
        (["x", "x", "x", "x", "", ""], {"x"}),
        (["x", "x", "x", "x" * 65, "x" * 65, "x" * 65], {"x"}),
        (["x", "x", "x", "a\nb", "a\nb", "a\nb"], {"x"}),
        ([True, True, True, False, False, False], set()),
        ([1.5, 1.5, 1.5, 2.5, 2.5, 2.5], set()),
        ([1, 1, 1, 2, 2, 2], set()),
    ],
    ids=["few", "many", "empty", "long", "lines", "truths", "fractions", "numbers"],
)
def test_short_texts_with_few_values(values: Sequence[Any], kept: set[str]):
    assert set(learned(values).get("nic.card_v1.model", {})) == kept


@pytest.mark.parametrize("name", ["mtu", "fw_version", "speed_mbps", "Firmware"])
def test_numbers_by_their_names(name: str):
    assert learned([1, 1, 1, 2, 2, 2], name) == {
        f"nic.card_v1.{name}": {"1": frozenset(HOSTS[:3]), "2": frozenset(HOSTS[3:])}
    }


def test_what_is_noise_by_nature_is_no_attribute():
    """Such as the busiest process: which one that is depends on the moment."""
    assert not learned(["sshd", "sshd", "sshd", "lldpd", "lldpd", "lldpd"], "busiest_process")


def test_values_come_by_how_many_hosts_have_them():
    found = learned(["x", "x", "y", "y", "y", "y"])
    assert values_of(found, "nic.card_v1.model", frozenset(HOSTS)) == ["y", "x"]
    assert values_of(found, "nic.card_v1.model", frozenset(HOSTS[:2])) == ["x"]
    assert values_of(found, "gone", frozenset(HOSTS)) == []


CASES = json.loads(Path(__file__).with_name("causes.json").read_text())
VERDICTS = ("failed", "error", "unreachable", "blocked")


def found_in(run: RunData) -> list[Finding]:
    return most_important_first(causes.findings(run, NO_HISTORY))


def planted(case: dict[str, Any]) -> RunData:
    """`hosts` of a case has by leaf how many hosts it has; they are called r1, r2 and so on."""
    leaves = [leaf for leaf, count in case["hosts"].items() for _n in range(count)]
    hosts = {f"r{number}": {"leaf": leaf, "site": "one"} for number, leaf in enumerate(leaves, 1)}
    given = {verdict: _all_named(case.get(verdict, {}), hosts) for verdict in VERDICTS}
    return run_of(hosts, case["steps"], given, context=[*_context(case.get("learned", {}), [*hosts])])


def _all_named(of_steps: dict[str, Any], hosts: dict[str, Any]) -> dict[str, list[str]]:
    return {step: [*hosts] if named == "all" else named for step, named in of_steps.items()}


def _context(learned: dict[str, Any], hosts: list[str]) -> Iterator[dict[str, Any]]:
    for key, leaves in learned.items():
        for host in hosts:
            value = {
                leaf: next((value for value, having in values.items() if having == "all" or host in having), None)
                for leaf, values in leaves.items()
            }
            yield context_row(host, key, value)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_the_causes_of_a_run(case: dict[str, Any]):
    found = found_in(planted(case))
    assert [finding.title for finding in found] == case["titles"]
    if "advice" in case:
        assert found[0].advice == case["advice"]
    if "explains" in case:
        assert [finding.explains for finding in found] == case["explains"]
    assert all(finding.method and finding.results for finding in found)
    assert all(finding.suggestion is ("chance alone" in finding.title) for finding in found)
    assert all((finding.grade == NOTE) is (finding.explains == 0) for finding in found)


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (
            "root@r3: Permission denied (publickey,password).; see ansible_user",
            "r3 answers, and refuses the login: see ",
        ),
        (
            "Received disconnect: Too many authentication failures",
            "r3 answers, and refuses the login: see ansible_user",
        ),
        ("Host key verification failed.", "r3 answers with a host key that is not known here: log in once by `ssh`"),
        ("ssh: Could not resolve hostname r3: Name or service not known", "The name r3 is not found: correct it, or "),
        ("ssh: connect to host r3 port 22: No route to host", "r3 cannot be reached: check its power, its management"),
        ("ssh: connect to host r3 port 22: Connection timed out", "r3 cannot be reached: check its power"),
    ],
)
def test_the_advice_about_a_host_without_an_answer_is_by_its_reason(reason: str, advice: str):
    places = {step: [f"r3: {reason}"] for step in ("a", "b", "c")}
    [finding] = found_in(run_of({host: {} for host in names("r1", 8)}, ["a", "b", "c"], {"unreachable": places}))
    assert finding.advice.startswith(advice)


def test_a_finding_has_its_figures_and_its_results():
    case = CASES[4]
    [finding] = found_in(planted(case))
    assert (finding.kind, finding.grade) == ("cause", PROBLEM)
    assert finding.results[:4] == tuple(ResultId(host, "a") for host in ("r9", "r10", "r11", "r12"))
    assert set(finding.results[4:]) == {ResultId("r9", "b"), ResultId("r10", "b"), ResultId("r9", "c")}
    figures = dict(finding.figures)
    assert figures.pop("p") == pytest.approx(3 / 4845)  # of 4 hosts among 20, times three leaves
    assert figures == {
        "failures": 4, "of_failures": 4, "hosts": 4, "of_hosts": 4, "others": 0, "of_others": 16,
        "compared": 3, "blocked": 3,
    }  # fmt: skip
    assert finding.about == {"attribute": "leaf", "value": "leaf2", "same_hosts": []}


def test_attributes_that_the_same_hosts_share_are_one_cause():
    """They cannot be told apart, so all of them are named."""
    hosts: dict[str, dict[str, Any]] = {host: {"rack": "R1", "power_feed": "A"} for host in names("r1", 20)}
    for number, host in enumerate(names("r1", 4)):
        hosts[host] = {"rack": "R2", "power_feed": "B", "groups": ["odd"], "uplinks": [f"leaf9:{number}", "leaf1:1"]}
    [finding] = found_in(run_of(hosts, ["a"], {"failed": {"a": names("r1", 4)}}))
    assert finding.title == (
        "All 4 failures of a are on hosts with uplink leaf1:1 (4 of 4 hosts; 0 of 16 others), which also share "
        "uplink to leaf1, uplink to leaf9, power feed B and 2 more"
    )
    assert finding.about["same_hosts"] == ["uplink to leaf1", "uplink to leaf9", "power feed B", "rack R2", "group odd"]


def test_hosts_behind_one_delegate():
    rows = [step_row(host, "a", through="jump1" if int(host[1:]) < 5 else "jump2") for host in names("r1", 20)]
    failed = [{**row, "verdict": "error"} if row["through"] == "jump1" else row for row in rows]
    [finding] = found_in(RunData({}, steps=failed))
    assert finding.title == "All 4 failures of a are on hosts behind jump1 (4 of 4 hosts; 0 of 16 others)"
    assert finding.advice == "Check jump1 first: all of them are reached through it."


def test_hosts_whose_ports_see_one_device():
    """Without any word of the inventory, and not where the step that looked has failed."""
    hosts = names("r1", 20)
    leaves = {host: "leaf9" if int(host[1:]) < 5 else f"leaf{int(host[1:]) % 4}" for host in hosts}
    seen = [context_row(host, "lldp.seen_v1", {"eth0": {"peer": leaves[host], "peer_port": "1"}}) for host in hosts]
    failed = [step_row(host, "a", "failed" if int(host[1:]) < 5 else "passed") for host in hosts]
    [finding] = found_in(RunData({}, steps=failed, context=seen))
    assert finding.title == "All 4 failures of a are on hosts with an uplink to leaf9 (4 of 4 hosts; 0 of 16 others)"
    unsure = [{**row, "step": "a"} for row in seen]
    [finding] = found_in(RunData({}, steps=failed, context=unsure))
    assert finding.title == "4 failures have no common cause"


def test_what_a_link_explains_is_not_without_a_cause():
    """A step on two hosts that see each other's cables, and a failure that has nothing to do with it."""
    plan = {"peer": "leaf1", "expected_peer": "leaf1"}
    context = [
        context_row("r3", "lldp.seen_v1", {"eth0": {**plan, "peer_port": "5", "expected_port": "3"}}, "look"),
        context_row("r5", "lldp.seen_v1", {"eth0": {**plan, "peer_port": "3", "expected_port": "5"}}, "look"),
    ]
    failed = {"look": ["r3", "r5"], "a": ["r8"]}
    [finding] = found_in(
        run_of({host: {} for host in names("r1", 9)}, ["look", "a"], {"failed": failed}, context=context)
    )
    assert finding.title == "1 failure is explained by none of these causes and links"


def test_a_link_that_explains_all_says_more_than_the_hosts():
    """Four hosts see one leaf under a wrong name: the name is the cause, and not the leaf."""
    hosts = {host: {"leaf": "leaf2" if int(host[1:]) < 5 else "leaf1"} for host in names("r1", 20)}
    context = [
        context_row(host, "lldp.seen_v1", {"eth0": {
            "peer": "spare", "peer_port": host, "expected_peer": "leaf2", "expected_port": host,
        }}, "look") for host in names("r1", 4)
    ]  # fmt: skip
    assert found_in(run_of(hosts, ["look"], {"failed": {"look": names("r1", 4)}}, context=context)) == []
    [finding] = found_in(run_of(hosts, ["look"], {"failed": {"look": names("r1", 4)}}, context=context[:3]))
    assert finding.title == "All 4 failures of look are on hosts of leaf2 (4 of 4 hosts; 0 of 16 others)"


def test_instances_stand_for_their_step():
    hosts = {host: {"leaf": "l2" if int(host[1:]) < 4 else "l1"} for host in names("r1", 20)}
    rows = [
        row
        for host in hosts
        for verdict in ["failed" if int(host[1:]) < 4 else "passed"]
        for row in (
            step_row(host, "a", verdict, instances=2),
            step_row(host, "a[1]", verdict, parent="a"),
            step_row(host, "a[2]", parent="a"),
        )
    ]
    [finding] = found_in(RunData({}, steps=rows, attributes=hosts))
    assert finding.title == "All 3 failures of a are on hosts of leaf l2 (3 of 3 hosts; 0 of 17 others)"
    assert finding.results[0] == ResultId("r1", "a[1]")


def test_other_ways_to_be_blocked():
    """By the first failure under `fail_fast`, by a canary, by a step of the run, and by nothing that is known."""
    rows = [
        *(step_row(host, "a", "failed" if host == "r1" else "passed") for host in names("r1", 3)),
        *(step_row(host, "z", "failed" if host == "r1" else "passed") for host in names("r1", 3)),
        step_row("r2", "b", "blocked", reason="fail_fast: a did not pass on r1"),
        step_row("r3", "b", "blocked", reason="canary r1 did not pass"),
        step_row("", "sum", "blocked", reason="a did not pass (failed)"),
        step_row("r2", "c", "blocked", reason="fail_fast: sum did not pass on the controller"),
        step_row("r3", "c", "blocked", reason="the password is wrong"),
    ]
    [finding] = found_in(RunData({}, steps=rows))
    assert finding.title.endswith("; 4 more results are blocked by that")
    assert finding.results[2:] == (ResultId("r2", "b"), ResultId("r3", "b"), ResultId("", "sum"), ResultId("r2", "c"))


def test_a_text_from_a_host_is_only_text():
    """A value with a place holder of ours, or with markup, is printed as it is."""
    evil = "{it} <b>{0}</b>"
    hosts = {host: {"rack": evil if int(host[1:]) < 5 else "R1"} for host in names("r1", 20)}
    [finding] = found_in(run_of(hosts, ["a"], {"failed": {"a": names("r1", 4)}}))
    assert f"hosts in rack {evil} (4 of 4 hosts" in finding.title


def test_many_failures_at_random_have_no_cause():
    """200 hosts in 20 leaves, 30 steps, 2 % failures, 30 runs: false ones are fewer than 5 % of the runs allow.

    A guess about a step is in at most 10 % more of them.
    """
    chance = random.Random(15)
    hosts = {f"r{number}": {"leaf": f"leaf{number % 20}", "firmware": str(number % 3)} for number in range(200)}
    steps = [f"s{number}" for number in range(30)]
    false = guessed = 0
    for _n in range(30):
        failed = {step: [host for host in hosts if chance.random() < 0.02] for step in steps}
        found = [one for one in found_in(run_of(hosts, steps, {"failed": failed})) if one.explains]
        false += any(not finding.suggestion for finding in found)
        guessed += any(finding.suggestion for finding in found)
    assert false <= 4
    assert guessed <= 5


def test_a_planted_leaf_is_found_among_noise():
    chance = random.Random(16)
    hosts = {f"r{number}": {"leaf": f"leaf{number % 20}", "firmware": str(number % 3)} for number in range(200)}
    steps = [f"s{number}" for number in range(30)]
    found = 0
    for _n in range(20):
        failed = {step: [host for host in hosts if chance.random() < 0.02] for step in steps}
        failed["s7"] += [host for host, own in hosts.items() if own["leaf"] == "leaf3" and chance.random() < 0.6]
        first = found_in(run_of(hosts, steps, {"failed": failed}))[0]
        found += first.about.get("value") == "leaf3"
    assert found >= 17
