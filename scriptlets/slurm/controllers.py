# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the controllers of Slurm answer."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run_json


class SlurmControllers(Scriptlet):
    """How many controllers of Slurm (slurmctld) answer to this host, by `scontrol ping`."""

    options = {
        "min_answers": {
            "type": "int",
            "default": 1,
            "description": "How many controllers must answer",
            "unit": "controllers",
            "source": "one is enough for jobs to start",
        },
        "timeout": {"type": "float", "default": 60, "description": "How long scontrol may take", "unit": "s"},
    }
    reads = ()
    writes = {
        "slurm.controllers_v1": "By the host of each controller its `mode`, primary or backup, and whether it `answers`"
    }
    needs = ("scontrol of Slurm 20.11 or newer, with its JSON plugin (Debian: slurm-client)",)
    verdicts = {"failed": "too few controllers answer", "error": "scontrol cannot read its configuration"}
    example = """
        - name: controllers
          module: slurm.controllers
          args: {min_answers: 2}
    """

    def run(self, ctx, params):
        told = run_json(("scontrol", "ping", "--json"), exit_codes=(0, 1), seconds=params["timeout"]) or {}
        found = {
            str(each.get("hostname")): {"mode": each.get("mode"), "answers": each.get("pinged") == "UP"}
            for each in told.get("pings") or ()
        }
        if not found:
            raise ValueError("scontrol names no controller: look at SlurmctldHost in slurm.conf")
        ctx.set("slurm.controllers_v1", found)
        silent = [name for name, each in found.items() if not each["answers"]]
        if ctx.check("answers", len(found) - len(silent), "controllers", min=params["min_answers"]) == "failed":
            raise Failed(
                f"{len(found) - len(silent)} controllers of Slurm answer, expected {params['min_answers']} at least; "
                f"silent: {', '.join(silent) or 'none'}: start slurmctld there, and look at the network to it"
            )
