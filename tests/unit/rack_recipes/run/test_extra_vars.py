# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of parameters, from extra vars and from what the compiled play declares."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.template import trust_as_template

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import an_inventory, means
from rack_recipes.errors import UsageError
from rack_recipes.plan.plan_model import PlanOptions
from rack_recipes.run.extra_vars import (
    RequestedPlan,
    all_secrets,
    masked,
    param_values,
    password_in,
    plan_options,
    secrets_of,
)

DECLARED: dict[str, dict[str, Any]] = {
    "vlan": {"type": "int", "default": 12, "min": 1, "max": 4094},
    "mode": {"type": "str", "default": "fast", "description": "How"},
    "ports": {"type": "list", "default": ["eth0"]},
    "password": {"type": "str", "secret": True},
    "url": {"type": "str", "default": "https://${params.mode}.host"},
}
PASSWORD = {"password": "s3cret!"}


def values(**extra_vars: Any) -> dict[str, Any]:
    return param_values(DECLARED, extra_vars, lambda value: value)


@pytest.mark.parametrize(
    ("extra_vars", "found"),
    [
        ({}, {"vlan": 12, "mode": "fast", "ports": ["eth0"], "url": "https://fast.host"}),
        ({"rack_recipes_params": {"vlan": 7}}, {"vlan": 7}),
        ({"rack_recipes_params": {"vlan": "7", "ports": '["a", "b"]'}}, {"vlan": 7, "ports": ["a", "b"]}),
        ({"vlan": "7", "unrelated": 1}, {"vlan": 7}),
        ({"vlan": 8, "rack_recipes_params": {"vlan": 7}}, {"vlan": 7}),
        ({"mode": "12"}, {"mode": "12"}),
    ],
)
def test_the_given_wins_over_an_extra_var_and_both_over_the_default(extra_vars: dict[str, Any], found: dict[str, Any]):
    given = {**extra_vars, "rack_recipes_params": {**PASSWORD, **extra_vars.get("rack_recipes_params", {})}}
    assert values(**given).items() >= found.items()


def test_a_recipe_without_parameters_takes_none():
    assert param_values({}, {"rack_recipes_params": {}}, lambda value: value) == {}
    with pytest.raises(UsageError, match="expected the name of a parameter of the recipe, got 'x'"):
        param_values({}, {"rack_recipes_params": {"x": 1}}, lambda value: value)


def test_limits_of_included_recipes_are_held():
    declared = {"x": {"type": "int", "default": 3, "min": 1, "also": {"burn.minutes": {"max": 5}}}}
    assert param_values(declared, {}, lambda value: value) == {"x": 3}
    with pytest.raises(
        UsageError, match=r"^parameter 'x', which is 'minutes' of the include 'burn': expected at most 5"
    ):
        param_values(declared, {"x": 7}, lambda value: value)


def test_a_wrong_value_with_the_name_of_a_secret_is_not_shown():
    declared = {"api_token": {"type": "int", "default": 3}, "x": {"type": "int", "default": 3}}
    given = {"api_token": "hunter", "x": "word"}
    with pytest.raises(UsageError) as caught:
        param_values(declared, given, lambda value: value, SecretNames(["*_token"]))
    assert str(caught.value) == (
        "parameter 'api_token': expected a whole number, got ********\n"
        "parameter 'x': expected a whole number, got 'word'"
    )


def test_a_value_is_data_even_where_ansible_trusts_it():
    given = {"mode": trust_as_template("{{ vault }}"), "password": "plain"}
    fill = means(an_inventory(**given, vault="s3cret!")).fill
    found = param_values({**DECLARED, "mode": {"type": "str", "default": ""}}, {"rack_recipes_params": given}, fill)
    assert found["mode"] == "{{ vault }}"


@pytest.mark.parametrize(
    ("extra_vars", "texts"),
    [
        ({}, ["parameter 'password': expected text, got no value"]),
        ({**PASSWORD, "vlan": "x"}, ["parameter 'vlan': expected a whole number, got 'x'"]),
        ({**PASSWORD, "vlan": 0}, ["parameter 'vlan': expected at least 1, got the number 0"]),
        ({"password": ["s3cret!"]}, ["parameter 'password': expected text, got ********"]),
        (
            {"rack_recipes_params": {**PASSWORD, "vlam": 1, "vlan": 5000}},
            ["(did you mean 'vlan'?)", "parameter 'vlan': expected at most 4094, got the number 5000"],
        ),
        (
            {"rack_recipes_params": "vlan=1"},
            ["rack_recipes_params (values of the recipe's parameters): expected a mapping, got a text"],
        ),
        ({"rack_recipes_params": ["s3cret!"]}, ["parameters): expected a mapping, got a list"]),
        ({"rack_recipes_params": 5}, ["parameters): expected a mapping, got a single value"]),
    ],
)
def test_wrong_values(extra_vars: dict[str, Any], texts: list[str]):
    with pytest.raises(UsageError) as caught:
        values(**extra_vars)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(texts)
    assert all(text in line for text, line in zip(texts, lines, strict=True))
    assert "s3cret" not in str(caught.value)


def test_secrets_are_known_and_never_shown():
    declared = {**DECLARED, "token": {"type": "dict", "secret": True}}
    given = {**PASSWORD, "token": {"a": ["xyz", 12345, True, None, ""]}, "url": "https://me:s3cret!@host"}
    found = param_values(declared, {"rack_recipes_params": given}, lambda value: value)
    secrets = secrets_of(declared, found)
    assert secrets == ("12345", "s3cret!", "xyz")
    shown = masked(declared, found, Mask(secrets))
    assert (shown["password"], shown["token"], shown["vlan"]) == ("********", "********", 12)
    assert shown["url"] == "https://me:********@host"


def test_a_text_with_the_name_of_a_secret_is_one():
    declared = {name: {} for name in ("bmc_password", "token", "pin_password", "short_token", "passwords")}
    given: dict[str, Any] = {"bmc_password": "falcon-1", "token": ["list-2"], "passwords": {"x": [{"token": "deep-3"}]}}
    given.update(pin_password=12345, short_token="abc")
    assert secrets_of(declared, given, SecretNames(("*password", "*token"))) == ("deep-3", "falcon-1", "list-2")
    assert secrets_of(declared, given) == ()


def test_a_parameter_may_hold_what_came_out_of_a_vault():
    given = {"url": "http://host/?key=of-the-vault", "count": 5}
    vaulted = {"r1": ["of-the-vault"], "r2": ["of-another"]}
    assert all_secrets({"url": {}, "count": {}}, given, SecretNames(), vaulted) == ("of-the-vault",)
    assert all_secrets({"url": {}, "count": {}}, given, SecretNames(), {}) == ()
    quoted = {"url": '{"a": "of \\"the\\" vault"}', "count": 5}
    assert all_secrets({"url": {}, "count": {}}, quoted, SecretNames(), {"r2": ['of "the" vault']}) == (
        'of "the" vault',
    )


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:///results.db", []),
        ("mysql://rack@db/rack", []),
        ("mysql+pymysql://rack:s3cret@db:3306/rack", ["s3cret"]),
        ("postgresql://rack:p%40ss%3A@db/rack?sslmode=require", ["p%40ss%3A", "p@ss:"]),
        ("PostgreSQL://:word@@db/rack", ["word@"]),
    ],
)
def test_the_password_of_a_store(url: str, found: list[str]):
    assert password_in(url) == found


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, PlanOptions()),
        ({"rack_recipes_only": "a, b"}, PlanOptions(only=("a", "b"))),
        ({"rack_recipes_only": ["a"], "rack_recipes_skip": "c"}, PlanOptions(only=("a",), skip=("c",))),
        ({"rack_recipes_only": "", "rack_recipes_seed": None, "other": 1}, PlanOptions()),
        ({"rack_recipes_stepwise": "true", "rack_recipes_parallel": True}, PlanOptions(stepwise=True, parallel=True)),
        ({"rack_recipes_stepwise": "no", "rack_recipes_seed": "-7"}, PlanOptions(seed=-7)),
        ({"rack_recipes_seed": 0}, PlanOptions(seed=0)),
    ],
)
def test_what_a_plan_is_asked(given: dict[str, Any], options: PlanOptions):
    assert plan_options(given) == options


def test_the_run_to_go_on_from():
    assert RequestedPlan.of({}) == RequestedPlan("", "")
    assert RequestedPlan.of({"rack_recipes_resume": "R1", "rack_recipes_resume_from": "wire"}) == RequestedPlan(
        "R1", "wire"
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"rack_recipes_stepwise": "perhaps"},
            "rack_recipes_stepwise (whether each step is a stage of its own): expected true or false, got 'perhaps'",
        ),
        (
            {"rack_recipes_seed": "1.5"},
            "rack_recipes_seed (the order of independent steps): expected a whole number, got '1.5'",
        ),
        (
            {"rack_recipes_skip": [3]},
            "rack_recipes_skip (the steps to leave out): expected names, separated by commas, got [3]",
        ),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], text: str):
    with pytest.raises(UsageError) as caught:
        plan_options(given)
    assert str(caught.value) == text


def test_a_run_is_named_by_a_text():
    with pytest.raises(UsageError, match=r"rack_recipes_resume \(the run to go on from\): expected text, got 7"):
        RequestedPlan.of({"rack_recipes_resume": 7})
