# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that serves pages: on this machine's own address, or on a network, as the context server is."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rack_recipes.errors import UsageError
from rack_recipes.server.access.identify import Identify
from rack_recipes.server.guarded_server import Listener, count_request, guarded_server
from rack_recipes.server.network.client_limits import Limits, Turnstile, with_room
from rack_recipes.server.network.guarded_protocol import guarded_protocol
from rack_recipes.server.uvicorn_config import uvicorn_config
from rack_recipes.web.page_source import PageSource
from rack_recipes.web.sign_in import Sessions
from rack_recipes.web.site import Site

if TYPE_CHECKING:
    import uvicorn

DEFAULT = "127.0.0.1:8321"
NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def check_packages() -> None:
    """Raise UsageError if the package of the server is not installed."""
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"pages need further packages: {error}: `pip install 'rack-recipes[server]'` brings them"
        ) from error


def is_own_address(listener: Listener) -> bool:
    """Whether only this machine can reach it."""
    address = str(listener.socket.getsockname()[0]).partition("%")[0]
    return ipaddress.ip_address(address).is_loopback


def names_of(listener: Listener) -> frozenset[str] | None:
    """The names that a browser may call it by; None with TLS, where the certificate says which name counts."""
    named = listener.url.partition("://")[2].rpartition(":")[0]
    return None if listener.tls else NAMES | {named}


def serve(
    source: PageSource, listener: Listener, identify: Identify, limits: Limits, ready: Callable[[], None]
) -> None:
    """Serve pages until SIGTERM or SIGINT. `ready` is called once requests are answered."""
    turnstile = Turnstile(with_room(limits), time.monotonic)
    sessions = Sessions(identify, secure=listener.tls is not None)
    site = Site(source, sessions, partial(count_request, turnstile=turnstile), names_of(listener))

    async def started(_server: uvicorn.Server) -> None:
        ready()

    config = uvicorn_config(site, http=guarded_protocol(turnstile))
    guarded_server(config, [listener], turnstile, started, site.ending.set).run([])
