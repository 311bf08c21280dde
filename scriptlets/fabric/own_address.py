# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether nobody else has an address of this host, or of its gateway, and this host answers for no other."""

from __future__ import annotations

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.commands import run, run_json

SELF = "this host"
CONF = "proc/sys/net/ipv4/conf/"


class OwnAddress(Scriptlet):
    """Whether nobody else has an address of this host (RFC 5227), and one machine alone that of each gateway.

    A host that forwards and answers ARP for others (`proxy_arp`) takes what is for them: they see nothing of it.
    """

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
        "gateways": {
            "type": "bool",
            "default": False,
            "description": "Whether the gateways of the routes at this port are asked for, too",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /proc; another one for tests",
        },
    }
    reads = ()
    writes = {
        "fabric.address_v1": (
            "`address`, and the MAC addresses of `others` that have it; of each of the `gateways` those that answer; "
            "and whether this host is a `proxy`"
        )
    }
    needs = (
        "root",
        "arping (Debian: iputils-arping), and iproute2 for gateways",
    )
    verdicts = {
        "failed": "another one has this address, too; several have that of a gateway, or the host itself has it",
        "marginal": "the host answers ARP for others (net.ipv4.conf.PORT.proxy_arp is 1, and it forwards)",
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
        gateways = gateways_of(params["port"], params["count"]) if params["gateways"] else {}
        is_proxy = answers_for_others(HostFiles(params["root"]), params["port"])
        found = {"address": params["address"], "others": answers, "gateways": gateways, "proxy": is_proxy}
        ctx.set("fabric.address_v1", found)
        wrong = []
        if ctx.check("others", len(answers), "hosts", max=0) == "failed":
            wrong.append(f"{params['address']} is also that of {', '.join(answers)}: give one of them another address")
        twice = [said for gateway, own in gateways.items() if (said := judge(gateway, own))]
        if gateways:
            ctx.check("gateways_twice", len(twice), "gateways", max=0)
        wrong += twice
        ctx.check("proxy", is_proxy, one_of=[True, False], warn={"eq": False})
        if wrong:
            raise Failed("; ".join(wrong))


def answers_for_others(tree, port):
    """Whether the kernel answers ARP at a port for what it would forward (Documentation/networking/ip-sysctl.rst)."""
    proxy = any(tree.number(f"{CONF}{name}/proxy_arp") for name in (port, "all"))
    return proxy and bool(tree.number(f"{CONF}{port}/forwarding"))


def gateways_of(port, count):
    """The gateways of the routes at a port, each with the hardware addresses that answer; SELF where it is here."""
    routes, links = run_json(("ip", "-j", "-4", "route", "show", "dev", port)), run_json(("ip", "-j", "-4", "address"))
    own = {each.get("local") for link in links or () for each in link.get("addr_info") or ()}
    found = {}
    for gateway in sorted({route["gateway"] for route in routes or () if route.get("gateway")}):
        words = ("arping", "-b", "-I", port, "-c", str(count), "-w", str(count + 1), gateway)
        here = [SELF] if gateway in own else []
        found[gateway] = [*here, *owners(run(words, exit_codes=(0, 1)))]
    return found


def judge(gateway, found):
    """What is wrong with who has the address of a gateway."""
    if SELF in found:
        return f"this host has the address of its gateway {gateway} itself: take it away (`ip address del`)"
    if len(found) > 1:
        return f"{' and '.join(found)} have the address of the gateway {gateway}: give one of them another address"
    return ""


def owners(text):
    """The hardware addresses that have answered, from the output of arping of iputils."""
    found = {part.partition("[")[2].partition("]")[0] for part in text.splitlines() if "reply from" in part.lower()}
    return sorted(address for address in found if address)
