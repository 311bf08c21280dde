# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema, and how its verdicts become ours."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import KEY
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS as CRITERIA
from rack_recipes.errors import RecipeErrors
from rack_recipes.recipe.check_and_build import TOP_LEVEL_ONLY
from rack_recipes.recipe.includes.expand import MAX_NAME_LENGTH
from rack_recipes.recipe.load import parse
from rack_recipes.recipe.param_values import FITS, KINDS, READERS
from rack_recipes.recipe.recipe_model import (
    CacheKey,
    Canary,
    Dependency,
    Hook,
    Limits,
    Lock,
    Param,
    Recipe,
    Repeat,
    Retry,
    Sandbox,
    Step,
    Success,
    TestMeta,
)
from rack_recipes.recipe.recipe_node import REFERENCE_FIELDS
from rack_recipes.recipe.rules.steps import RULES_BY_FIELD
from rack_recipes.recipe.schema.json_schema import SCHEMA, list_fields, mappings, matches, schema, validator
from rack_recipes.recipe.schema.schema_errors import SYNONYMS
from rack_recipes.recipe.steps_to_and_from_data import PARAM_LIMITS
from rack_recipes.recipe.substitution import REFERENCE
from rack_recipes.recipe.values_in_messages import closest
from rack_recipes.recipe.yaml.reader import MAX_ERRORS, read

META = "test_meta: {test_id: T}\n"


STRICT: Any = extend(Draft202012Validator, {"pattern": matches})  # type: ignore[no-untyped-call]
PUBLISHED = STRICT(json.loads(SCHEMA.read_text()))
CASES = Path(__file__).parents[1] / "cases"
INSIDE = ("items", "additionalProperties", "propertyNames", "then", "else")
ALL = list(mappings(schema(), "recipe"))
STEP = dict(schema()["properties"]["steps"]["items"]["else"]["properties"])
TOP = dict(schema()["properties"])
CONDITION = dict(STEP["success"]["properties"]["values"]["items"]["properties"])


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_every_field_is_described_and_has_words_for_its_errors() -> None:
    for _name, mapping in ALL:
        assert mapping["additionalProperties"] is False
        for name, field in mapping["properties"].items():
            assert field["description"].endswith("."), name
            assert field.keys() & {"errorMessage", "enum"}, name
            if name in mapping.get("required", []):
                assert "default" not in field, name


def test_every_part_has_words_for_its_errors() -> None:
    def parts(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield part
        for inner in [
            part[key] for key in ("items", "additionalProperties", "propertyNames", "then", "else") if key in part
        ]:
            yield from parts(inner) if isinstance(inner, dict) else ()
        for inner in part.get("properties", {}).values():
            yield from parts(inner)

    assert [part for part in parts(dict(schema())) if not part.keys() & {"errorMessage", "enum", "if"}] == []


def test_defaults_and_examples_are_valid() -> None:
    for _name, mapping in ALL:
        for name, field in mapping["properties"].items():
            samples = [*field.get("examples", []), *([field["default"]] if "default" in field else [])]
            assert all(Draft202012Validator(field).is_valid(sample) for sample in samples), name


OF_PARAM = {"name", "required", "limits", "also", *(f"-{word}" for word in PARAM_LIMITS)}


@pytest.mark.parametrize(
    ("described", "model", "added"),
    [
        (
            schema(),
            Recipe,
            {"path", "digest", "files", "places", "pre_step", "post_step", "-hooks", "merge", "persist", "-context"},
        ),
        (TOP["test_meta"], TestMeta, set()),
        (TOP["canary"], Canary, set()),
        (TOP["locks"]["additionalProperties"], Lock, {"name"}),
        (
            TOP["params"]["additionalProperties"],
            Param,
            OF_PARAM,
        ),
        (TOP["hooks"]["properties"]["pre_step"]["items"], Hook, {"place"}),
        ({"properties": STEP}, Step, {"place", "after", "skip", "entry", "keys"}),
        (STEP["depends_on"]["items"], Dependency, set()),
        (STEP["retry"], Retry, set()),
        (STEP["repeat"], Repeat, set()),
        (STEP["limits"], Limits, set()),
        (STEP["sandbox"], Sandbox, set()),
        (STEP["cache_key"], CacheKey, set()),
        (STEP["success"], Success, {"none"}),
    ],
)
def test_the_model_has_the_schema_s_fields(described: dict[str, Any], model: type, added: set[str]) -> None:
    """`added` has the model's own fields, and with a minus the schema's own."""
    others = {name[1:] for name in added if name.startswith("-")}
    names = {field.name for field in fields(model)}
    assert {*described["properties"]} - others == names - added
    assert {*described["properties"]} >= others


ABOUT = {"value", "quantile", "name", "unit", "warn"}  # words of a condition that are no criterion


def test_conditions_have_the_words_that_are_judged() -> None:
    for name, mapping in ALL:
        if mapping.get("title") == "a condition":
            assert mapping["properties"].keys() - ABOUT == CRITERIA.keys(), name
    assert (
        STEP["success"]["properties"]["values"]["items"]["properties"]["warn"]["properties"].keys() == CRITERIA.keys()
    )


def test_parameters_have_the_limits_that_the_table_has_words_for() -> None:
    words = TOP["params"]["additionalProperties"]["properties"].keys()
    assert words & CRITERIA.keys() == {word for word, criterion in CRITERIA.items() if criterion.expected}


ACCEPTED = {  # what the schema lets a word take, by what the table of criteria says of it
    "any": [],
    "number": ["number", "string"],
    "list": ["array", "string"],
    "text": ["string"],
    "mapping": ["object"],
}


@pytest.mark.parametrize("word", sorted({*CRITERIA, *CONDITION} - ABOUT - {"warn"}))
def test_a_criterion_takes_in_the_schema_what_the_table_says(word: str) -> None:
    assert word in CRITERIA, f"the criterion {word} is in the schema, and not in LIMITS of language/criteria.py"
    assert word in CONDITION, f"the criterion {word} is in LIMITS, and not in the conditions of recipe.schema.json"
    kinds = CONDITION[word].get("type", [])
    assert ([kinds] if isinstance(kinds, str) else kinds) == ACCEPTED[CRITERIA[word].takes]


def every(part: Any, key: str) -> Iterator[Any]:
    """The values under a key, anywhere in the schema."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    if isinstance(part, dict) and key in part:
        yield part[key]
    for item in inner:
        yield from every(item, key)


def test_choices_are_those_that_the_keyword_knows() -> None:
    for condition in every(dict(schema()), "if"):
        assert condition["type"] == "object"
        assert condition.keys() <= {"type", "required"}


def documents() -> Iterator[Any]:
    for path in sorted(CASES.rglob("*.yml")):
        with suppress(RecipeErrors):
            yield pytest.param(read(path.read_bytes(), path.name).data, id=f"{path.parent.name}-{path.stem}")


@pytest.mark.parametrize("data", list(documents()))
def test_the_published_schema_says_the_same(data: dict[str, Any]) -> None:
    ours = sorted(map(as_text, validator().iter_errors(data)))
    assert ours == sorted(map(as_text, PUBLISHED.iter_errors(data)))


def as_text(error: ValidationError) -> str:
    return f"{list(error.absolute_path)} {error.validator} {error.instance!r}"


def test_context_keys_are_those_of_the_context() -> None:
    patterns = {STEP[name]["items"]["pattern"] for name in ("reads", "writes")}
    assert patterns == {f"^{KEY.pattern}$"}


@pytest.mark.parametrize(
    "text",
    [
        "${a_v1}",
        "${a.b_v1.c@leaf1}",
        "${a_v1@${item}}",
        "${params.x.0}",
        "${item}",
        "${a b}",
        "${a_v1} x",
        "{{ a }}",
        "${${a}}",
    ],
)
def test_whole_references_are_those_of_the_executor(text: str) -> None:
    accepted = bool(re.fullmatch(STEP["loop"]["pattern"], text))
    assert accepted == (text.startswith("{{") or bool(REFERENCE.fullmatch(text)))


def test_parameters_have_the_types_that_are_read() -> None:
    assert TOP["params"]["additionalProperties"]["properties"]["type"]["enum"] == [*KINDS] == [*READERS] == [*FITS]


def test_the_rules_know_the_schema_s_fields() -> None:
    assert {*REFERENCE_FIELDS} <= STEP.keys()
    assert RULES_BY_FIELD.keys() <= STEP.keys()
    assert {*TOP_LEVEL_ONLY} <= TOP.keys()
    assert list_fields() == ("depends_on", "reads", "writes", "tags", "locks")


def test_steps_of_includes_have_names_as_long_as_others() -> None:
    for length, is_valid in ((MAX_NAME_LENGTH, True), (MAX_NAME_LENGTH + 1, False)):
        assert bool(re.fullmatch(STEP["name"]["pattern"], "a" * length)) is is_valid


def test_synonyms_lead_to_keys_that_exist() -> None:
    assert SYNONYMS.keys() <= {name for _name, mapping in ALL for name in mapping["properties"]}


@pytest.mark.parametrize("key", SYNONYMS)
def test_a_synonym_is_listed_only_where_spelling_does_not_lead_to_the_key(key: str) -> None:
    """Keys of ours are exempt: in a mapping without them the table goes before the place where they belong."""
    ours = {name for _name, mapping in ALL for name in mapping["properties"]}
    homes = [tuple(mapping["properties"]) for _name, mapping in ALL if key in mapping["properties"]]
    found = [word for word in SYNONYMS[key] if word not in ours and {closest(word, home) for home in homes} == {key}]
    assert found == []


@pytest.mark.parametrize("word", ["includes", "include_tasks", "import_tasks", "import_playbook"])
def test_a_step_that_was_meant_as_an_include(word: str) -> None:
    with pytest.raises(RecipeErrors) as caught:
        parse(f"{META}steps:\n- {{name: a, {word}: other.yml}}\n".encode(), "a.yml")
    assert [error.near for error in caught.value.errors] == ["include"]


def test_a_hundred_errors_at_most_and_soon() -> None:
    steps = "".join(f"- {{name: a{n}, module: b, key_{n}: 1, depends_on: [z{n}]}}\n" for n in range(3000))
    started = time.process_time()
    with pytest.raises(RecipeErrors) as caught:
        parse(f"{META}steps:\n{steps}".encode(), "a.yml")
    assert len(caught.value.errors) == MAX_ERRORS
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
