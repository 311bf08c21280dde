# SPDX-License-Identifier: GPL-3.0-or-later

"""Uses something of which there is one for all hosts."""

import fcntl
import time
from pathlib import Path

from rack_recipes import Failed, Scriptlet


class Alone(Scriptlet):
    """Fails where another host uses it at the same time. It waits while there is a file `hang-HOST`."""

    options = {"folder": {"type": "path", "required": True}, "host": {"type": "str", "required": True}}
    writes = ("alone.used_v1",)

    def run(self, ctx, params):
        folder = Path(params["folder"])
        with (folder / "tester").open("a") as tester:
            try:
                fcntl.flock(tester, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failed("another host uses it") from None
            (folder / f"used-by-{params['host']}").touch()
            time.sleep(0.2)
            while (folder / f"hang-{params['host']}").exists():
                time.sleep(0.1)
        ctx.set("alone.used_v1", True)
