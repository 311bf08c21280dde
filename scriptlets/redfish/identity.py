# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a BMC is that of the host itself, by Redfish."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.identity import asked_host, compare, in_words, of_host
from scriptlets.tools.redfish import client_of


class RedfishIdentity(Scriptlet):
    """Compares the UUID and the serial numbers that a BMC tells by Redfish with those of the host itself.

    With two addresses of BMCs swapped in the inventory everything else passes, and a power cycle hits another server.
    """

    options = {
        "url": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
        "system": {
            "type": "str",
            "default": "",
            "description": "The Id of the system, where a device manages several",
        },
        "identify_by": {
            "type": "list",
            "elements": "str",
            "choices": ["uuid", "serial"],
            "default": ["uuid", "serial"],
        },
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "skipped",
            "description": "What the step is where they tell nothing that can be compared",
        },
    }
    reads = ("host.identity_v1",)
    writes = {"redfish.identity_v1": "uuid, serial, sku and host_name, as the BMC tells them; null for what it hides"}
    needs = (
        "a BMC with Redfish",
        "host.identity_v1 of an earlier step",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "the BMC is that of another server, or nothing can be compared, with `missing: failed`",
        "skipped": "the host or the BMC tells no UUID and no serial number",
        "error": "the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: identity
          module: host.identity
          hosts: servers
          become: true
          success: {ctx_has_keys: [host.identity_v1]}
        - name: same_server
          module: redfish.identity
          hosts: servers
          depends_on: [identity]
          delegate_to: localhost
          args: {url: "https://{{ bmc_address }}", user: "{{ bmc_user }}", password: "{{ bmc_password }}"}
    """

    def run(self, ctx, params):
        with client_of(params) as device:
            system = device.system(params["system"])
        told = {"uuid": "UUID", "serial": "SerialNumber", "sku": "SKU", "host_name": "HostName"}
        ctx.set("redfish.identity_v1", {name: system.get(field) for name, field in told.items()})
        host, own = asked_host(ctx)
        bmc, words = system_identity(system)
        is_same = compare(host, bmc, params["identify_by"])
        if is_same is None:
            ending = Skipped if params["missing"] == "skipped" else Failed
            raise ending(f"it is not known whose BMC this is: it tells of {words}, the host is {own}")
        if ctx.check("same_server", is_same, eq=True) == "failed":
            raise Failed(
                f"this is the BMC of another server: of {words}, not of {own}: correct the address of the BMC in the "
                "inventory"
            )


def system_identity(system):
    """What a system of Redfish tells of its identity, as `of_host` gives it, and in words.

    Some makers give the number of the board as SerialNumber, and that of the server as SKU.
    """
    side = of_host(system.get("UUID"), [system.get("SerialNumber"), system.get("SKU")])
    return side, in_words(system.get("HostName") or "a server", system.get("UUID"), system.get("SerialNumber"))
