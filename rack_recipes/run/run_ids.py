# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ids of runs. The command chooses a run's id and hands it to the recorder."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import time

RUN_ID = "RACK_RECIPES_RUN_ID"  # a variable in the environment of Ansible
MADE = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")  # what `new_run_id` makes
STARTED_BY = "RACK_RECIPES_STARTED_BY"  # another one: who started the run through a page


def new_run_id() -> str:
    """A unique id that sorts by time, to the second; `journals` orders the runs of one second."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(3)


def chosen_run_id() -> str:
    """The id that the command chose for the run of this process, or a new one."""
    return os.environ.pop(RUN_ID, "") or new_run_id()  # a step that starts a run must not pass this id on


def started_by() -> str:
    """Who started the run of this process, for its record."""
    return os.environ.pop(STARTED_BY, "") or getpass.getuser()
