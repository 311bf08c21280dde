# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words, signal_name


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (3, "ended with exit code 3"),
        (128, "ended with exit code 128"),
        (139, "ended with exit code 139 (SIGSEGV)"),
        (255, "ended with exit code 255"),
        (-11, "was killed by SIGSEGV"),
        (-40, "was killed by signal 40"),
    ],
)
def test_the_end_in_words(code, words):
    assert end_in_words(code) == words


def test_the_name_of_a_signal():
    assert [signal_name(number) for number in (15, 40)] == ["SIGTERM", "signal 40"]
