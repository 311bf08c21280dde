# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every GPU sends its part to all others: bus bandwidth and wrong values."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.nccl_tests import run_collective


class NcclAllGather(Scriptlet):
    """Bus bandwidth and wrong values of an all-gather over the GPUs of one host or of several.

    Without `hosts` it takes the GPUs of this host, in one process. With them, mpirun starts a process for each GPU on
    all of them, so the step runs on one host. Without limits the bandwidth is measured only; wrong values always fail.
    """

    options = {
        "library": {"type": "str", "choices": ["nccl", "rccl"], "default": "nccl"},
        "hosts": {"type": "list", "elements": "str", "default": []},
        "gpus": {"type": "int"},
        "shortest": {"type": "str", "default": "8M"},
        "longest": {"type": "str", "default": "1G"},
        "min_busbw": {"type": "float"},
        "min_average": {"type": "float"},
        "mpirun": {"type": "list", "elements": "str", "default": []},
        "folder": {"type": "path"},
        "timeout": {"type": "float", "default": 600},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "nccl.all_gather_v1": (
            "version, average (GB/s), wrong (values), and `sizes`: by bytes busbw and busbw_in_place (GB/s)"
        )
    }
    needs = (
        "nccl-tests or rccl-tests, built with MPI where there are `hosts`",
        "GPUs that no job holds",
        "with `hosts` Open MPI, and SSH between the hosts without a password",
    )
    verdicts = {
        "failed": "values are wrong, the bandwidth is too low, or one of them is not told",
        "skipped": "the host has no GPU of that maker (failed with `absent: fail`)",
        "error": "the program is not there, could not run, or has not ended in time",
    }
    example = """
        - name: collective
          module: nccl.all_gather
          args: {longest: 8G}
          timeout: 900
    """

    def run(self, ctx, params):
        """Run the collective and judge it."""
        run_collective(ctx, params, "all_gather_perf", "nccl.all_gather_v1")
