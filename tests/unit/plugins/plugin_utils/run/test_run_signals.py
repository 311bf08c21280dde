# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pty
import time

from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_signals import leave_dead_terminal


def test_to_a_terminal_that_is_gone_nothing_is_written():
    """In a process of its own, whose output is that terminal."""
    ours, theirs = pty.openpty()
    pid = os.fork()
    if not pid:
        os.close(ours)
        os.dup2(theirs, 1)
        os.dup2(theirs, 2)
        try:
            leave_dead_terminal()
            assert os.isatty(1)
            os.write(1, b"ready")
            while os.isatty(1):
                time.sleep(0.01)
            leave_dead_terminal()
            os.write(1, b"x")
            os.write(2, b"x")
            os._exit(0)
        finally:
            os._exit(1)
    os.close(theirs)
    assert os.read(ours, 100) == b"ready"
    os.close(ours)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
