# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names say that what stands under them is a secret."""

from __future__ import annotations

import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import copy_json
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import (
    SecretNames,
    check_secrets,
    long_texts_of,
    secrets_in,
    url_passwords,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

DEFAULT = SecretNames(("*password", "*token", "*private_key"))
OTHERS = SecretNames(("*pass*", "snmp_?", "[ab]_key", "community"))


@pytest.mark.parametrize("name", ["password", "bmc_password", "BMC_Password", "X-Auth-Token", "ssh.private_key"])
def test_names_that_match(name):
    assert DEFAULT.match(name)


@pytest.mark.parametrize("name", ["passwords", "password_file", "token_count", "private_key_path", "pass", ""])
def test_names_that_do_not(name):
    assert not DEFAULT.match(name)


@table("name", "expected")
def test_patterns_are_those_of_files(name, expected):
    assert OTHERS.match(name) is expected


@pytest.mark.parametrize("key", ["bmc.password_v1", "password_v12", "a.b.token_v3"])
def test_a_key_is_meant_with_its_version_or_without(key):
    assert DEFAULT.match_key(key)
    assert SecretNames(("*.password_v*", "password_v*", "a.b.*")).match_key(key)
    assert not SecretNames(("*secret",)).match_key(key)


def test_without_patterns_nothing_matches():
    assert not SecretNames().match("password")


def test_texts_that_are_long_enough():
    value = {"a": ["abc", "abcd", 123, 1234, True, None, "True", "null"], "b": {"c": "x y z"}}
    assert long_texts_of(value) == ["abcd", "1234", "x y z"]


def test_secrets_among_arguments():
    options = {"word": {"no_log": True}, "deep": {"options": {"word": {"no_log": True}}}, "list": {"options": {}}}
    params = {
        "word": {"any": ["secret-1", 2345]},
        "deep": {"word": "secret-2", "other": "open"},
        "list": [{"token": "secret-3", "name": "open"}, {"tokens": "open"}],
        "token": ["secret-4", ["secret-5"], {"name": "secret-6"}],
        "password": 123456,
        "none": None,
    }
    assert secrets_in(options, params, DEFAULT) == ["secret-1", "2345", *(f"secret-{n}" for n in (2, 3, 4, 5, 6))]
    assert secrets_in(None, {"word": "open"}, DEFAULT) == []


def test_all_texts_under_a_name_are_secret_and_no_number():
    params = {
        "a_token": {"user": "secret-1", "port": 12345, "deep": [{"code": "secret-2", "is": True, "none": None}, "abc"]},
        "conf": {"deep": [[{"Password": "secret-3"}], {"tokens": {"user": "open", 7: {"b_token": ["secret-4"]}}}]},
    }
    assert secrets_in(None, params, DEFAULT) == [f"secret-{n}" for n in (1, 2, 3, 4)]


def test_what_holds_itself_is_looked_through_once():
    params: dict = {"token": "secret-1"}
    params.update(own=params, list=[params])
    assert secrets_in(None, params, DEFAULT) == ["secret-1"]


def test_one_value_in_two_arguments_counts_by_the_options_of_each():
    same = {"word": "secret-1"}
    options = {"b": {"options": {"word": {"no_log": True}}}}
    assert secrets_in(options, {"a": same, "b": same}, DEFAULT) == ["secret-1"]


def test_a_value_inside_of_itself_is_refused():
    value: list = []
    value.append(value)
    with pytest.raises(ValueError, match="nested too deeply"):
        check_secrets(value)


@table("value", "shown", "texts")
def test_what_stands_under_a_name_inside_of_a_value_is_masked(value, shown, texts):
    before, found = copy_json(value), []
    masked = SecretNames(["*password"]).mask_named(value, found)
    assert masked == (value if shown is None else shown)
    assert found == texts
    assert value == before
    assert (masked is value) == (masked == value)


def test_of_a_key_with_such_a_name_nothing_is_left():
    names, found = SecretNames(["*password"]), []
    assert names.mask_key("root.password_v1", {"of": ["hunter2"]}, found) == "********"
    assert names.mask_key("root.password_v1", None, found) is None
    assert names.mask_key("root.login_v1", {"password": "swordfish"}, found) == {"password": "********"}
    assert found == ["hunter2", "swordfish"]


@table("text", "found")
def test_passwords_in_urls(text, found):
    assert url_passwords(text) == found
    assert secrets_in({}, {"x": {"url": text}, "y": [text]}, DEFAULT) == [*found, *found]
    told: list[str] = []
    masked = DEFAULT.mask_key("c.url_v1", {"url": text, "in": [text]}, told)
    assert told == [*found, *found]
    assert not any(each in str(masked) for each in found)
    assert masked["in"] == [masked["url"]] == [DEFAULT.mask_named(text, [])]


def test_a_url_is_masked_in_its_password_alone():
    assert DEFAULT.mask_named("x postgres://u:p%40ss@h/d y", []) == "x postgres://u:********@h/d y"
    value = {"url": "http://host:8080/a@b", "in": ["x", 1, None]}
    assert DEFAULT.mask_named(value, []) is value


def test_no_text_of_urls_takes_long():
    start = time.process_time()
    for text in ("://a:" * 40_000, "://a:" + "b@" * 100_000, "://a:bbbb" + "@" * 100_000 + " "):
        url_passwords(text)
    assert time.process_time() - start < 3
