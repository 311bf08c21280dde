# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether all cores of a host are online."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.host.numa import numbers
from scriptlets.tools.limits import judge
from scriptlets.tools.sysfs import text_of

SMT = {"on": True, "off": False, "forceoff": False}  # Documentation/ABI/testing/sysfs-devices-system-cpu of Linux


class CpuOnline(Scriptlet):
    """The logical cores that are online, against those that are present; their number, and hyperthreading.

    A core that is present and not online was switched off, by somebody or by the firmware after errors.
    """

    options = {
        "cores": {
            "type": "int",
            "description": "How many logical cores must be online",
            "unit": "cores",
        },
        "smt": {
            "type": "bool",
            "description": "Whether hyperthreading must be on, or off",
        },
        "root": {
            "type": "path",
            "default": "/sys/devices/system/cpu",
            "description": "The kernel's folder of the cores; another one for tests",
        },
    }
    reads = ()
    writes = {
        "cpu.online_v1": (
            "`present` and `online` (numbers of logical cores), `offline` (their numbers), and `smt`, whether "
            "hyperthreading is on"
        )
    }
    needs = ()
    verdicts = {
        "failed": "a core is not online, or the number or hyperthreading is not as expected",
        "error": "the kernel does not tell its cores",
    }
    example = """
        - name: cores
          module: cpu.online
          args: {smt: true}
    """

    def run(self, ctx, params):
        root = Path(params["root"])
        present, online = (numbers((root / name).read_text(encoding="ascii").strip()) for name in ("present", "online"))
        offline = sorted({*present} - {*online})
        smt = SMT.get(text_of(root / "smt/control"))
        ctx.set("cpu.online_v1", {"present": len(present), "online": len(online), "offline": offline, "smt": smt})
        wrong = [*_offline(ctx, offline), *_number(ctx, len(online), params["cores"]), *_smt(ctx, smt, params["smt"])]
        if wrong:
            raise Failed("; ".join(wrong))


def _offline(ctx, offline):
    if ctx.check("offline", len(offline), "cores", max=0) == "failed":
        named = ", ".join(map(str, offline[:10]))
        yield f"{len(offline)} cores are offline ({named}): read the system's event log, then bring them online again"


def _number(ctx, online, cores):
    if judge(ctx, "cores", online, "cores", eq=cores) == "failed":
        yield f"{online} cores are online, expected {cores}: compare the firmware's setup with that of the other hosts"


def _smt(ctx, smt, wanted):
    if wanted is not None and smt is None:
        raise ValueError("this kernel does not tell whether hyperthreading is on: leave `smt` out")
    if wanted is not None and ctx.check("smt", smt, eq=wanted) == "failed":
        now, then = ("off", "on") if wanted else ("on", "off")
        yield f"hyperthreading is {now}: switch it {then} in the firmware's setup"
