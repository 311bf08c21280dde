# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import Place
from rack_recipes.run.trust.policy import Policy, Rule
from rack_recipes.server.access.caller import ADMIN, AUTHOR, VIEWER
from rack_recipes.server.access.identify import identify_by
from rack_recipes.server.access.token_file import Grant, LiveGrants, changed_grants, new_token
from rack_recipes.server.network.clients import Peer
from rack_recipes.server.problems import Problem

RULES: tuple[dict[str, Any], ...] = (
    {"users": ("*",), "actions": ("read", "write"), "keys": ("secret.*",), "allows": False},
    {"users": ("nobody",), "actions": ("read",), "keys": ("link.*",)},
    {"users": ("daemon",), "actions": ("read", "write"), "keys": ("link.*",)},
    {"groups": ("role:author",), "actions": ("read", "write")},
    {"users": ("root",), "actions": ("read", "write")},
)
UIDS = {"root": 0, "daemon": 1, "nobody": 65534}


@pytest.fixture
def who(tmp_path: Path) -> Any:
    """A function that tells who a user is, or who has a token."""
    rules = (Rule(Place("policy.yml", line, 5), **{"allows": True, **rule}) for line, rule in enumerate(RULES, 2))
    identify = identify_by(Policy("policy.yml", tmp_path, tuple(rules)), LiveGrants(tmp_path / "tokens", pytest.fail))

    def caller(user: int, token: str = "") -> Any:
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        return identify({"client": Peer(str(user), 1, user), "headers": headers})

    return caller


def test_users_of_this_machine_have_the_role_that_the_rules_give(who):
    assert (who(UIDS["nobody"]).role, who(UIDS["daemon"]).role) == (VIEWER, AUTHOR)
    assert who(os.getuid()).role == who(0).role == ADMIN
    with pytest.raises(Problem, match="not-allowed"):
        who(4711)
    daemon = who(UIDS["daemon"])
    assert [daemon.reads(key) for key in ("link.a_v1", "power_v1", "secret.a_v1")] == [True, False, False]
    with pytest.raises(Problem) as raised:
        daemon.check_write("power_v1")
    assert raised.value.detail == "policy.yml: daemon may not write power_v1: no rule says that they may"


def test_the_policy_holds_for_root_too(who):
    with pytest.raises(Problem) as raised:
        who(0).check_read("secret.a_v1")
    assert raised.value.detail == "policy.yml:2: root may not read secret.a_v1"


def test_a_rule_can_be_about_the_role_of_a_token(who, tmp_path):
    text, ident, digest = new_token()
    with changed_grants(tmp_path / "tokens") as grants:
        grants.append(Grant("zoe", AUTHOR, ident, digest))
    zoe = who(UIDS["nobody"], text)
    assert (zoe.name, zoe.reads("power_v1"), zoe.reads("secret.a_v1")) == ("token:zoe", True, False)
