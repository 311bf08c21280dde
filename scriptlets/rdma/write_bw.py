# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDMA writes between two hosts: the rate of each rail."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.perftest import run_bandwidth


class RdmaWriteBw(Scriptlet):
    """Gbit/s of RDMA writes to another host, one rail after another, by `ib_write_bw`.

    `rdma.serve` with `test: write_bw` stands on the other side, with the same rails, size and seconds. Without a limit
    the rates are measured only.
    """

    options = {
        "peer": {"type": "str", "required": True},
        "port": {"type": "int", "default": 18515},
        "devices": {"type": "list", "elements": "str", "default": []},
        "size": {"type": "int", "default": 65536},
        "seconds": {"type": "int", "default": 5, "max": 86_400},
        "queue_pairs": {"type": "int", "default": 2},
        "gid_index": {"type": "int"},
        "min_gbps": {"type": "float"},
        "wait": {"type": "float", "default": 60},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {"rdma.write_bw_v1": "For each DEVICE/PORT gbps (Gbit/s) and size (bytes)"}
    needs = ("perftest (Debian: perftest)", "an InfiniBand or RoCE card", "`rdma.serve` on the other host")
    verdicts = {
        "failed": "a rail is too slow, carries nothing or is not active, or perftest tells no rate",
        "skipped": "the host has no InfiniBand or RoCE port (failed with `absent: fail`)",
        "error": "perftest is not installed, or the other side is not reached",
    }
    example = """
        - name: link
          scope: pair
          hosts: nodes
          module: rdma.write_bw
          args: {peer: "${peer.address}", port: "${peer.port}", min_gbps: 380}
          serve: {module: rdma.serve, args: {test: write_bw, port: "${own.port}"}}
    """

    def run(self, ctx, params):
        """Measure each rail and judge it."""
        run_bandwidth(ctx, params, "write_bw", "rdma.write_bw_v1")
