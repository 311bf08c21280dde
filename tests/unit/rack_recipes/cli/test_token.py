# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call

pytestmark = pytest.mark.usefixtures("project")


def test_a_token_is_shown_once_and_listed_without_its_secret():
    made = call("token", "create", "zoe", "--role", "author", "--keys", "link.*", "--expires", "12h")
    token = made.out.strip()
    assert made.code == 0
    assert token.startswith("rrt_")
    assert made.err.startswith("a token of the role author, until: 20")
    shown = call("token", "list", "--json").answer["tokens"][0]
    assert (shown["name"], shown["role"], shown["keys"], shown["runs"]) == ("zoe", "author", ["link.*"], ["*"])
    assert (shown["state"], "digest" in shown) == ("valid", False)
    kept = b"".join(file.read_bytes() for file in Path().rglob("*") if file.is_file())
    assert token[21:].encode() not in kept + call("token", "list").out.encode()


def test_a_revoked_name_can_be_given_again():
    def create() -> str:
        return call("token", "create", "zoe", "--role", "viewer", "--json").answer.get("reason", "")

    assert create() == ""
    assert create() == "zoe has a valid grant already: `rack-recipes token revoke zoe` ends it"
    assert call("token", "revoke", "zoe", "--json").answer["name"] == "zoe"
    assert create() == ""
    states = [one["state"] for one in call("token", "list", "--json").answer["tokens"]]
    assert states == ["revoked", "valid"]


def test_a_certificate_gets_a_role():
    made = call("token", "create", "ci", "--role", "operator", "--certificate", "ci.lab", "--expires", "never")
    assert (made.out, made.err) == ("", "the certificate ci.lab has the role operator, until: never\n")
    again = call("token", "create", "ci2", "--role", "viewer", "--certificate", "ci.lab")
    assert again.err.startswith("the certificate ci.lab has a valid grant already: `rack-recipes token revoke ci`")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["create", "a/b", "--role", "viewer"], "expected a name of letters, digits and . _ @ -, got 'a/b'"),
        (["create", "a", "--role", "boss"], "'boss'"),
        (["create", "a", "--role", "viewer", "--expires", "soon"], "expected an age of at most 100 years such as 90d"),
        (["create", "a"], "--role"),
        (["revoke", "zo"], "zo has no token that could be revoked; `rack-recipes token list` shows all"),
    ],
)
def test_what_is_wrong_is_told(words, reason):
    done = call("token", *words)
    assert done.code == 2
    assert reason in done.err


def test_a_near_name_is_named():
    call("token", "create", "traffic", "--role", "viewer")
    assert "did you mean traffic?" in call("token", "revoke", "trafic").err


def test_there_are_none():
    assert call("token", "list").out.startswith("there are none: ")
