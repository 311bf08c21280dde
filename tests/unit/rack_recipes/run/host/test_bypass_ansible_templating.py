# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.template import is_trusted_as_template, trust_as_template

from ansible_collections.rack.recipes.plugins.module_utils.language.references import FOREIGN
from rack_recipes.run.host.bypass_ansible_templating import fill_in, mark, pack_steps, unmark, unpack_steps

PLAIN = {"name": "a", "module": "m", "args": {"x": [1, 2.5, None, "ü", "${k_v1}"]}}
TEMPLATES = [{"name": "b", "args": {"x": text}} for text in ("{{ x }}", "{% if x %}", "{# x #}")]


@pytest.mark.parametrize(
    ("steps", "number"),
    [
        ([PLAIN], 1),
        ([PLAIN, PLAIN], 1),
        (TEMPLATES, 3),
        ([PLAIN, TEMPLATES[0], PLAIN, PLAIN], 3),
        ([{**PLAIN, "type": "ansible"}], 1),
        ([], 0),
    ],
)
def test_steps_become_text_that_ansible_leaves_alone_and_come_back(steps: list[Any], number: int):
    for _batch in range(2):
        found = pack_steps(steps)
        assert len(found) == number
        assert not any(isinstance(each, dict) or opening in each for each in found for opening in ("{{", "{%", "{#"))
        steps = unpack_steps(found)
    assert unpack_steps(pack_steps(steps)) == steps


def fill(step: dict[str, Any], change: Callable[[str], Any] = lambda text: text) -> Any:
    """The step as a worker sees it; `change` is what Ansible does to each text."""

    def template(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: template(item) for name, item in value.items()}
        if isinstance(value, list):
            return [*map(template, value)]
        return change(value) if isinstance(value, str) else value

    (found,) = unpack_steps(pack_steps([step]))
    return fill_in(found, template)


@pytest.mark.parametrize(
    ("said", "change", "found"),
    [
        ("${t.a_v1}", lambda text: text, "${t.a_v1}"),
        ("{{ x }}", lambda _text: "${params.word}", f"{FOREIGN}params.word}}"),
        ("${t.a_v1} {{ x }}", lambda text: text.replace("{{ x }}", "${t.b_v1}"), f"${{t.a_v1}} {FOREIGN}t.b_v1}}"),
        ("${t.a_v1@{{ x }}}", lambda text: text.replace("{{ x }}", "leaf1"), "${t.a_v1@leaf1}"),
        ("${{ x }}", lambda text: text.replace("{{ x }}", "{params.word}"), f"{FOREIGN}params.word}}"),
        ("${HOME} {{ x }}", lambda text: text.replace("{{ x }}", "y"), "${HOME} y"),
        ("{{ '${t.a_v1}' }}", lambda text: text[4:-4], "${t.a_v1}"),
        (
            "{{ x }}",
            lambda _text: ["${t.a_v1}", {"y": "${t.b_v1}"}, 3],
            [f"{FOREIGN}t.a_v1}}", {"y": f"{FOREIGN}t.b_v1}}"}, 3],
        ),
    ],
)
def test_what_a_template_brings_in_is_no_reference(said: str, change: Callable[[str], Any], found: Any):
    """It may be a host's text: only what the recipe's author wrote refers to anything."""
    step = fill({"name": "a", "args": {"x": said, "y": "{{ y }}"}}, lambda text: change(text) if text != "a" else text)
    assert step["args"]["x"] == found
    assert unmark(change(mark(said))) == found


def test_ansible_still_takes_a_template_for_one():
    trusted: list[bool] = []
    text = trust_as_template("{{ x }} ${t.a_v1}")
    fill(
        {"name": "a", "type": "ansible", "args": {"x": text}}, lambda each: trusted.append(is_trusted_as_template(each))
    )
    fill(
        {"name": "a", "type": "ansible", "args": {"x": "{{ x }}"}},
        lambda each: trusted.append(is_trusted_as_template(each)),
    )
    assert trusted == [False, False, True, False, False, False]


def test_a_step_without_a_template_is_what_it_was():
    assert fill(PLAIN, lambda _text: "changed") == PLAIN


STEP = {
    "name": "a",
    "module": "m",
    "always": True,
    "depends_on": ["b"],
    "args": {"x": "{{ x }}", "y": 1},
    "loop": "{{ y }}",
}
REST = {"name": "a", "module": "m", "always": True, "depends_on": ["b"]}


def undefined(text: str) -> str:
    if "{{" in text:
        raise AnsibleError(f"{text} is undefined")
    return text


@pytest.mark.parametrize(
    ("step", "invalid"),
    [
        (STEP, "loop: {{ y }} is undefined"),
        ({**STEP, "loop": None}, "args.x: {{ x }} is undefined"),
        ({**STEP, "when": "{{ z }}"}, "when: {{ z }} is undefined"),
        ({**STEP, "when": [{"value": "{{ z }}", "eq": 1}], "loop": None}, "when: {{ z }} is undefined"),
    ],
)
def test_what_cannot_be_filled_in_is_the_reason_of_its_step(step: dict[str, Any], invalid: str):
    assert fill(step, undefined) == {**REST, "invalid": invalid}


@pytest.mark.parametrize(
    ("text", "why", "advice"),
    [
        ("{{ cables }}", "'cables' is undefined", "'cables' is undefined: the inventory or -e gives cables a value"),
        (
            "{{ groups['leaves'] }}",
            "object of type 'dict' has no attribute 'leaves'",
            ": the inventory has no group leaves",
        ),
        (
            "{{ groups.leaves[0] }}",
            "object of type 'dict' has no attribute 'leaves'",
            ": the inventory has no group leaves",
        ),
        ("{{ site.leaves }}", "object of type 'dict' has no attribute 'leaves'", "has no attribute 'leaves'"),
    ],
)
def test_what_nobody_has_set_is_told_with_what_to_do(text: str, why: str, advice: str):
    def fail(value: str) -> str:
        if "{{" in value:
            raise AnsibleError(why)
        return value

    found = fill({**STEP, "args": {"x": text}, "loop": None}, fail)
    assert found["invalid"].endswith(advice)


def test_the_conditions_of_a_step_that_cannot_be_filled_in_stay():
    """One that does not hold skips the step: what it lacks may be the very reason."""
    when = [{"value": "${t.x_v1}", "eq": "tested"}]
    found = fill({**STEP, "loop": None, "when": when}, undefined)
    assert found == {**REST, "when": when, "invalid": "args.x: {{ x }} is undefined"}


@pytest.mark.parametrize("said", ["false", "No ", False])
def test_of_a_step_that_is_not_wanted_nothing_is_filled_in(said: Any):
    def change(text: str) -> Any:
        return said if text == "{{ said }}" else undefined(text)

    text = "{{ said }}"
    assert fill({**STEP, "when": text if isinstance(said, str) else said}, change) == {
        **REST,
        "when": {"unmet": text} if isinstance(said, str) else False,
    }


@pytest.mark.parametrize("said", ["", "maybe", 0, 1, [], [1], {}, {"value": 1, "eq": 2}, None])
def test_a_template_for_when_is_true_or_false(said: Any):
    """Conditions of the recipe's own are written there, and come out of no template."""
    found = fill({**STEP, "when": "{{ said }}"}, lambda _text: said)
    assert found == {**REST, "invalid": f"when: expected true or false, got {said!r}"}


@pytest.mark.parametrize("text", ["", "{", "3", '{"name": "a"}'])
def test_what_is_no_text_of_ours_stays(text: str):
    assert unpack_steps([text, PLAIN]) == [text, PLAIN]
