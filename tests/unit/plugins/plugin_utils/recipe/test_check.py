# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema, and how its verdicts become ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.rack.recipes.plugins.module_utils.values import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.check import MOST, SCHEMA, schema
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.guesses import KEYS
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.load import parse
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Recipe, Retry, Step, Success, TestMeta

META = "test_meta: {test_id: T}\n"


def mappings(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A mapping's schema, and those of the mappings inside of it."""
    yield described
    for inner in described["properties"].values():
        inside = inner.get("items", inner)
        if "properties" in inside:
            yield from mappings(inside)


def step_schema() -> dict[str, Any]:
    return dict(schema()["properties"]["steps"]["items"]["properties"])


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_field_is_described_and_has_words_for_its_errors() -> None:
    for mapping in mappings(dict(schema())):
        assert mapping["additionalProperties"] is False
        for name, field in mapping["properties"].items():
            assert field["description"].endswith("."), name
            assert field.keys() & {"errorMessage", "enum"}, name
            if name in mapping.get("required", []):
                assert "default" not in field, name


def test_defaults_and_examples_are_valid() -> None:
    for mapping in mappings(dict(schema())):
        for name, field in mapping["properties"].items():
            samples = [*field.get("examples", []), *([field["default"]] if "default" in field else [])]
            assert all(Draft202012Validator(field).is_valid(sample) for sample in samples), name


@pytest.mark.parametrize(
    ("described", "model", "added"),
    [
        (schema(), Recipe, {"path", "digest", "places"}),
        (schema()["properties"]["test_meta"], TestMeta, set()),
        (schema()["properties"]["steps"]["items"], Step, {"place"}),
        (step_schema()["retry"], Retry, set()),
        (step_schema()["success"], Success, set()),
    ],
)
def test_the_model_has_the_schema_s_fields(described: dict[str, Any], model: type, added: set[str]) -> None:
    assert set(described["properties"]) | added == {field.name for field in fields(model)}


def test_context_keys_are_those_of_the_context() -> None:
    patterns = {step_schema()[name]["items"]["pattern"] for name in ("reads", "writes")}
    assert patterns == {f"^{KEY.pattern}$"}


def test_synonyms_lead_to_keys_that_exist() -> None:
    assert KEYS.keys() <= {name for mapping in mappings(dict(schema())) for name in mapping["properties"]}


def test_a_hundred_errors_at_most_and_soon() -> None:
    steps = "".join(f"- {{name: a{n}, module: b, key_{n}: 1, depends_on: [z{n}]}}\n" for n in range(3000))
    started = time.process_time()
    with pytest.raises(RecipeErrors) as caught:
        parse(f"{META}steps:\n{steps}".encode(), "a.yml")
    assert len(caught.value.errors) == MOST
    assert time.process_time() - started < 5


def test_many_unknown_names_take_no_time() -> None:
    steps = "".join(f"- {{name: step_{n}, module: b, depends_on: [stop_{n}]}}\n" for n in range(3000))
    started = time.process_time()
    with pytest.raises(RecipeErrors, match=r"did you mean 'step_"):
        parse(f"{META}steps:\n{steps}".encode(), "a.yml")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("value", "near"),
    [
        *(("timeout: 5m", "300"), ("timeout: 500ms", "0.5"), ("timeout: 1.5h", "5400"), ("timeout: 1:00:05", "3605")),
        *(("timeout: +5", "5"), ("timeout: .5", "0.5"), ("timeout: 90 seconds", "90"), ("timeout: soon", "")),
        *(("parallel: On", "true"), ("parallel: no", "false"), ("parallel: 0", "false"), ("parallel: 2", "")),
        *(("type: PYTHON", "python"), ("type: awk", "shell"), ("type: C", "native"), ("scope: each", "host")),
        *(("retry: 3", "{max: 3}"), ("success: a.b_v1", ""), ("args: a=1 b=2", "{a: 1, b: 2}"), ("args: a b", "")),
        *(("reads: [a-b.C]", "a_b.c_v1"), ("reads: a.b_v1 c_v2", "[a.b_v1, c_v2]"), ("function: a.b.C", "C")),
        *(("depends_on: [5x, y, 5]", ""), ("hosts: [a, b]", "a,b"), ("hosts: [1, 2]", ""), ("idx: 1_0", "10")),
    ],
)
def test_what_was_probably_meant(value: str, near: str) -> None:
    steps = f"steps:\n- name: a\n  module: b\n  {value}\n- {{name: 5x, module: y}}\n- {{name: y, module: y}}\n"
    with pytest.raises(RecipeErrors) as caught:
        parse(f"{META}{steps}".encode(), "a.yml")
    assert caught.value.errors[0].place.line == 5
    assert caught.value.errors[0].near == near


def test_the_schema_file_is_plain_ascii() -> None:
    assert json.loads(SCHEMA.read_bytes().decode("ascii"))
