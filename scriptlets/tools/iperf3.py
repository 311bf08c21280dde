# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what iperf3 prints as JSON."""

from __future__ import annotations

import json


def decoded(text):
    """The JSON of iperf3. Raises ValueError where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"iperf3 printed no JSON: {text[:100]!r}") from None


def is_early(told):
    """Whether the partner did not listen yet. iperf3 3.9 has no `error` then."""
    return not told.get("start", {}).get("connected")


def read(told):
    """Mbit/s received, retransmissions and the single flows of a test. Raises ValueError with what iperf3 complains of.

    Of a test with -R the partner is the sender. The addresses of a flow are in the order from sender to receiver.
    """
    if "error" in told or is_early(told):
        raise ValueError(told.get("error", "the partner is not reached"))
    end, is_back = told["end"], bool(told["start"]["test_start"]["reverse"])
    flows = [_flow(place, stream, is_back) for place, stream in zip(told["start"]["connected"], end["streams"])]
    sent = end["sum_sent"]
    return {
        "mbits": round(end["sum_received"]["bits_per_second"] / 1e6, 1),
        "retransmits": sent.get("retransmits", 0),
        "gigabytes": round(sent["bytes"] / 1e9, 3),
        "flows": flows,
    }


def _flow(place, stream, is_back):
    local, remote = ((place[f"{side}_host"], place[f"{side}_port"]) for side in ("local", "remote"))
    source, to = (remote, local) if is_back else (local, remote)
    return {"from": list(source), "to": list(to), "mbits": round(stream["receiver"]["bits_per_second"] / 1e6, 1)}


def again_per_gigabyte(measured):
    """How many segments were sent again for each gigabyte of a test; all of them where nothing arrived."""
    count, size = measured["retransmits"], measured["gigabytes"]
    return round(count / size, 1) if size else count
