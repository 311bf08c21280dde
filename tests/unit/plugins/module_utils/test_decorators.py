# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import decorators

LINE = re.compile(r"\[resource\] step=(\w+) duration_sec=(\d+\.\d{3}) memory_diff=(\d+\.\d)MB\n")


class Step:
    @decorators.track_resources
    def run(self, ctx, params):
        """What it does."""
        if params.get("fail"):
            raise OSError("broken")
        self.kept = bytearray(params.get("size", 0))
        return ctx, params

    @decorators.track_resources
    def filling(self, ctx, params):
        kept = bytearray(b"x" * params["size"])
        return len(kept)


def test_the_method_stays_what_it_was():
    assert Step().run(1, {}) == (1, {})
    assert (Step.run.__name__, Step.run.__doc__) == ("run", "What it does.")


def test_what_it_took_is_logged(capsys):
    Step().filling(None, {"size": 64 * 1024 * 1024})
    name, seconds, grown = LINE.fullmatch(capsys.readouterr().err).groups()
    assert name == "Step"
    assert 0 <= float(seconds) < 30
    assert 0 <= float(grown) < 1000


def test_it_is_logged_where_the_method_fails_too(capsys):
    with pytest.raises(OSError):
        Step().run(None, {"fail": True})
    assert LINE.fullmatch(capsys.readouterr().err)


def test_any_class_can_be_registered(monkeypatch):
    monkeypatch.setattr(decorators, "REGISTRY", {})
    assert decorators.register_scriptlet(Step) is Step
    assert {"Step": Step} == decorators.REGISTRY
