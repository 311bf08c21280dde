# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the command and the recorder, two processes, both know: how a run is named, how a refusal begins."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

RUN_ID = "RACK_RECIPES_RUN_ID"  # set by the command, which has to find its run afterwards
ROOT = str(Path(__file__).parents[6])  # the folder in which this collection can be imported
NOT_IN_STORE = "the results are not in the store"
REFUSED = "rack.recipes.recorder: nothing is run: "


def new_run_id() -> str:
    """A name that meets no other and sorts by time, to the second: `journals` tells those of one second apart."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(3)


def chosen_run_id() -> str:
    """The name that the command chose for the run, or a new one."""
    return os.environ.pop(RUN_ID, "") or new_run_id()  # no run that a step may start is this one
