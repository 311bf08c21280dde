# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `waivers add`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.recipe.waiver_file import read_waivers

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
