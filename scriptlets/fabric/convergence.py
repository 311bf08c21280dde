# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For how long packets are lost when a link goes down, and when it comes back."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.held_link import held_down
from scriptlets.tools.numbered_packets import Flows, echo

GO, DOWN, UP = b"go", b"down", b"up"
MOMENTS = {"down": "when the link goes down", "up": "when it comes back"}
COUNTER = "/sys/class/net/{}/statistics/tx_packets"
AGAIN = 0.2  # seconds until the router is asked again


class Convergence(Scriptlet):
    """Numbered packets go from one host to another and back, over many flows, while a router takes a port down and up.

    The step runs on three hosts at once. The router begins once all flows come back. The port is up again after
    `hold` seconds, also where the step is killed; other traffic over it is disturbed as well. An outage is the
    longest time in which no packet of a flow came back.
    """

    options = {
        "sender": {
            "type": "dict",
            "required": True,
            "description": "The host that sends and measures, as {host: NAME, address: ADDRESS}",
        },
        "echoer": {
            "type": "dict",
            "required": True,
            "description": "The host that sends back, in the same form",
        },
        "router": {
            "type": "dict",
            "required": True,
            "description": "The router whose port goes down, in the same form",
        },
        "link": {
            "type": "str",
            "required": True,
            "description": "The port of the router",
        },
        "me": {
            "type": "str",
            "description": "Which of the three this host is; by default the name of the step's host",
        },
        "port": {
            "type": "int",
            "default": 5190,
            "description": "The port that echoer and router listen at",
            "unit": "UDP port",
        },
        "flows": {
            "type": "int",
            "default": 16,
            "description": "How many flows are sent",
            "unit": "flows",
        },
        "interval_ms": {
            "type": "float",
            "default": 5,
            "description": "The time between two packets of a flow",
            "unit": "ms",
        },
        "hold": {
            "type": "float",
            "default": 3,
            "description": "For how long the port is down",
            "unit": "s",
        },
        "settle": {
            "type": "float",
            "default": 4,
            "description": "For how long is measured after it is up again",
            "unit": "s",
        },
        "wait": {
            "type": "float",
            "default": 60,
            "description": "How long the three hosts wait for each other",
            "unit": "s",
        },
        "max_down_ms": {
            "type": "float",
            "default": 2000,
            "description": "The longest outage after the port went down",
            "unit": "ms",
            "source": (
                "routers that do not react to the lost carrier wait for their hold timer: at least 3 s (RFC "
                "4271, 4.2) after the last keepalive, at most a third of that ago (4.4)"
            ),
        },
        "max_up_ms": {
            "type": "float",
            "default": 2000,
            "description": "The longest outage after it came back",
            "unit": "ms",
            "source": "as for max_down_ms",
        },
    }
    reads = ()
    writes = {
        "fabric.convergence_v1": (
            "On the sender `link`, `outages_ms` (ms) and `flows_hit` (flows), each for `down` and `up`"
        )
    }
    needs = (
        "root on the router",
        "three hosts at once (`-f 3`)",
    )
    verdicts = {
        "failed": "an outage is longer than its limit",
        "error": "a host is none of the three, or one of them was not there in time",
    }
    example = """
        - name: convergence
          module: fabric.convergence
          hosts: "server1:server8:leaf1"
          args:
            sender: {host: server1, address: 10.1.1.11}
            echoer: {host: server8, address: 10.1.4.18}
            router: {host: leaf1, address: 10.1.1.1}
            link: swp1
    """

    def run(self, ctx, params):
        me = params["me"] or ctx.host
        roles = {"sender": send, "echoer": serve, "router": break_link}
        mine = [name for name in roles if params[name]["host"] == me]
        if len(mine) != 1:
            raise ValueError(f"{me} must be one of sender, echoer and router, and is {' and '.join(mine) or 'none'}")
        roles[mine[0]](ctx, params)


def serve(ctx, params):
    """The echo's part."""
    ctx.check("echoed", echo(params["echoer"]["address"], params["port"], params["wait"]), "packets", min=1)


def break_link(ctx, params):
    """The router's part: wait for the sender, take the port down, and up again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as told:
        told.bind((params["router"]["address"], params["port"]))
        before, sender = _wait_for_go(told, params)
        carried = _counted(params["link"]) - before
        with held_down(params["link"]):
            told.sendto(DOWN + b" %d" % carried, sender)
            time.sleep(params["hold"])
        told.sendto(UP, sender)
    ctx.check("carried", carried, "packets", min=1)


def _wait_for_go(told, params):
    """The port's counter when the sender asked first, and the sender's address once it has asked twice."""
    told.settimeout(params["wait"])
    before = None
    while True:
        try:
            packet, sender = told.recvfrom(100)
        except socket.timeout:
            raise ValueError(f"{params['sender']['host']} has not said within {params['wait']:g} s to begin") from None
        if packet == GO and sender[0] == params["sender"]["address"]:
            if before is not None:
                return before, sender
            before = _counted(params["link"])


def _counted(port):
    """How many packets a port has sent. Raises ValueError for one that is not there."""
    try:
        return int(Path(COUNTER.format(port)).read_text(encoding="ascii"))
    except OSError:
        raise ValueError(f"there is no port {port}") from None


def send(ctx, params):
    """The sender's part: it measures."""
    source, target = params["sender"]["address"], params["echoer"]["address"]
    flows = Flows(source, target, params["port"], params["flows"], params["interval_ms"] / 1000)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            control.bind((source, 0))
            flows.wait_for_echo(params["wait"])
            down, carried = _ask(control, flows, params)
            up, _said = _heard(control, flows, UP, params["hold"] + params["settle"])
        flows.run_until(up + params["settle"])
        flows.run_until(time.monotonic() + 0.2, is_sending=False)
    finally:
        flows.close()
    _judge(ctx, params, carried, {"down": flows.outages(down - 0.1, up), "up": flows.outages(up, float("inf"))})


def _ask(control, flows, params):
    """Ask the router to begin until it has. Returns the moment, and how many packets its port sent meanwhile."""
    until = time.monotonic() + params["wait"]
    while time.monotonic() < until:
        control.sendto(GO, (params["router"]["address"], params["port"]))
        flows.run_until(time.monotonic() + AGAIN, control)
        moment, said = _said_now(control, DOWN)
        if said:
            return moment, int(said.split()[1])
    raise ValueError(f"{params['router']['host']} does not answer: does the step run there, too?")


def _heard(control, flows, word, seconds):
    """The moment at which the router says a word, and all that it says. Raises ValueError after `seconds`."""
    flows.run_until(time.monotonic() + seconds, control)
    moment, said = _said_now(control, word)
    if not said:
        raise ValueError(f"the router does not say that the link is {word.decode()} again: look at its port")
    return moment, said


def _said_now(control, word):
    control.setblocking(False)
    try:
        said = control.recv(100)
    except OSError:
        return 0.0, b""
    return time.monotonic(), said if said.startswith(word) else b""


def _judge(ctx, params, carried, outages):
    """Judge the worst flow at both moments."""
    if carried < params["flows"]:
        raise ValueError(f"{params['link']} carried none of the flows, so nothing was measured: take another link")
    found = {moment: [round(1000 * seconds) for seconds in each] for moment, each in outages.items()}
    touched = {moment: sum(gap > 0 for gap in gaps) for moment, gaps in found.items()}
    ctx.set("fabric.convergence_v1", {"link": params["link"], "outages_ms": found, "flows_hit": touched})
    wrong = []
    for moment, words in MOMENTS.items():
        ctx.measure(f"flows_hit_{moment}", touched[moment], "flows")
        limit, worst = params[f"max_{moment}_ms"], max(found[moment])
        if ctx.check(f"outage_{moment}", worst, "ms", max=limit) == "failed":
            wrong.append(f"{worst} ms without packets {words}, at most {limit:g}: {ADVICE[moment]}")
    if wrong:
        raise Failed(f"{params['router']['host']}:{params['link']}: " + "; ".join(wrong))


ADVICE = {
    "down": "let the routers react to the carrier (BGP: fast external failover) or use BFD",
    "up": "announce routes only once the router can forward (BGP: update delay, wait for FIB)",
}
