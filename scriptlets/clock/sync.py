# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host's clock follows a server, by chrony."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run

FIELDS = ("reference", "server", "stratum", "time", "offset", "last_offset")


class ClockSync(Scriptlet):
    """The server that the clock follows, and how far it is from it, in seconds."""

    options = {
        "max_offset": {
            "type": "float",
            "default": 0.1,
            "description": "How far the clock may be away from its server",
            "unit": "s",
            "source": ("our choice: far below the five minutes that Kerberos allows, far above what chrony keeps"),
        },
    }
    reads = ()
    writes = {"clock.sync_v1": "`is_following`, `server`, `stratum`, `offset` (s), and what chrony `said`"}
    needs = ("chrony (Debian: chrony)",)
    verdicts = {
        "failed": "the clock follows no server, or is further away than max_offset",
        "error": "chronyc is not there",
    }
    example = """
        - name: clock
          module: clock.sync
          args: {max_offset: 0.01}
    """

    def run(self, ctx, params):
        text = run(("chronyc", "-c", "tracking"), exit_codes=(0, 1)).strip()
        found = tracking(text)
        ctx.set("clock.sync_v1", found)
        if ctx.check("is_following", found["is_following"], eq=True) == "failed":
            raise Failed(f"the clock follows no server ({found['said']}): start chronyd, or let it reach its server")
        if ctx.check("offset", abs(found["offset"]), "s", max=params["max_offset"]) == "failed":
            raise Failed(
                f"the clock is {found['offset']:g} s away from {found['server']}: set it (chronyc makestep), and "
                "compare its servers with those of other hosts"
            )


def tracking(text):
    """What `chronyc -c tracking` prints: fields between commas, or a line with an error."""
    parts = text.split(",")
    if len(parts) <= len(FIELDS):
        return {"is_following": False, "said": text}
    found = dict(zip(FIELDS, parts))
    is_following = int(found["stratum"]) > 0 and parts[-1] != "Not synchronised"
    named = {"server": found["server"], "stratum": int(found["stratum"]), "offset": float(found["offset"])}
    return {"is_following": is_following, "said": parts[-1], **named}
