# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.model_server import (
    ModelServer,
    model_server,
)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that stands for a language model. No proxy of this machine comes between."""
    monkeypatch.setenv("no_proxy", "*")
    server: ModelServer
    with model_server() as server:
        yield server
