# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which port the kernel of a router sends a flow to, by `ip route get`. It needs iproute2 5.0 or newer."""

from __future__ import annotations

import json
import subprocess
from ipaddress import ip_address


def ports_of(flows, port_in, protocol):
    """The port for each flow, a tuple of SOURCE, PORT, TARGET, PORT; None where there is no route.

    The flows come in at `port_in`; where that is empty, they are the host's own.

    One process answers for all of them (`ip -batch`, with -force: a flow without route does not end it).
    """
    if not flows:
        return []
    asked = "".join(f"{_question(flow, port_in, protocol)}\n" for flow in flows)
    done = subprocess.run(
        ("ip", "-j", "-force", "-batch", "-"), input=asked, capture_output=True, text=True, check=False
    )
    if done.returncode and not done.stdout:
        raise ValueError(f"ip route get: {done.stderr.strip()[-300:]}")
    answers = read(done.stdout)
    if len(answers) != len(flows):
        answers = [(read(_alone(flow, port_in, protocol)) or [None])[0] for flow in flows]
    return answers


def _question(flow, port_in, protocol):
    """A line for `ip -batch`. What hosts have said gets into it as addresses and numbers alone, or ValueError."""
    source, target = ip_address(flow[0]), ip_address(flow[2])
    ports = f"sport {int(flow[1])} dport {int(flow[3])}"
    way_in = f"iif {port_in} " if port_in else ""
    return f"route get {target} from {source} {way_in}ipproto {protocol} {ports}"


def _alone(flow, port_in, protocol):
    words = ("ip", "-j", *_question(flow, port_in, protocol).split())
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def read(text):
    """The port of each answer, from JSON arrays that follow each other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        answer, at = decoder.raw_decode(text, at)
        found.append(answer[0].get("dev") if answer else None)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found
