# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a BMC by IPMI over the network, with ipmitool. Its password stands in that program's environment alone."""

from __future__ import annotations

from scriptlets.tools.commands import run

NO_SESSION = "Unable to establish"
"""What ipmitool says of a BMC that does not answer; and of one that refuses user or password, with no other words."""

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "address": {"description": "The name or address of the BMC"},
    "port": {"description": "The port of the BMC", "unit": "UDP port", "source": "IPMI 2.0, 13.1.2"},
    "user": {"description": "A user of the BMC"},
    "password": {"description": "The password; it stands in the environment of ipmitool alone"},
    "privilege": {"description": "The privilege that is asked for"},
    "cipher_suite": {
        "description": "The cipher suite; by default the best that the BMC has, and some old ones need 3",
        "unit": "suite",
    },
    "timeout": {"description": "How long one answer may take", "unit": "s"},
    "tries": {"description": "How often is asked before the BMC counts as silent", "unit": "tries"},
}


def ipmi(params, words, options=()):
    """What a command of ipmitool prints. Raises ValueError where the BMC does not answer or refuses."""
    suite = () if params["cipher_suite"] is None else ("-C", str(params["cipher_suite"]))
    argv = (
        "ipmitool", *options, *suite, "-I", "lanplus", "-H", params["address"], "-p", str(params["port"]),
        "-U", params["user"], "-L", params["privilege"], "-N", str(params["timeout"]), "-R", str(params["tries"]),
        "-E", *words,
    )  # fmt: skip
    try:
        return run(argv, env={"IPMITOOL_PASSWORD": params["password"], "TZ": "UTC"})
    except ValueError as error:
        if "is not installed" in str(error):
            raise
        raise ValueError(in_words(params, words, str(error))) from None


def in_words(params, words, said):
    """What ipmitool said, and what to do about it."""
    bmc = f"the BMC at {params['address']}"
    if NO_SESSION in said:
        waited = params["timeout"] * params["tries"]
        return (
            f"{bmc} does not answer IPMI within {waited} s, or refuses {params['user']}: look at its power and "
            "network, then at user, password and privilege"
        )
    return f"{bmc}: ipmitool {' '.join(words)}: {said.partition(': ')[2]}"
