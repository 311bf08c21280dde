# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step does where a host does not have what it tests: `skipped`, or `failed` where the step says so."""

from __future__ import annotations

from rack_recipes import Failed, Skipped

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "absent": {"description": "What the step is on a host that does not have what is tested: skipped, or failed"},
}


def is_missing(what, params):
    """End the step: there is no such hardware. `what` names it; the option `absent` is `skip` or `fail`."""
    said = f"no such hardware: {what}"
    raise (Failed(said) if params["absent"] == "fail" else Skipped(said))
