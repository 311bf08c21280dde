# SPDX-License-Identifier: GPL-3.0-or-later

"""The ends of a stream that hear of each other by the live bus, which is an object in memory here."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.live_client import TimedOut

GIVEN = {"flow": "f", "timeout": 30.0}
SHELL = ["sh", "-c"]


class Bus:
    """Messages, for threads."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}
        self._news = threading.Condition()

    def send(self, name: str, value: Any = None) -> None:
        with self._news:
            self.sent[name] = value
            self._news.notify_all()

    def wait(self, name: str, timeout: float) -> Any:
        with self._news:
            if not self._news.wait_for(lambda: name in self.sent, timeout):
                raise TimedOut(name)
            return self.sent[name]


class Context:
    """What a step has set, measured and checked."""

    def __init__(self, live: Bus) -> None:
        self.live = live
        self.found: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        self.found[key] = value

    def measure(self, name: str, value: Any, _unit: str) -> None:
        self.found[name] = value

    def check(self, name: str, value: Any, _unit: str, **limits: float) -> str:
        self.found[name] = value
        return "failed" if value > limits["max"] else "passed"


def receiving(scriptlet, bus, **params):
    """The receiver in a thread; returns a function that waits for its end and gives its context, or raises."""
    module, ctx, raised = scriptlet("traffic.receive"), Context(bus), []
    given = {**GIVEN, "address": "127.0.0.1", "gap_ms": 50.0, "max_gap_ms": None, "max_lost_percent": 0.0, **params}

    def run() -> None:
        try:
            module.Receive().run(ctx, given)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> Context:
        thread.join(60)
        if raised:
            raise raised[0]
        return ctx

    return end


def test_packets_are_sent_when_the_other_end_listens(scriptlet):
    bus, ctx = Bus(), Context(Bus())
    ctx.live = bus
    end = receiving(scriptlet, bus)
    scriptlet("traffic.send").Send().run(ctx, {**GIVEN, "rate": 500.0, "seconds": 0.2})
    found = end().found
    assert found["traffic.received_v1"]["sent"] == found["traffic.received_v1"]["received"] == ctx.found["sent"] > 1
    assert found["lost"] == 0
    assert "f.flows" in bus.sent


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_gap_and_lost_packets_are_told(scriptlet, address):
    bus, stream = Bus(), scriptlet("tools.live_stream")
    end = receiving(scriptlet, bus, max_gap_ms=10.0, address=address)
    there = bus.wait("f.listens", 30)
    with stream.sender(there["address"], there["port"]) as link:
        link.send(stream.packet(0))
        bus.wait("f.gap", 30)
        link.send(stream.packet(3))
        assert bus.wait("f.back", 30) >= 50
    bus.send("f.sent", 4)
    with pytest.raises(Exception, match=r"2 of 4 packets were lost; no packet came for .* ms: look at the errors"):
        end()


def test_nobody_sends(scriptlet):
    with pytest.raises(ValueError, match="no packet came within 0 s: look at the step that sends"):
        receiving(scriptlet, Bus(), timeout=0.0)()


def test_the_stream_ends_when_it_is_told(scriptlet):
    bus, ctx = Bus(), Context(Bus())
    ctx.live = bus
    bus.send("f.listens", {"address": "127.0.0.1", "port": 9})
    bus.send("f.stop")
    began = time.monotonic()
    scriptlet("traffic.send").Send().run(ctx, {**GIVEN, "rate": 100.0, "seconds": 600.0})
    assert time.monotonic() - began < 60
    assert bus.sent["f.sent"] == ctx.found["sent"]


def test_a_disturbance_goes_on_as_soon_as_it_is_seen(scriptlet, tmp_path):
    bus, ctx = Bus(), Context(Bus())
    ctx.live = bus
    for name, value in (("flows", None), ("gap", None), ("back", 120.5)):
        bus.send(f"f.{name}", value)
    words = {word: [*SHELL, f"echo {word} >> {tmp_path}/log"] for word in ("down", "up")}
    scriptlet("traffic.disturb").Disturb().run(ctx, {**GIVEN, **words, "hold": 600.0})
    assert (tmp_path / "log").read_text() == "down\nup\n"
    assert ctx.found == {"gaps": 1, "back": 120.5}
    assert "f.stop" in bus.sent


def test_what_was_taken_down_comes_up_again_in_any_case(scriptlet, tmp_path):
    bus, ctx = Bus(), Context(Bus())
    ctx.live = bus
    bus.send("f.flows")
    up = [*SHELL, f"echo up >> {tmp_path}/log"]
    with pytest.raises(ValueError, match="sh -c false ended with exit code 1"):
        scriptlet("traffic.disturb").Disturb().run(ctx, {**GIVEN, "down": [*SHELL, "false"], "up": up, "hold": 0.0})
    scriptlet("traffic.disturb").Disturb().run(ctx, {**GIVEN, "down": ["true"], "up": up, "hold": 0.0})
    assert (tmp_path / "log").read_text() == "up\nup\n"
    assert ctx.found == {"gaps": 0}
