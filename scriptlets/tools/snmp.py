# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a device by SNMP, with the programs of net-snmp (Debian: snmp). Its secrets stand in a private file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from scriptlets.tools.commands import run

WALK = ("snmpbulkwalk", "-Onxet", "-Cr40", "-m", "")
"""Numbers instead of names, texts as hexadecimal bytes, times in hundredths of a second: the same for every device."""

SECURITY = {
    "user": "defSecurityName", "auth_password": "defAuthPassphrase", "privacy_password": "defPrivPassphrase",
    "context": "defContext",
}  # fmt: skip
PROTOCOLS = {"auth_password": ("defAuthType", "auth_protocol"), "privacy_password": ("defPrivType", "privacy_protocol")}
LEVELS = {(False, False): "noAuthNoPriv", (True, False): "authNoPriv", (True, True): "authPriv"}
SILENT, REFUSED = "Timeout", "Authentication failure"
"""What net-snmp says of a device that does not answer, and of one that refuses a user of version 3.

A device that gets a wrong community of version 2c does not answer.
"""

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "address": {"description": "The name or address of the device"},
    "port": {"description": "The port of the device", "unit": "UDP port", "source": "RFC 3417, 3.2"},
    "version": {"description": "The version of SNMP"},
    "community": {"description": "The community, of version 2c"},
    "user": {"description": "The user, of version 3"},
    "auth_protocol": {"description": "How the user is authenticated, of version 3"},
    "auth_password": {"description": "The password for this"},
    "privacy_protocol": {"description": "How what is sent is encrypted, of version 3"},
    "privacy_password": {"description": "The password for this"},
    "context": {"description": "The context, of version 3, where a device has several"},
    "timeout": {"description": "How long one answer may take", "unit": "s"},
    "retries": {"description": "How often is asked again", "unit": "tries"},
}


def tables(params, roots):
    """The values below each of the object identifiers in `roots`: a dict of the rest of the identifier and the value.

    A value is an int, or bytes. Raises ValueError where the device does not answer or refuses.
    """
    with tempfile.TemporaryDirectory(prefix="rack-snmp-") as folder:
        write_settings(Path(folder), params)
        return {root: walk(params, root, folder) for root in roots}


def write_settings(folder, params):
    """Write the file in which net-snmp looks for version, community, user and passwords."""
    text = "".join(f"{name} {value}\n" for name, value in settings(params).items())
    path = folder / "snmp.conf"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def settings(params):
    """The settings of snmp.conf(5), by name; it takes no quotes around the names of protocols.

    Raises ValueError where a secret is missing.
    """
    if params["version"] == "2c":
        if not params["community"]:
            raise ValueError("version 2c needs a community")
        return {"defVersion": "2c", "defCommunity": quoted(params["community"])}
    if not params["user"]:
        raise ValueError("version 3 needs a user")
    level = bool(params["auth_password"]), bool(params["privacy_password"])
    if level not in LEVELS:
        raise ValueError("a privacy_password needs an auth_password")
    own = {word: quoted(params[name]) for name, word in SECURITY.items() if params[name]}
    protocols = {word: params[name] for secret, (word, name) in PROTOCOLS.items() if params[secret]}
    return {"defVersion": "3", "defSecurityLevel": LEVELS[level], **own, **protocols}


def quoted(text):
    """A word of snmp.conf. Raises ValueError for one that would be more than a word."""
    if any(ord(each) < 32 for each in text):
        raise ValueError("a community, user or password has a control character")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def walk(params, root, folder):
    """The values below one object identifier."""
    argv = (*WALK, "-t", f"{params['timeout']:g}", "-r", str(params["retries"]), "--", endpoint(params), root)
    try:
        text = run(argv, env={"SNMPCONFPATH": folder, "SNMP_PERSISTENT_DIR": folder})
    except ValueError as error:
        if SILENT in str(error):
            raise ValueError(silent(params)) from None
        if REFUSED in str(error):
            raise ValueError(f"{params['address']} refuses {params['user']}: look at passwords and protocols") from None
        raise
    return values(text, root)


def endpoint(params):
    """The address of a device in the words of net-snmp."""
    address = params["address"]
    return f"udp6:[{address}]:{params['port']}" if ":" in address else f"udp:{address}:{params['port']}"


def silent(params):
    """What is said of a device that does not answer."""
    waited = params["timeout"] * (params["retries"] + 1)
    secret = "the community" if params["version"] == "2c" else "the user"
    return (
        f"{params['address']} does not answer SNMP within {waited:g} s: look whether it has power and network, "
        f"and whether {secret} is right"
    )


def values(text, root):
    """The values that `WALK` printed, by the rest of their identifiers. Raises ValueError for what is none."""
    found = {}
    for line in joined(text):
        name, equals, value = line.partition(" = ")
        if not equals:
            raise ValueError(f"snmpbulkwalk printed {line[:100]!r}, which is no value")
        kind, colon, told = value.partition(": ")
        if name.startswith(f"{root}.") and (colon or value.isdigit()):  # a time has no type
            found[name[len(root) + 1 :]] = value_of(kind, told or value)
    return found


def joined(text):
    """The lines, with those that continue a long text put at its end."""
    lines = []
    for line in text.splitlines():
        if line.startswith(".") or not lines:
            lines.append(line)
        else:
            lines[-1] += f" {line}"
    return lines


def value_of(kind, told):
    """One value: bytes for a text, an int for a number, and else the text as it is."""
    if kind == "Hex-STRING":
        return bytes.fromhex(told)
    try:
        return int(told.split(" ")[0])
    except ValueError:
        return told


def text_of(value):
    """A text of a device for people: what cannot be shown is written as its number."""
    return value.decode("utf-8", "backslashreplace").rstrip("\0") if isinstance(value, bytes) else str(value)


def column(table, number):
    """One column of a table: its values by their rows."""
    start = f"{number}."
    return {name[len(start) :]: value for name, value in table.items() if name.startswith(start)}
