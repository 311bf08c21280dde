# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of parameters, and references to parts that they do not have."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.language import criteria
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from rack_recipes.errors import UsageError
from rack_recipes.recipe import param_values
from rack_recipes.recipe.load import load, parse
from rack_recipes.recipe.param_values import KINDS, missing_param_parts, values_of_params
from rack_recipes.recipe.recipe_model import Param


def declared(text: str) -> dict[str, Param]:
    """Parameters as a recipe declares them."""
    content = f"test_meta: {{test_id: T}}\nparams:\n{text}\nsteps: [{{name: a, module: b}}]\n"
    return dict(parse(content.encode(), "a.yml").params)


def refusal(text: str, given: dict[Any, Any], *, texts: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        values_of_params(declared(text), given, texts=texts)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        *(("str", "12", "12"), ("str", "", ""), ("str", "yes", "yes"), ("str", " a ", " a ")),
        *(("int", "12", 12), ("int", "-5", -5), ("int", " +7 ", 7), ("int", "007", 7)),
        *(("float", "1.5", 1.5), ("float", "4.20", 4.2), ("float", "3", 3), ("float", "1e3", 1000.0)),
        *(("bool", "true", True), ("bool", "Yes", True), ("bool", "off", False), ("bool", "0", False)),
        *(("list", "[eth0, 1]", ["eth0", 1]), ("list", "- a\n- b", ["a", "b"]), ("list", '["a"]', ["a"])),
        *(("dict", "{a: 1}", {"a": 1}), ("dict", "a: [1]", {"a": [1]}), ("dict", '{"a": null}', {"a": None})),
    ],
)
def test_texts_become_what_the_parameter_is(kind: str, text: str, value: object) -> None:
    found = values_of_params({"x": Param("x", kind)}, {"x": text}, texts=True)["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text", "got"),
    [
        *(("int", "1.5", "'1.5'"), ("int", "twelve", "'twelve'"), ("int", "", "empty text"), ("int", "0x1F", "'0x1F'")),
        *(("int", "9" * 30, "value: an integer beyond 64 bits"), ("int", "9" * 5000, "'9999")),
        *(("float", "nan", "'nan'"), ("float", "inf", "'inf'"), ("float", "1e999", "value: inf is not a JSON number")),
        *(("bool", "maybe", "'maybe'"), ("bool", "2", "'2'")),
        *(
            ("list", "eth0,eth1", "'eth0,eth1'"),
            ("list", "{a: 1}", "a mapping with a"),
            ("list", "[", "'['"),
            ("list", "", "emp"),
        ),
        *(("dict", "[a]", "a list"), ("dict", "a", "'a'"), ("dict", "\ud800", "'\\ud800'"), ("dict", "\0", "'\\x00'")),
    ],
)
def test_texts_that_are_no_value(kind: str, text: str, got: str) -> None:
    with pytest.raises(UsageError) as caught:
        values_of_params({"x": Param("x", kind)}, {"x": text}, texts=True)
    assert str(caught.value).startswith(f"parameter 'x': expected {KINDS[kind]}, got {got}")


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("int", 3.0, 3),
        ("float", 3, 3),
        ("float", 2.5, 2.5),
        ("list", ["a", {"b": 1}], ["a", {"b": 1}]),
        ("str", "1", "1"),
    ],
)
def test_values_of_the_type_are_taken(kind: str, value: object, found: object) -> None:
    assert values_of_params({"x": Param("x", kind)}, {"x": value}, texts=False) == {"x": found}


@pytest.mark.parametrize(
    ("kind", "value", "got"),
    [
        *(("int", "5", "'5'"), ("int", True, "true"), ("int", 2.5, "the number 2.5"), ("int", None, "nothing")),
        *(("float", "1", "'1'"), ("float", float("nan"), "value: nan is not"), ("float", False, "false")),
        *(("str", 5, "the number 5"), ("str", None, "nothing"), ("str", ["a"], "a list"), ("bool", 1, "the number 1")),
        *(("list", {"a": 1}, "a mapping with a"), ("list", (1,), "a tuple"), ("dict", [], "an empty list")),
        *(("list", [{1: "a"}], "value[0]: a mapping's key"), ("str", dt.date(2026, 1, 1), "a date")),
        ("dict", {"a": dt.date(2026, 1, 1)}, "value.a: expected JSON data, got a date"),
    ],
)
def test_values_of_another_type_are_refused(kind: str, value: object, got: str) -> None:
    for texts in (False, True) if not isinstance(value, str) else (False,):
        with pytest.raises(UsageError) as caught:
            values_of_params({"x": Param("x", kind)}, {"x": value}, texts=texts)
        assert str(caught.value).startswith(f"parameter 'x': expected {KINDS[kind]}, got {got}")


def test_a_value_is_a_copy() -> None:
    value = {"a": [1]}
    found = values_of_params({"x": Param("x", "dict")}, {"x": value}, texts=False)
    assert found["x"] == value
    assert found["x"]["a"] is not value["a"]


def test_what_is_not_given_has_its_default_in_the_order_of_the_recipe() -> None:
    params = declared("  a: {default: x}\n  b: {type: int}\n  c: {type: list, default: [1]}")
    assert list(values_of_params(params, {"b": 1}, texts=False).items()) == [("a", "x"), ("b", 1), ("c", [1])]


def test_defaults_rest_on_other_parameters() -> None:
    params = declared(
        '  d: {default: "${params.c.0} of ${params.a}", matches: ".*"}\n  c: {type: list, default: ["${params.b}"]}\n'
        '  b: {type: int, default: "${params.a}"}\n  a: {type: int}'
    )
    assert values_of_params(params, {"a": 5}, texts=False) == {"d": "5 of 5", "c": [5], "b": 5, "a": 5}
    assert values_of_params(params, {"a": 5, "b": 6}, texts=False)["d"] == "6 of 5"
    assert values_of_params(params, {"a": 5, "c": ["${params.a}"]}, texts=False)["c"] == ["${params.a}"]


def test_defaults_that_turn_out_wrong() -> None:
    text = '  a: {}\n  b: {type: int, default: "${params.a}"}'
    assert refusal(text, {"a": "x"}) == "parameter 'b', by its default: expected a whole number, got 'x'"
    text = '  a: {type: dict}\n  b: {default: "${params.a.name}"}'
    assert refusal(text, {"a": {"x": 1}}) == (
        "parameter 'b', by its default: expected 'name' in the value of the parameter,"
        " got a mapping with x for '${params.a.name}'"
    )


def test_limits_are_held() -> None:
    text = "  a: {type: int, min: 1, max: 9, ne: 5}\n  b: {one_of: [x, y]}\n  c: {matches: 'leaf\\d+'}\n  d: {eq: z}"
    good = {"a": 3, "b": "x", "c": "leaf1", "d": "z"}
    assert values_of_params(declared(text), good, texts=False) == good
    assert refusal(text, {"a": 0, "b": "z", "c": "leaf", "d": "q"}).split("\n") == [
        "parameter 'a': expected at least 1, got the number 0",
        "parameter 'b': expected one of 'x', 'y', got 'z'",
        "parameter 'c': expected a text that matches leaf\\d+, got 'leaf'",
        "parameter 'd': expected the value 'z', got 'q'",
    ]
    assert refusal(text, {**good, "a": 10}) == "parameter 'a': expected at most 9, got the number 10"
    assert refusal(text, {**good, "a": "5"}, texts=True) == (
        "parameter 'a': expected any other value than 5, got the number 5"
    )


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_pattern_that_takes_for_ever_is_not_taken_for_held(monkeypatch: pytest.MonkeyPatch, in_thread: bool) -> None:
    """Also in a thread of a server, where no alarm ends it: there the others go on meanwhile."""
    monkeypatch.setattr(criteria, "PATIENCE", 0.1)
    monkeypatch.setattr(param_values, "PATIENCE", 0.1)
    text = "  a: {matches: '(a+)+b'}"
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(refusal, text, {"a": "a" * 60}).result() if in_thread else refusal(text, {"a": "a" * 60})
    assert told.startswith("parameter 'a': expected a text that matches (a+)+b, got 'aaa")
    assert "of which nobody can tell: matches: (a+)+b took more than 0.1 s" in told
    assert values_of_params(declared(text), {"a": "ab"}, texts=False) == {"a": "ab"}


def test_limits_of_included_recipes_are_held() -> None:
    also = {"burn.long": {"max": 5}, "both.burn.most": {"ne": 4}}
    params = {
        "a": Param("a", "int", 3, required=False, also=also),
        "b": Param("b", "str", "${params.c}", required=False, also={"i.m": {"one_of": ["x", "y"]}}),
        "c": Param("c", "str", "x", required=False),
        "d": Param("d", secret=True, also={"i.n": {"matches": "[a-f]+"}}),
    }
    assert values_of_params(params, {"d": "abc"}, texts=True) == {"a": 3, "b": "x", "c": "x", "d": "abc"}
    with pytest.raises(UsageError) as caught:
        values_of_params(params, {"a": "7", "c": "z", "d": "hunter2"}, texts=True)
    assert str(caught.value).split("\n") == [
        "parameter 'a', which is 'long' of the include 'burn': expected at most 5, got the number 7",
        "parameter 'b', which is 'm' of the include 'i': expected one of 'x', 'y', got 'z'",
        "parameter 'd', which is 'n' of the include 'i': expected a text that matches [a-f]+, got ********",
    ]
    with pytest.raises(
        UsageError, match=r"^parameter 'a', which is 'most' of the include 'both.burn': expected any ot"
    ):
        values_of_params(params, {"a": 4, "d": "abc"}, texts=False)


def test_limits_of_included_recipes_are_held_by_parts_and_longer_texts() -> None:
    also: dict[str, Any] = {
        "burn.long": {"of": "${params.site.minutes}", "type": "int", "max": 5},
        "burn.tag": {"of": "${params.name}-${params.pin}", "type": "str", "matches": "[a-z]+-[0-9]+"},
    }
    params = {
        "site": Param("site", "dict", also={"burn.long": also["burn.long"]}),
        "name": Param("name", also={"burn.tag": also["burn.tag"]}),
        "pin": Param("pin", secret=True),
        "word": Param("word", "str", "a", required=False, also={"burn.word": {"matches": "a"}}),
    }
    good = {"site": {"minutes": 5}, "name": "rack", "pin": "12"}
    assert values_of_params(params, good, texts=False).items() >= good.items()
    assert values_of_params(params, {**good, "site": {"minutes": "5"}}, texts=False)["site"] == {"minutes": "5"}
    some = {name: params[name] for name in ("site", "name")}  # the others are given elsewhere
    assert values_of_params(some, {"site": {"minutes": 5}, "name": "rack"}, texts=False) == {
        "site": {"minutes": 5},
        "name": "rack",
    }
    with pytest.raises(UsageError) as caught:
        values_of_params(params, {"site": {"minutes": "x5"}, "name": "rack", "pin": "x2"}, texts=False)
    assert str(caught.value) == (
        "parameter 'site', of which '${params.site.minutes}' is 'long' of the include 'burn': expected a whole number,"
        " got 'x5'\n"
        "parameter 'name', of which '${params.name}-${params.pin}' is 'tag' of the include 'burn': expected a text that"
        " matches [a-z]+-[0-9]+, got ********"
    )
    with pytest.raises(UsageError, match="expected 'minutes' in the value of the parameter, got "):
        values_of_params(params, {**good, "site": {"hours": 1}}, texts=False)
    with pytest.raises(UsageError, match="expected at most 5, got the number 6"):
        values_of_params(params, {**good, "site": {"minutes": 6}}, texts=False)
    for text in ("{{ x }}", "${params.site}", "${t.other_v1}"):  # no limit is passed by a look like a template
        with pytest.raises(UsageError, match=r"'word' of the include 'burn': expected a text that matches a, got "):
            values_of_params(params, {**good, "word": text}, texts=False)


def test_a_default_made_of_a_value_that_looks_like_a_template_keeps_its_limits() -> None:
    host = Param("host", "str", "${params.name}", required=False, limits={"matches": "[a-z]+"})
    with pytest.raises(UsageError, match=r"parameter 'host', by its default: expected a text that matches"):
        values_of_params({"name": Param("name"), "host": host}, {"name": "{{ x }}"}, texts=False)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = "  vlan: {type: int}\n  name: {}\n  ports: {type: list}"
    assert refusal(text, {"vlna": 5, "ports": 1, "x": 2, 3: 4}).split("\n") == [
        "expected the name of a parameter of the recipe, got 'vlna' (did you mean 'vlan'?)",
        "expected the name of a parameter of the recipe, got 'x' (vlan, name, ports)",
        "expected the name of a parameter of the recipe, got '3' (vlan, name, ports)",
        "parameter 'vlan': expected a whole number, got no value, and it has no default (--param vlan=...)",
        "parameter 'name': expected text, got no value, and it has no default (--param name=...)",
        "parameter 'ports': expected a list, got the number 1",
    ]


def test_a_recipe_without_parameters() -> None:
    assert values_of_params({}, {}, texts=True) == {}
    with pytest.raises(UsageError, match=r"got 'a' \(it has none\)"):
        values_of_params({}, {"a": 1}, texts=False)


@pytest.mark.parametrize("given", ["hunter2", "leaf", 5, None, ["hunter2"], {"hunter2": 1}])
def test_secrets_are_not_in_errors(given: object) -> None:
    text = refusal("  password: {secret: true, matches: 'x.*'}", {"password": given})
    assert text.endswith("got ********")
    assert "hunter2" not in text


def test_secrets_are_taken() -> None:
    assert values_of_params(declared("  password: {secret: true}"), {"password": "a"}, texts=True) == {"password": "a"}


@given(st.sampled_from(sorted(KINDS)), st.text())
def test_any_text_is_a_value_or_refused(kind: str, text: str) -> None:
    with suppress(UsageError):
        values_of_params(
            {"x": Param("x", kind, limits={"min": 1, "matches": "a", "one_of": [1]})}, {"x": text}, texts=True
        )


SECRET = "hunter2-" * 30
MASK = Mask([SECRET])
VALUES = {"site": {"vlan": 7, "ports": [1, {"name": "eth0"}], "token": SECRET}, "login": {"user": "bob"}, "name": "x"}
PARAMS = "params: {site: {type: dict}, login: {type: dict, secret: true}, name: {}}"


def found(tmp_path: Path, step: str, values: dict[str, Any] | None = None) -> list[str]:
    path = tmp_path / "r.yml"
    path.write_text(f"test_meta: {{test_id: T-1}}\n{PARAMS}\nsteps:\n  - {{name: a, module: t.ok, {step}}}\n")
    recipe = load(str(path))
    told = missing_param_parts(recipe.steps, recipe.params, VALUES if values is None else values, MASK)
    return [one.removeprefix(f"{path}:4:5: step 'a': ") for one in told]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("args: {x: '${params.site.vlna}'}", "${params.site.vlna}: params.site has no 'vlna', did you mean vlan?"),
        (
            "args: {x: [{y: 'in ${params.site.ports.2} ${host} ${item_v1}'}]}",
            "${params.site.ports.2}: params.site.ports has no '2': it is a list of 2",
        ),
        ("loop: '${params.site.zz}'", "${params.site.zz}: params.site has no 'zz'; there is ports, token, vlan"),
        (
            "success: {values: [{value: '${t.x_v1}', min: '${params.site.vlan.id}'}]}",
            "${params.site.vlan.id}: params.site.vlan has no 'id': it is 7",
        ),
        (
            "args: {x: '${params.site.token.id}'}",
            "${params.site.token.id}: params.site.token has no 'id': it is \"********\"",
        ),
        ("args: {x: '${params.login.pass}'}", "${params.login.pass}: it has no such part"),
    ],
)
def test_a_part_that_is_not_there_is_told(step: str, told: str, tmp_path: Path):
    assert found(tmp_path, step) == [told]


@pytest.mark.parametrize(
    "step",
    [
        "args: {x: '${params.site.ports.1.name} ${params.site} ${params.name} ${params.login.user}'}",
        "when: {value: '${params.site.kind}', eq: a}, args: {x: '${params.site.kind}'}",
        "when: '{{ false }}', args: {x: '${params.site.kind}'}",
    ],
)
def test_what_is_there_or_may_not_be_needed_is_not(step: str, tmp_path: Path):
    assert found(tmp_path, step) == []


def test_a_parameter_whose_value_is_not_known_is_left_to_the_run(tmp_path: Path):
    assert found(tmp_path, "args: {x: '${params.site.kind}'}", {}) == []
