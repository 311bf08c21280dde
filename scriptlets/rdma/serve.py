# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The serving side of a test of RDMA between two hosts."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.perftest import serve


class RdmaServe(Scriptlet):
    """Serves a test of RDMA by perftest: each rail once, one after the other.

    It stands on one host while `rdma.write_bw`, `rdma.send_bw` or `rdma.read_lat` measures on another one. Give both
    sides the same rails, size, and seconds or messages.
    """

    options = {
        "test": {
            "type": "str",
            "choices": ["write_bw", "send_bw", "read_lat"],
            "required": True,
            "description": "Which test is measured on the other side",
        },
        "port": {"type": "int", "default": 18515},
        "devices": {"type": "list", "elements": "str", "default": []},
        "shift": {"type": "int", "default": 0},
        "size": {"type": "int", "default": 65536},
        "seconds": {"type": "int", "default": 5, "max": 86_400},
        "messages": {"type": "int", "default": 10000},
        "queue_pairs": {"type": "int", "default": 2},
        "gid_index": {"type": "int"},
        "wait": {"type": "float", "default": 60},
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {"rdma.served_v1": "The rails that were served, each as DEVICE/PORT"}
    needs = ("perftest (Debian: perftest)", "an InfiniBand or RoCE card")
    verdicts = {
        "failed": "a rail is not there or not active",
        "skipped": "the host has no InfiniBand or RoCE port (failed with `absent: fail`)",
        "error": "nobody has come in time, perftest is not installed, or it ended with an error",
    }
    example = """
        - name: served
          module: rdma.serve
          hosts: node1
          args: {test: write_bw}
          success: none
        - name: link
          module: rdma.write_bw
          hosts: node2
          args: {peer: 10.1.1.11, min_gbps: 380}
        - name: cross
          module: rdma.serve
          hosts: node1
          args: {test: write_bw, shift: 1}
          success: none
    """

    def run(self, ctx, params):
        """Serve until each rail was tested."""
        ctx.set("rdma.served_v1", serve(params["test"], params))
