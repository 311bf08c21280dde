# SPDX-License-Identifier: GPL-3.0-or-later

"""What a class does in a sandbox: all that it could do elsewhere, but for what is kept out."""

import socket
from pathlib import Path

from scriptlets.s.shared_constant import WORD

from rack_recipes import Scriptlet


class Inside(Scriptlet):
    """Reads, sets, measures, checks, attaches, and tells what it could do besides."""

    options = {
        "outside": {"type": "path", "required": True},
        "allowed": {"type": "path", "required": True},
        "port": {"type": "int", "required": True},
        "word": {"type": "str", "no_log": True},
    }
    reads = ("s.strict_v1",)
    writes = ("s.inside_v1",)

    def validate(self, ctx, params):
        if params["port"] < 1:
            raise ValueError("a port is above 0")

    def run(self, ctx, params):
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        capable = [line for line in status if line.startswith("Cap") and "Bnd" not in line and int(line[7:], 16)]
        told = {
            "write outside": _can(Path(params["outside"], "class").touch),
            "write allowed": _can(Path(params["allowed"], "class").touch),
            "have capabilities": bool(capable),
            "connect": _can(lambda: socket.create_connection(("127.0.0.1", params["port"]), 5).close()),
        }
        ctx.secret("registered-by-the-class")
        ctx.set("s.inside_v1", {**told, "read": ctx.get("s.strict_v1") is not None, "word": WORD})
        ctx.measure("entries of /tmp", len([*Path("/tmp").iterdir()]), "files")
        ctx.check("load", 3, max=5)
        ctx.attach("log.txt", f"{params['word']} and registered-by-the-class".encode())
        print(params["word"], "registered-by-the-class")


def _can(does):
    try:
        does()
    except OSError:
        return False
    return True
