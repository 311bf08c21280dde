# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDMA reads between two hosts: how long a message takes on each rail."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.perftest import run_latency


class RdmaReadLat(Scriptlet):
    """How long RDMA reads of another host take, one rail after the other, by `ib_read_lat`.

    `rdma.serve` with `test: read_lat` stands on the other side, with the same rails, size and messages. Without limits
    the times are measured only.
    """

    options = {
        "peer": {"type": "str", "required": True},
        "port": {"type": "int", "default": 18515},
        "devices": {"type": "list", "elements": "str", "default": []},
        "size": {"type": "int", "default": 2},
        "messages": {"type": "int", "default": 10000},
        "gid_index": {"type": "int"},
        "max_usec": {"type": "float"},
        "max_usec_p99": {"type": "float"},
        "wait": {"type": "float", "default": 60},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {"rdma.read_lat_v1": "For each DEVICE/PORT usec (us, the median) and usec_p99 (us)"}
    needs = ("perftest (Debian: perftest)", "an InfiniBand or RoCE card", "`rdma.serve` on the other host")
    verdicts = {
        "failed": "a rail is too slow or is not active, or perftest tells no time",
        "skipped": "the host has no InfiniBand or RoCE port (failed with `absent: fail`)",
        "error": "perftest is not installed, or the other side is not reached",
    }
    example = """
        - name: link
          scope: pair
          hosts: nodes
          module: rdma.read_lat
          args: {peer: "${peer.address}", port: "${peer.port}", max_usec: 3}
          serve: {module: rdma.serve, args: {test: read_lat, port: "${own.port}", size: 2}}
    """

    def run(self, ctx, params):
        """Measure each rail and judge it."""
        run_latency(ctx, params, "read_lat", "rdma.read_lat_v1")
