# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
import time

from ansible_collections.rack.recipes.plugins.plugin_utils.run.flush_signal import pass_on

TAKES = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda number, frame: sys.exit(7))
print("ready", flush=True)
time.sleep(60)
"""


def start(program: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    return child


def test_it_reaches_a_process_that_takes_it():
    with start(TAKES) as child:
        pass_on(child)
        assert child.wait(20) == 7


def test_it_spares_a_process_that_does_not():
    with start("print('ready', flush=True); input()") as child:
        pass_on(child)
        time.sleep(0.1)
        assert child.poll() is None
        child.communicate(b"\n")
    assert child.returncode == 0


def test_a_process_that_has_ended_is_left_alone():
    with start("print('ready', flush=True)") as child:
        child.wait(20)
    pass_on(child)
