# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from rack_recipes.cli import signals_and_streams

PROGRAM = f"""
import os, signal
from {signals_and_streams.__name__} import end_at_once, raise_keyboard_interrupt
class Loses:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
end_at_once()
{{then}}
"""
RAISES = """
raise_keyboard_interrupt()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    raise SystemExit(7)
"""


def ended(then: str, **options: Any) -> int:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", PROGRAM.format(then=then)], env=env, check=False, **options).returncode


@pytest.mark.parametrize(("then", "code"), [("Loses()", -signal.SIGINT), (RAISES, 7)])
def test_what_an_interrupt_does(then: str, code: int):
    assert ended(then) == code


@pytest.mark.parametrize("then", ["Loses()", "raise_keyboard_interrupt(); os.kill(os.getpid(), signal.SIGINT)"])
def test_one_that_is_ignored_stays_so(then: str):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert ended(then) == 0
    finally:
        signal.signal(signal.SIGINT, before)
