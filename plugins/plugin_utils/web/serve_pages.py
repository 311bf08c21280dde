# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that serves pages: a socket on this machine's own address, and an end that leaves no browser hanging."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.server import end_signals
from ansible_collections.rack.recipes.plugins.plugin_utils.server.uvicorn_config import uvicorn_config
from ansible_collections.rack.recipes.plugins.plugin_utils.web.page_source import PageSource
from ansible_collections.rack.recipes.plugins.plugin_utils.web.sign_in import Sessions
from ansible_collections.rack.recipes.plugins.plugin_utils.web.site import Site

DEFAULT = "127.0.0.1:8321"
BACKLOG = 128
NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def check_packages() -> None:
    """Raise UsageError if the package of the server is not installed."""
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"pages need further packages: {error}: `pip install 'rack-recipes[server]'` brings them"
        ) from error


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A socket that listens at HOST:PORT of this machine alone during the block; port 0 is any free one.

    Raises UsageError for another address, and for a port that is in use.
    """
    host, port = _parsed(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
            made.listen(BACKLOG)
        except OSError as error:
            raise UsageError(
                f"--listen {address}: {error.strerror}; give another port, or 0 for any free one"
            ) from error
        yield made


def _parsed(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    bare = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        is_own = ipaddress.ip_address(bare).is_loopback
        number = int(port)
    except ValueError:
        is_own, number = False, -1
    if not colon or not 0 <= number <= 65535:
        raise UsageError(f"--listen {address}: expected HOST:PORT, such as {DEFAULT}")
    if not is_own:
        raise UsageError(
            f"--listen {address}: pages are served on this machine's own address alone, such as {DEFAULT}; from "
            f"elsewhere use `ssh -L 8321:{DEFAULT} THIS_MACHINE`"
        )
    return bare, number


def url_of(listener: socket.socket) -> str:
    """The address of a listening socket, for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(source: PageSource, listener: socket.socket, sessions: Sessions | None, ready: Callable[[], None]) -> None:
    """Serve pages until SIGTERM or SIGINT. `ready` is called once requests are answered."""
    import uvicorn

    site = Site(source, NAMES | {listener.getsockname()[0]}, sessions)

    class Server(uvicorn.Server):
        """A server that ends its event streams first: uvicorn would wait for them."""

        async def startup(self, sockets: Any = None) -> None:
            """Listen, and say so."""
            await super().startup(sockets)
            ready()

        async def shutdown(self, sockets: Any = None) -> None:
            """End: first the streams, then what is being answered."""
            site.ending.set()
            await super().shutdown(sockets)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Let SIGTERM and SIGINT end the server in good order, with exit code 0."""
            with end_signals.handled_by(lambda *_signal: end_signals.end(self)):
                yield

    Server(uvicorn_config(site)).run([listener])
