# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy in front of a host that fails as networks do: it holds data back, forgets connections, or resets them.

    with Proxy(member.address, member.port) as proxy:
        proxy.pause()

Needs no root.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

LISTENS_ON = "127.0.0.1"
CHUNK = 65536
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a connection is reset, not closed


class Proxy:
    """Passes on what comes to `LISTENS_ON:port` to a host, and back, in a thread of its own."""

    def __init__(self, address: str, port: int) -> None:
        self.port = 0
        self.delay = 0.0  # seconds that each piece takes on its way
        self._target = (address, port)
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._links: set[_Link] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def pause(self) -> None:
        """From now on let nothing through, in any connection, without an error."""
        self._call(self._open.clear)

    def resume(self) -> None:
        """Let through what was held back, and all new data."""
        self._call(self._open.set)

    def forget(self) -> int:
        """Drop all data of the present connections, as a restarted firewall does. Return their number."""
        return self._each(_Link.forget)

    def reset(self) -> int:
        """Reset the present connections on both sides. Return their number."""
        return self._each(_Link.reset)

    def _each(self, do: Callable[[_Link], None]) -> int:
        done: list[_Link] = []

        def call() -> None:
            done.extend(self._links)
            for link in done:
                do(link)

        self._call(call)
        return len(done)

    def _call(self, do: Callable[[], object]) -> None:
        async def called() -> None:
            do()

        asyncio.run_coroutine_threadsafe(called(), self._loop).result(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, LISTENS_ON, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(*self._target)
            link = _Link(writer, back)
            self._links.add(link)
            try:
                await asyncio.gather(self._pass_on(reader, back, link), self._pass_on(there, writer, link))
            finally:
                self._links.discard(link)
                for end in link.ends:
                    end.close()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, link: _Link) -> None:
        while data := await source.read(CHUNK):
            await asyncio.sleep(self.delay)
            await self._open.wait()
            await link.known.wait()
            target.write(data)
            await target.drain()
        target.write_eof()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class _Link:
    """One connection, with both of its ends."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self.ends = ends
        self.known = asyncio.Event()
        self.known.set()

    def forget(self) -> None:
        self.known.clear()

    def reset(self) -> None:
        for end in self.ends:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            end.transport.abort()
