# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.stage.text import packed, unpacked

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


@pytest.mark.parametrize("text", ["", "{", "3", '{"name": "a"}'])
def test_what_is_no_text_of_ours_stays(text: str):
    assert unpacked([text, PLAIN]) == [text, PLAIN]
