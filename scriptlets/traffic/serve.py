# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The serving side of a test of throughput between hosts."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from rack_recipes import Scriptlet
from scriptlets.tools.commands import completed, last_line


class Serve(Scriptlet):
    """Serves `traffic.pair` or `fabric.incast` by iperf3, as long as the other side measures.

    It stands under `serve` of a step between hosts, which starts it, waits until it listens, and ends it.
    """

    options = {
        "address": {
            "type": "str",
            "description": "The address of this host over which the traffic comes; by default all of its addresses",
        },
        "port": {
            "type": "int",
            "required": True,
            "description": "Where it listens: `${own.port}`, which its host has found free",
            "unit": "TCP port",
        },
        "members": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "`${own.members}` where all measure at once: each gets a port, from `port` on",
        },
    }
    reads = ()
    writes = ()
    needs = ("iperf3 (Debian: iperf3)",)
    verdicts = {"error": "iperf3 is not installed, or cannot listen at the address"}
    example = """
        - name: link
          scope: pair
          hosts: servers
          module: traffic.pair
          args: {peer: "${peer.address}", port: "${peer.port}", min_mbits: 9000}
          serve: {module: traffic.serve, args: {port: "${own.port}"}}
    """

    def run(self, _ctx, params):
        """Serve until the executor ends this; where iperf3 ends by itself, that is an error."""
        where = ("-B", params["address"]) if params["address"] else ()
        ended = SimpleQueue()

        def serve(port):
            try:
                done = completed(("iperf3", "-s", "-p", str(port), *where))
                ended.put(f"iperf3 has ended: {last_line(done) or 'without a word'}")
            except ValueError as error:
                ended.put(str(error))

        for number in reversed(range(max(1, len(params["members"]) - 1))):  # who listens at the first port is ready
            threading.Thread(target=serve, args=(params["port"] + number,), daemon=True).start()
        raise ValueError(ended.get())
