# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the names of an inventory lead to the machines that they name, each to another one."""

from __future__ import annotations

from collections import defaultdict

from rack_recipes import Failed, Scriptlet, Skipped

KEY = "host.identity_v1"
NAMED = 5  # hosts in a reason
LEAST = 2


class HostIdentities(Scriptlet):
    """Hosts that call themselves by the name of another one, and names of the inventory that lead to one machine."""

    scope = "run"
    options = {}
    reads = ("host.identity_v1",)
    writes = {
        "host.identities_v1": "`renamed`: by host the other one whose name it has; `same`: lists of hosts that are one"
    }
    needs = ("host.identity_v1 of the hosts",)
    verdicts = {
        "failed": "a host has the name of another one, or two names lead to one machine",
        "skipped": "fewer than two hosts have told who they are",
    }
    example = """
        - name: identity
          module: host.identity
          become: true
          success: {ctx_has_keys: [host.identity_v1]}
        - name: identities
          module: host.identities
          scope: run
          depends_on: [identity]
    """

    def run(self, ctx, params):
        told = ctx.values(KEY)
        if len(told) < LEAST:
            raise Skipped(f"{len(told)} hosts have told who they are, and two are needed to compare them")
        known = {short(host): host for host in told}
        renamed = {
            host: known[short(own["host_name"])]
            for host, own in told.items()
            if known.get(short(own["host_name"]), host) != host
        }
        same = [hosts for hosts in by_start(told).values() if len(hosts) > 1]
        ctx.set("host.identities_v1", {"renamed": renamed, "same": same})
        wrong = []
        if ctx.check("renamed", len(renamed), "hosts", max=0) == "failed":
            pairs = ", ".join(f"{host} calls itself {other}" for host, other in [*renamed.items()][:NAMED])
            wrong.append(f"{pairs}: correct the host names, or the addresses in the inventory")
        if ctx.check("same", len(same), "machines", max=0) == "failed":
            lists = "; ".join(" and ".join(hosts[:NAMED]) for hosts in same[:NAMED])
            wrong.append(f"one machine answers for {lists}: correct the addresses in the inventory")
        if wrong:
            raise Failed("; ".join(wrong))


def short(name):
    """A host name without its domain; an address stays whole."""
    first = str(name).partition(".")[0].lower()
    return str(name) if first.isdecimal() else first


def by_start(told):
    """The hosts by the id of their start, which no two machines share, and by name, as containers share the id."""
    found = defaultdict(list)
    for host, own in told.items():
        found[own["boot_id"], own["host_name"]].append(host)
    return found
