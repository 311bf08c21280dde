# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the server of a BMC is the host itself: the UUID and the serial numbers that both sides tell.

The UUID decides where both tell one. DMI gives it in the order of RFC 4122, Redfish too (DSP0268, ComputerSystem); IPMI
gives the bytes in an order that differs by vendor (IPMI 2.0, 20.8; DSP0134, 7.2.1), so each order is tried.
"""

from __future__ import annotations

import re
import uuid

from rack_recipes import Failed

KEY = "host.identity_v1"
SWITCHED = "switched"
PLACEHOLDER = re.compile(
    r"\W*|0+|f+|x+|0?1234567890?|none|null|n/?a|unknown|not \w+|default string|to be filled.*|system serial.*",
    re.IGNORECASE,
)
"""What firmware tells as a serial number where nobody has written one."""

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "identify_by": {
        "description": "What must be the same at the BMC and at the host; the first that both tell decides",
    },
    "unidentified": {
        "description": "What happens where nothing that both tell can be compared: the step fails, or it switches",
    },
}


def of_host(uuid_told, serials):
    """What a side tells, for `compare`: its UUIDs in each order of bytes, and its serial numbers, as sets."""
    return {"uuid": uuids(uuid_told), "serial": {each.strip().upper() for each in serials if is_told(each)}}


def is_told(text):
    """Whether a serial number is one, and no placeholder."""
    return bool(text) and not PLACEHOLDER.fullmatch(str(text).strip())


def uuids(told):
    """A UUID, as text or as 16 bytes, in each order of bytes that is in use; an empty set for none."""
    try:
        own = uuid.UUID(bytes=told) if isinstance(told, bytes) else uuid.UUID(str(told))
    except ValueError:
        return set()
    if own.int in (0, 2**128 - 1):
        return set()
    return {own, uuid.UUID(bytes=own.bytes_le), uuid.UUID(bytes=own.bytes[::-1])}


def compare(host, bmc, identify_by=("uuid", "serial")):
    """True for one server, False for two, None where they tell nothing in common; as `of_host` gives both sides."""
    for name in identify_by:
        if host[name] and bmc[name]:
            return bool(host[name] & bmc[name])
    return None


def host_side(told):
    """The same of what host.identity has written."""
    return of_host(told.get("uuid"), [told.get(name) for name in ("serial", "chassis_serial", "board_serial")])


def asked_host(ctx):
    """What the host has told of itself in an earlier step (host.identity), as `of_host` gives it, and in words."""
    told = ctx.get(KEY)
    if not told:
        return host_side({}), "one that nobody has asked"
    return host_side(told), in_words(told.get("host_name") or "the host", told.get("uuid"), told.get("serial"))


def in_words(name, uuid_told, serial):
    """A server with what it tells of itself: `server1 (serial VR-1, UUID 6f...)`."""
    known = [f"{word} {value}" for word, value in (("serial", serial), ("UUID", uuid_told)) if value]
    return f"{name} ({', '.join(known) or 'which tells no serial number and no UUID'})"


def refuse_another_server(ctx, params, bmc, words):
    """Raise Failed where the BMC is that of another server, or where that cannot be known and the step wants to know.

    `bmc` is what the BMC tells, as `of_host` gives it, `words` the same for people. Without `identify_by` nothing is
    compared.
    """
    host, own = asked_host(ctx)
    is_same = compare(host, bmc, params["identify_by"])
    if is_same is False:
        raise Failed(
            f"this is the BMC of another server: of {words}, not of {own}; nothing was switched: correct the address "
            "of the BMC in the inventory"
        )
    if is_same is None and params["identify_by"] and params["unidentified"] != SWITCHED:
        raise Failed(
            f"nothing was switched, since it is not known whose BMC this is: it tells of {words}, the host is {own}; "
            "put a step with host.identity and become before, or allow it (`unidentified: switched`)"
        )
