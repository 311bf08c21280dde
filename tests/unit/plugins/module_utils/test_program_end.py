# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words, signal_name
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@table("code", "words")
def test_the_end_in_words(code, words):
    assert end_in_words(code) == words


def test_the_name_of_a_signal():
    assert [signal_name(number) for number in (15, 40)] == ["SIGTERM", "signal 40"]
