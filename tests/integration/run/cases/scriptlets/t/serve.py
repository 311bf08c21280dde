# SPDX-License-Identifier: GPL-3.0-or-later

"""A server of one line for each connection."""

import socket
import subprocess

from rack_recipes import Scriptlet


class Serve(Scriptlet):
    """Answers each connection with its name, and holds a process that must not be left behind."""

    options = {
        "name": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "dying": {"type": "list", "elements": "str", "default": []},
    }
    reads = ()
    writes = ()

    def run(self, ctx, params):
        if params["name"] in params["dying"]:
            raise ValueError("no card to serve with")
        subprocess.Popen(["sleep", "4322"])
        with socket.create_server(("", params["port"])) as server:
            while True:
                link = server.accept()[0]
                link.sendall(params["name"].encode())
                link.close()
