# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a scriptlet as the executor does, with the real view of the context."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete_arguments
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView


class Outcome:
    """What a scriptlet set, measured and judged."""

    def __init__(self, events):
        self.context = {event["key"]: event["after"] for event in events if event["kind"] == "delta"}
        measured = [event for event in events if event["kind"] == "measurement"]
        self.measurements = {event["name"]: (event["value"], event["unit"]) for event in measured}
        self.checks = {event["name"]: event["verdict"] for event in measured if "verdict" in event}


@pytest.fixture
def run():
    def run(scriptlet, params, hosts=None):
        """Run a class; `hosts` are the keys of every host, for one that runs once for the run."""
        events = []
        others = {host: {key: [1, value] for key, value in keys.items()} for host, keys in (hosts or {}).items()}
        ctx = ContextView("step", "" if hosts else "r1", scriptlet.scope, {}, {}, others, events.append)
        given = complete_arguments(scriptlet.options, params)
        scriptlet().validate(ctx, given)
        scriptlet().run(ctx, given)
        assert set(Outcome(events).context) == set(scriptlet.writes)
        return Outcome(events)

    return run
