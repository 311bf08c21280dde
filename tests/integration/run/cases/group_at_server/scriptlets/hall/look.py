# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at a host of the hall."""

import time
from pathlib import Path

from rack_recipes import Failed, Scriptlet


class Look(Scriptlet):
    """Sets what it has seen. It fails where there is a file `bad-HOST`, and waits while there is one `hang-HOST`."""

    options = {
        "folder": {"type": "path", "required": True},
        "host": {"type": "str", "required": True},
        "value": {"type": "int", "required": True},
    }
    writes = ("look.value_v1",)

    def run(self, ctx, params):
        folder = Path(params["folder"])
        while (folder / f"hang-{params['host']}").exists():
            time.sleep(0.1)
        if (folder / f"bad-{params['host']}").exists():
            raise Failed("it is bad")
        ctx.set("look.value_v1", params["value"])
