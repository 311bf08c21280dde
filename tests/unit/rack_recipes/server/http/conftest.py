# SPDX-License-Identifier: GPL-3.0-or-later

"""A context that is served, and who asks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import begun, opened
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.app import make_app
from rack_recipes.server.served_context import Service, make_service


@pytest.fixture
def about_run() -> dict[str, Any]:
    """Further fields of the run record."""
    return {}


@pytest.fixture
def service(tmp_path: Path, about_run: dict[str, Any]) -> Service:
    """What is served."""
    return make_service(opened(begun(tmp_path, **about_run)))


@pytest.fixture
def app(service: Service) -> Any:
    """Its application, where everybody is zoe."""
    return make_app(service, lambda _scope: Caller("zoe"))


@pytest.fixture
def ask(app: Any) -> Any:
    """Send a request to it."""
    return partial(call, app)
