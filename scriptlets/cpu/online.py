# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether all cores of a host are online."""

from __future__ import annotations

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.host.numa import numbers
from scriptlets.tools.limits import judge

ACTIVE = {"1": True, "0": False}  # of smt/active: https://docs.kernel.org/admin-guide/hw-vuln/l1tf.html
SIBLINGS = "cpu{}/topology/thread_siblings_list"  # https://docs.kernel.org/admin-guide/cputopology.html


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
            "description": "Whether hyperthreading (SMT) must be on, or off",
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
          args: {cores: 128, smt: false}
    """

    def run(self, ctx, params):
        files = HostFiles(params["root"])
        present, online = (_cores(files, name) for name in ("present", "online"))
        offline = sorted({*present} - {*online})
        smt = hyperthreading(files, online)
        ctx.set("cpu.online_v1", {"present": len(present), "online": len(online), "offline": offline, "smt": smt})
        wrong = [*_offline(ctx, offline), *_number(ctx, len(online), params["cores"]), *_smt(ctx, smt, params["smt"])]
        if wrong:
            raise Failed("; ".join(wrong))


def _cores(files, name):
    """The numbers of the cores in one of the kernel's lists. Raises ValueError where there is no such list."""
    told = files.text(name)
    if told is None:
        raise ValueError(f"{files.path(name)} names no cores")
    return numbers(told)


def hyperthreading(files, online):
    """Whether two of the cores share one: as smt/active says, or as the siblings show. None where neither tells."""
    siblings = [numbers(told) for told in (files.text(SIBLINGS.format(core)) for core in online) if told]
    shared = any(len({*online}.intersection(own)) > 1 for own in siblings) if siblings else None
    return ACTIVE.get(files.text("smt/active"), shared)


def _offline(ctx, offline):
    if ctx.check("offline", len(offline), "cores", max=0) == "failed":
        named = ", ".join(map(str, offline[:10]))
        yield f"{len(offline)} cores are offline ({named}): read the system's event log, then bring them online again"


def _number(ctx, online, cores):
    if judge(ctx, "cores", online, "cores", eq=cores) == "failed":
        yield f"{online} cores are online, expected {cores}: compare the firmware's setup with that of the other hosts"


def _smt(ctx, smt, wanted):
    if wanted is not None and smt is None:
        raise ValueError("this kernel tells neither smt/active nor the siblings of a core: leave `smt` out")
    if wanted is not None and ctx.check("smt", smt, eq=wanted) == "failed":
        now, then = ("off", "on") if wanted else ("on", "off")
        yield f"hyperthreading is {now}: switch it {then} in the firmware's setup"
