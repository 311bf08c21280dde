# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which machine a host is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from rack_recipes import HostFiles, Scriptlet
from scriptlets.tools.identity import KEY

DMI = "sys/class/dmi/id/"
FIELDS = {
    "uuid": "product_uuid", "serial": "product_serial", "chassis_serial": "chassis_serial",
    "board_serial": "board_serial",
}  # fmt: skip
DEVICE_TREE = "sys/firmware/devicetree/base/serial-number"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class HostIdentity(Scriptlet):
    """The UUID and the serial numbers of a host by its firmware, and the id of its start.

    A later step compares them with what its BMC tells, so that no power is taken from another server.
    """

    options = {
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /sys; another one for a container or tests",
        },
    }
    reads = ()
    writes = {
        "host.identity_v1": (
            "host_name, uuid, serial, chassis_serial, board_serial and boot_id; null for what the firmware does not "
            "tell"
        )
    }
    needs = ("root, for serial numbers and the UUID",)
    verdicts = {"error": "what only root may read"}
    example = """
        - name: identity
          module: host.identity
          become: true
          success: {ctx_has_keys: [host.identity_v1]}
    """

    def run(self, ctx, params):
        ctx.set(KEY, identity(HostFiles(params["root"])))


def identity(tree):
    """What a host tells of itself. Raises ValueError where only root may read it."""
    closed = [path for path in (Path(tree.path(DMI + each)) for each in FIELDS.values()) if _is_closed(path)]
    if closed:
        raise ValueError(f"cannot read {', '.join(map(str, closed))}: run this step with become")
    told = {name: tree.text(DMI + file) or None for name, file in FIELDS.items()}
    told["serial"] = told["serial"] or (tree.text(DEVICE_TREE) or "").strip("\0") or None
    return {"host_name": socket.gethostname(), **told, "boot_id": BOOT_ID.read_text(encoding="ascii").strip()}


def _is_closed(path):
    return path.exists() and not os.access(path, os.R_OK)
