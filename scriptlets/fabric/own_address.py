# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether nobody else has an address of this host."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run


class OwnAddress(Scriptlet):
    """Whether nobody else has an address of this host (RFC 5227)."""

    options = {
        "address": {
            "type": "str",
            "required": True,
            "description": "The address of this host",
        },
        "port": {
            "type": "str",
            "required": True,
            "description": "The port that has it",
        },
        "count": {
            "type": "int",
            "default": 2,
            "description": "How often is asked",
            "unit": "requests",
        },
    }
    reads = ()
    writes = {"fabric.address_v1": "`address`, and the MAC addresses of `others` that have it"}
    needs = (
        "root",
        "arping (Debian: iputils-arping)",
    )
    verdicts = {
        "failed": "another one has this address, too",
        "error": "arping is not there, or the port is not",
    }
    example = """
        - name: own_address
          module: fabric.own_address
          become: true
          args: {address: 10.1.1.11, port: eth1}
    """

    def run(self, ctx, params):
        words = ("arping", "-D", "-I", params["port"], "-c", str(params["count"]), params["address"])
        answers = owners(run(words, exit_codes=(0, 1)))
        ctx.set("fabric.address_v1", {"address": params["address"], "others": answers})
        if ctx.check("others", len(answers), "hosts", max=0) == "failed":
            raise Failed(f"{params['address']} is also that of {', '.join(answers)}: give one of them another address")


def owners(text):
    """The hardware addresses that have answered, from the output of arping of iputils."""
    found = {part.partition("[")[2].partition("]")[0] for part in text.splitlines() if "reply from" in part.lower()}
    return sorted(address for address in found if address)
