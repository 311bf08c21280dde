# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a recipe as data and back; each field of a step is known to all who have to know it."""

from __future__ import annotations

import json
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from rack_recipes.errors import Place, UsageError
from rack_recipes.recipe.recipe_model import (
    CacheKey,
    Dependency,
    Hook,
    Isolate,
    Limits,
    Lock,
    Members,
    Param,
    Repeat,
    ResultPart,
    Retry,
    Sandbox,
    Serve,
    Step,
    Success,
)
from rack_recipes.recipe.steps_to_and_from_data import (
    COMPILED_FIELDS,
    PARAM_LIMITS,
    check_hook,
    check_step,
    from_data,
    param_from_data,
    param_to_data,
    to_data,
)
from rack_recipes.run.host.host_request import NOT_SENT

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = json.loads((ROOT / "rack_recipes/recipe/schema/recipe.schema.json").read_bytes())
PLACE = Place("recipe.yml", 3, 5)
NAMES = [field.name for field in fields(Step)]

texts = st.text("abc ${}._", min_size=1, max_size=8)
names = st.lists(texts, max_size=3, unique=True).map(tuple)
numbers = st.floats(0, 1e6) | st.integers(0, 100).map(float)
wholes = st.integers(0, 100)
conditions = st.lists(st.fixed_dictionaries({"value": texts, "min": wholes}), max_size=2).map(tuple)
maybe = st.none
items = st.lists(wholes | texts, max_size=3).map(tuple) | texts
DEPENDENCIES = st.builds(
    Dependency, texts, st.just("") | texts.filter(lambda text: text != "same"), maybe() | wholes | st.just("80%")
)
MEMBERS = st.one_of(
    *(
        st.builds(Members, st.sampled_from(rules), at_once=maybe() | wholes, **fields)
        for rules, fields in (
            (("all", "neighbours"), {}),
            (("within", "across", "by"), {"by": texts}),
            (("random",), {"seed": wholes, "rounds": wholes}),
            (("size",), {"size": wholes}),
        )
    )
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "idx": wholes,
    "name": texts,
    "type": st.sampled_from(("python", "shell", "native", "ansible")),
    "module": texts,
    "place": st.just(PLACE),
    "function": texts,
    "envelope": st.sampled_from(("", "none")),
    "args": st.dictionaries(texts, wholes | texts | numbers),
    "hosts": maybe() | texts,
    "scope": st.sampled_from(("host", "run")),
    "depends_on": st.lists(DEPENDENCIES, max_size=3).map(tuple),
    "reads": names,
    "writes": st.lists(
        st.builds(ResultPart, texts, st.just("") | texts, st.sampled_from(("", "json")))
        | st.builds(ResultPart, texts, pattern=texts, optional=st.booleans(), type=st.sampled_from(("", "int"))),
        unique_by=attrgetter("key"),
        max_size=3,
    ).map(tuple),
    "when": st.booleans() | texts | conditions,
    "loop": maybe() | items,
    "matrix": st.dictionaries(texts, items),
    "retry": st.builds(
        Retry, maybe() | wholes, numbers, numbers, maybe() | numbers, names, conditions, maybe() | numbers
    ).filter(lambda retry: retry.max is not None or retry.deadline_sec is not None),
    "repeat": maybe() | st.builds(Repeat, maybe() | wholes, maybe() | numbers, conditions, numbers),
    "timeout": maybe() | numbers,
    **dict.fromkeys(("parallel", "continue_on_fail", "always"), st.booleans()),
    "priority": wholes,
    **dict.fromkeys(("tags", "locks"), names),
    "limits": st.builds(Limits, maybe() | numbers, *[maybe() | wholes] * 4),
    "sandbox": maybe() | st.builds(Sandbox, st.booleans(), names),
    "become": st.just("") | texts,
    "delegate_to": st.just("") | texts,
    "success": st.builds(Success, names, conditions) | st.just(Success(none=True)),
    "cache_key": maybe() | st.builds(CacheKey, texts, maybe() | numbers),
    "members": st.just(Members()) | MEMBERS,
    "isolate": maybe() | st.builds(Isolate, texts),
    "serve": maybe()
    | st.builds(
        Serve, texts, st.sampled_from(("python", "shell")), texts, st.dictionaries(texts, wholes), maybe() | wholes
    ),
}


def as_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


OF_PLAN = ("place", "after", "skip", "entry", "keys")  # fields of a step that no recipe has


def test_a_step_of_any_kind_is_made_here():
    assert {*FIELDS, *OF_PLAN} - {"place"} == set(NAMES) - {"place"}


@given(st.builds(Step, **FIELDS))
def test_a_step_comes_back_from_its_data(step: Step):
    data = as_json(to_data(step))
    assert from_data(Step, data, place=PLACE) == step
    check_step({name: value for name, value in data.items() if name not in ("become", "delegate_to")})


@given(DEPENDENCIES)
def test_a_dependency_comes_back_from_its_data(dependency: Dependency):
    assert from_data(Dependency, as_json(to_data(dependency))) == dependency


@given(
    st.builds(
        Param,
        texts,
        st.sampled_from(("str", "int", "dict")),
        maybe() | wholes | texts,
        st.just(False),
        st.booleans(),
        texts,
        st.dictionaries(st.sampled_from(PARAM_LIMITS), wholes),
        st.dictionaries(texts, st.fixed_dictionaries({"min": wholes})),
    )
    | st.builds(Param, texts, secret=st.booleans())
)
def test_a_parameter_comes_back_from_its_data(param: Param):
    assert param_from_data(param.name, as_json(param_to_data(param))) == param


@pytest.mark.parametrize(
    "hook", [Hook("m", PLACE), Hook("m", PLACE, "shell", "f", {"x": 1}), Hook("m", PLACE, args={"x": []})]
)
def test_a_hook_comes_back_from_its_data(hook: Hook):
    assert from_data(Hook, as_json(to_data(hook)), place=PLACE) == hook


@pytest.mark.parametrize("lock", [Lock("a"), Lock("a", 3, "host", 1.5)])
def test_a_lock_comes_back_from_its_data(lock: Lock):
    assert from_data(Lock, as_json(to_data(lock)), name="a") == lock


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_has_each_field_of_a_step(name: str):
    assert name in OF_PLAN or name in SCHEMA["$defs"]["step"]["properties"]


@pytest.mark.parametrize("name", sorted(COMPILED_FIELDS))
def test_the_executor_knows_each_field_of_a_step_that_is_sent(name: str):
    belongs = "OF_STEP of module_utils/executor/stage_run.py, or NOT_SENT of run/host/host_request.py"
    assert (name in NOT_SENT) != (name in stage_run.OF_STEP), f"one of both: {belongs}"


@pytest.mark.parametrize("name", sorted({*SCHEMA["$defs"]["step"]["properties"], *NOT_SENT}))
def test_a_step_has_each_field_of_the_schema_and_of_what_is_not_sent(name: str):
    assert name in COMPILED_FIELDS | {field.name for field in fields(Step)}, "recipe/recipe_model.py, Step"


STEP = {"name": "a", "module": "m"}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"retrys": 1}, "step 'a': expected a known field, got 'retrys' (did you mean 'retry'?)"),
        ({"become": "x"}, "step 'a': expected a known field, got 'become' (there are after, always, "),
        (
            {"retry": {"max": 2, "delay": 1}},
            "step 'a', retry: expected a known field, got 'delay' (did you mean 'delay_sec'?)",
        ),
        (
            {"depends_on": ["b", {"step": "c", "host": "all"}]},
            "step 'a', depends_on: expected a known field, got 'host' (did you mean 'hosts'?)",
        ),
        ({"limits": {"cpu": 1}}, "step 'a', limits: expected a known field, got 'cpu' (did you mean 'cpu_sec'?)"),
    ],
)
def test_a_field_that_no_step_has_is_refused(more: dict[str, Any], text: str):
    with pytest.raises(UsageError) as caught:
        check_step({**STEP, **more})
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("more", [{}, {"retry": "{{ x }}", "success": "none", "sandbox": True, "cache_key": "k"}])
def test_short_forms_and_templates_have_no_fields(more: dict[str, Any]):
    check_step({**STEP, **more})


def test_a_field_that_no_hook_has_is_refused():
    check_hook({"module": "m", "args": {}})
    with pytest.raises(UsageError) as caught:
        check_hook({"module": "m", "arg": {}})
    assert str(caught.value) == "hook 'm': expected a known field, got 'arg' (did you mean 'args'?)"


def test_a_word_that_no_parameter_has_is_refused():
    with pytest.raises(UsageError) as caught:
        param_from_data("x", {"type": "int", "maximum": 3})
    assert str(caught.value) == "parameter 'x': expected a known field, got 'maximum' (did you mean 'max'?)"


@pytest.mark.parametrize(
    ("data", "dependency", "label"),
    [
        ("wire", Dependency("wire"), "wire"),
        ({"step": "wire"}, Dependency("wire"), "wire"),
        ({"step": "wire", "hosts": "same"}, Dependency("wire"), "wire"),
        ({"step": "wire", "hosts": "all"}, Dependency("wire", "all"), "wire on all hosts"),
        ({"step": "wire", "hosts": "leafs"}, Dependency("wire", "leafs"), "wire on leafs"),
        (
            {"step": "wire", "hosts": "all", "quorum": "80%"},
            Dependency("wire", "all", "80%"),
            "wire on 80% of all hosts",
        ),
        ({"step": "wire", "quorum": 3}, Dependency("wire", "", 3), "wire on 3 of all hosts"),
        ({"step": "wire", "hosts": "leafs", "quorum": 3}, Dependency("wire", "leafs", 3), "wire on 3 of leafs"),
    ],
)
def test_a_dependency_and_its_label(data: Any, dependency: Dependency, label: str):
    assert from_data(Dependency, data) == dependency
    assert from_data(Dependency, data).label == label
