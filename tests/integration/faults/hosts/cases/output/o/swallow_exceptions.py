# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that does not let itself be stopped."""

import contextlib
import os
import time

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Stubborn(Scriptlet):
    """Swallows whatever is raised, in a process that has left its parent and its session."""

    def run(self, ctx, params):
        if not os.fork():
            os.setsid()
            if not os.fork():
                os.execvp("sleep", ["sleep", "4323"])
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(60)
