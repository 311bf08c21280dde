# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether each name server of a host knows names, with the right addresses, and how fast."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.dns_query import ask, encoded


class HostNames(Scriptlet):
    """Whether each name server of a host knows names, with the right addresses, and how fast.

    Each server is asked by itself, since a resolver hides a dead one behind the next.
    """

    options = {
        "names": {
            "type": "dict",
            "required": True,
            "description": "NAME -> the addresses that it must have; an empty list takes any",
        },
        "servers": {
            "type": "list",
            "elements": "str",
            "description": "The servers that are asked; by default those of the host's resolv.conf",
        },
        "port": {
            "type": "int",
            "default": 53,
            "description": "The port of the servers",
            "unit": "UDP port",
        },
        "kind": {
            "type": "str",
            "default": "A",
            "choices": ["A", "AAAA"],
            "description": "IPv4 addresses (A), or IPv6 (AAAA)",
        },
        "timeout": {
            "type": "float",
            "default": 2,
            "description": "How long a server may be silent; it is asked twice",
            "unit": "s",
        },
        "max_ms": {
            "type": "float",
            "default": 500,
            "description": "How long an answer may take",
            "unit": "ms",
            "source": "our choice: resolvers wait seconds, people notice half of one",
        },
        "resolv_conf": {
            "type": "path",
            "default": "/etc/resolv.conf",
            "description": "The resolver's configuration; another one for tests",
        },
    }
    reads = ()
    writes = {"host.names_v1": "A list with server, name, and addresses and ms (ms), or the `problem`"}
    needs = ()
    verdicts = {
        "failed": "a server does not answer, knows a name not, with other addresses, or is too slow",
        "error": "resolv.conf cannot be read",
    }
    example = """
        - name: names
          module: host.names
          args:
            names: {ntp.lab.example: [], node1.lab.example: [192.0.2.11]}
    """

    def validate(self, ctx, params):
        for name in params["names"]:
            encoded(name)

    def run(self, ctx, params):
        servers = params["servers"] or configured(Path(params["resolv_conf"]).read_text(encoding="utf-8"))
        if not servers:
            raise Failed(f"{params['resolv_conf']} names no server: add a line `nameserver ADDRESS`")
        asked = [(server, name) for server in servers for name in params["names"]]
        found = [{"server": server, "name": name, **answer(server, name, params)} for server, name in asked]
        ctx.set("host.names_v1", found)
        wrong = [said for each in found for said in _judge(ctx, each, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def configured(text):
    """The servers in the text of a resolv.conf."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def answer(server, name, params):
    """`addresses` and `ms` of the answer, or what is wrong as `problem`."""
    said = ""
    for _try in range(2):
        try:
            addresses, ms = ask(server, params["port"], name, params["kind"], params["timeout"])
        except ValueError as error:
            said = str(error)
        else:
            return {"addresses": addresses, "ms": ms}
    return {"problem": said}


def _judge(ctx, found, params):
    """Judge one answer; yields what is wrong with it."""
    where = f"{found['name']}@{found['server']}"
    told = found.get("problem", "answered")
    if ctx.check(f"answer.{where}", told, eq="answered") == "failed":
        yield f"{found['server']} {told} (asked for {found['name']}): look at this name server, or take it out"
        return
    expected = sorted(map(str, params["names"][found["name"]] or ())) or found["addresses"]
    shown = ", ".join(found["addresses"]) or "no address"
    if ctx.check(f"addresses.{where}", shown, eq=", ".join(expected) or "an address") == "failed":
        yield f"{found['server']} gives {shown} for {found['name']}, expected {', '.join(expected) or 'an address'}"
    if ctx.check(f"ms.{where}", found["ms"], "ms", max=params["max_ms"]) == "failed":
        yield f"{found['server']} takes {found['ms']:g} ms for {found['name']}: look at its load and its forwarders"
