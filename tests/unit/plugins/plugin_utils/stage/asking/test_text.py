# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.template import is_trusted_as_template, trust_as_template

from ansible_collections.rack.recipes.plugins.module_utils.language.references import FOREIGN
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.asking.text import marked, packed, unmarked, unpacked

PLAIN = {"name": "a", "module": "m", "args": {"x": [1, 2.5, None, "ü", "${k_v1}"]}}
TEMPLATES = [{"name": "b", "args": {"x": text}} for text in ("{{ x }}", "{% if x %}", "{# x #}")]


@pytest.mark.parametrize(
    ("steps", "texts"),
    [
        ([PLAIN], [True]),
        ([PLAIN, PLAIN], [True]),
        (TEMPLATES, [False, False, False]),
        ([PLAIN, TEMPLATES[0], PLAIN, PLAIN], [True, False, True]),
        ([{**PLAIN, "type": "ansible"}], [False]),
        ([], []),
    ],
)
def test_steps_without_templates_become_text_and_come_back(steps: list[Any], texts: list[bool]):
    found = packed(steps)
    assert [isinstance(each, str) for each in found] == texts
    assert unpacked(found) == steps


@pytest.mark.parametrize(
    ("said", "filled", "found"),
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
def test_what_a_template_brings_in_is_no_reference(said: str, filled: Callable[[str], Any], found: Any):
    """It may be a host's text: only what the recipe's author wrote refers to anything."""
    (step,) = packed([{"name": "a", "args": {"x": said, "always": "{{ a template }}"}}])
    assert not isinstance(step, str)
    args = {**step["args"], "x": filled(step["args"]["x"])}
    assert unpacked([{**step, "args": args}]) == [{"name": "a", "args": {**args, "x": found}}]
    assert unmarked(filled(marked(said))) == found


def test_ansible_still_takes_a_template_for_one():
    text = trust_as_template("{{ x }} ${t.a_v1}")
    (step,) = packed([{"name": "a", "type": "ansible", "args": {"x": text}}])
    assert not isinstance(step, str)
    assert is_trusted_as_template(step["args"]["x"])
    (back,) = unpacked([step])
    assert (back["args"]["x"], is_trusted_as_template(back["args"]["x"])) == (text, True)
    (plain,) = unpacked(packed([{"name": "a", "type": "ansible", "args": {"x": "{{ x }} ${t.a_v1}"}}]))
    assert not is_trusted_as_template(plain["args"]["x"])


@pytest.mark.parametrize("text", ["", "{", "3", '{"name": "a"}'])
def test_what_is_no_text_of_ours_stays(text: str):
    assert unpacked([text, PLAIN]) == [text, PLAIN]
