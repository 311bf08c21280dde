# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import Place
from rack_recipes.run.trust.policy import Policy, Rule
from rack_recipes.server.access.caller import ADMIN, AUTHOR, VIEWER, no_objection
from rack_recipes.server.access.identify import Identify, identify_by
from rack_recipes.server.access.token_file import Grant, LiveGrants, changed_grants, new_token
from rack_recipes.server.network.clients import Peer
from rack_recipes.server.problems import Problem

REMOTE = Peer("192.0.2.7", 4711)
CERTIFIED = Peer("192.0.2.7", 4711, None, ("ci", "ci.lab"))
OWNER, STRANGER = Peer(str(os.getuid()), 1, os.getuid()), Peer("4711", 1, 4711)


@pytest.fixture
def known(tmp_path: Path) -> tuple[str, Callable[..., Any]]:
    """The token of zoe, and a function that tells who somebody is."""
    path, (text, ident, digest) = tmp_path / "tokens.json", new_token()
    with changed_grants(path) as grants:
        grants += [Grant("zoe", VIEWER, ident, digest, keys=("a*",)), Grant("ci", AUTHOR, "1", certificate="ci.lab")]
    identify = Identify(LiveGrants(path, pytest.fail))

    def who(peer: Peer, *authorization: str) -> Any:
        headers = [(b"host", b"ctx"), *((b"authorization", value.encode("latin-1")) for value in authorization)]
        try:
            caller = identify({"client": peer, "headers": headers})
        except Problem as problem:
            return problem.kind, problem.detail
        return caller.name, caller.role, caller.keys

    return text, who


def test_who_asks_is_known_by_token_by_user_or_by_certificate(known):
    text, who = known
    assert who(REMOTE, f"Bearer {text}") == who(REMOTE, f"bearer  {text} ") == ("token:zoe", VIEWER, ("a*",))
    assert who(CERTIFIED) == ("certificate:ci", AUTHOR, ("*",))
    assert who(OWNER)[1:] == (ADMIN, ("*",))


def test_a_token_counts_before_the_user_and_the_certificate(known):
    text, who = known
    assert who(OWNER, f"Bearer {text}")[0] == who(CERTIFIED, f"Bearer {text}")[0] == "token:zoe"
    assert who(OWNER, "Bearer wrong")[0] == who(CERTIFIED, "Bearer wrong")[0] == "not-known"


def test_nobody_else_is_let_in(known):
    text, who = known
    wrong = [("Basic " + text,), (text,), ("Bearer",), ("",), (f"Bearer {text}", f"Bearer {text}"), ("Bearer é",)]
    answers = {who(REMOTE, *given) for given in ((), *wrong)}
    assert answers == {("not-known", "this request needs a valid token")}, "all are told the same"
    assert who(Peer("192.0.2.7", 1, None, ("stranger",)))[0] == "not-known"
    assert who(STRANGER)[0] == "not-allowed"


def test_a_policy_is_told_name_and_role(tmp_path):
    path, (text, ident, digest) = tmp_path / "tokens.json", new_token()
    with changed_grants(path) as grants:
        grants.append(Grant("zoe", VIEWER, ident, digest))
    asked: list[tuple[str, str]] = []

    def objection_of(name: str, role: str) -> Any:
        asked.append((name, role))
        return no_objection

    identify = Identify(LiveGrants(path, pytest.fail), objection_of=objection_of)
    scope = {"client": REMOTE, "headers": [(b"authorization", f"Bearer {text}".encode())]}
    assert identify(scope) is identify(scope)
    assert asked == [("token:zoe", VIEWER)]


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
