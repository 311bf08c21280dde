# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.author_traceback import OURS, traceback_of


def function(module, name, text):
    """A function of a module with this name, whose file is called after it."""
    space = {"__name__": module}
    exec(compile(text, f"{module}.py", "exec"), space)
    return space[name]


OUR_CALL = function(OURS[0] + "x", "call", "def call(run):\n    return run()\n")
OUR_RAISE = function("rack_recipes.y", "check", "def check():\n    raise ValueError('no')\n")
AUTHOR = function("scriptlets.a", "run", "def run():\n    {}['n']\n")
CHAINED = """
def run(call, check):
    try:
        call(check)
    except ValueError as error:
        raise OSError("x") from error
"""


def caught(run):
    with pytest.raises(Exception) as error:
        OUR_CALL(run)
    return error.value.with_traceback(error.value.__traceback__.tb_next)  # without this test's own frame


def test_frames_of_ours_are_counted_and_left_out():
    lines = traceback_of(caught(AUTHOR)).splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", '  File "scriptlets.a.py", line 2, in run']
    assert lines[-2:] == ["  1 frame of rack.recipes", "KeyError: 'n'"]


def test_with_debug_they_follow():
    told = traceback_of(caught(AUTHOR), is_debug=True)
    head, _between, rest = told.partition("KeyError: 'n'\n1 frame of rack.recipes:\n")
    assert "scriptlets.a.py" in head
    assert rest == f'  File "{OURS[0]}x.py", line 2, in call\n'


def test_where_all_frames_are_ours_nothing_is_left_out():
    told = traceback_of(caught(OUR_RAISE))
    assert [name in told for name in (f"{OURS[0]}x.py", "rack_recipes.y.py", "frame of")] == [True, True, False]


def test_those_of_a_cause_are_left_out_too():
    run = function("scriptlets.b", "run", CHAINED)
    told = traceback_of(caught(lambda: run(OUR_CALL, OUR_RAISE)))
    assert [name in told for name in ("rack_recipes.y.py", f"{OURS[0]}x.py", "scriptlets.b.py")] == [False, False, True]
    assert "ValueError: no\n\nThe above exception was the direct cause" in told
    assert told.endswith("  3 frames of rack.recipes\nOSError: x\n")
