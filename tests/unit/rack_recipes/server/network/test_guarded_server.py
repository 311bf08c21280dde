# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGTERM and SIGINT end a server in good order."""

from __future__ import annotations

import signal
from types import SimpleNamespace

from rack_recipes.server.network.guarded_server import end_server, handle_end_signals


def test_a_signal_goes_to_the_handler_and_later_to_the_earlier_one(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    got: list[int] = []
    with handle_end_signals(lambda number, _frame: got.append(number)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert got == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with handle_end_signals(lambda *_signal: None):
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_second_request_waits_for_nobody():
    server = SimpleNamespace(should_exit=False, force_exit=False)
    end_server(server)
    assert (server.should_exit, server.force_exit) == (True, False)
    end_server(server)
    assert (server.should_exit, server.force_exit) == (True, True)
