# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Valkey server for tests, with a data folder, a port and a password. Needs no root.

with ValkeyServer() as shared:
    client = valkey.Valkey.from_url(shared.url)
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import valkey

from database_servers import ADDRESS, Database
from service_supervisor import program


class ValkeyServer(Database):
    """Valkey from Debian's package valkey-tools, which has the whole program; by default it keeps each write."""

    title, name, package = "Valkey", "valkey-server", "valkey-tools"

    @property
    def url(self) -> str:
        """The server's address, password included."""
        return f"valkey://:{self.password}@{ADDRESS}:{self.port}/0"

    def _prepare(self) -> None:
        link = self.folder / self.name  # the program does what the name says that it is called by
        if not link.is_symlink():
            link.symlink_to(program("valkey-check-rdb", self.package))

    def _command(self) -> Sequence[str]:
        options = {
            "bind": ADDRESS,
            "port": str(self.port),
            "dir": str(self.folder),
            "requirepass": self.password,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            **self.options,
        }
        return [str(Path(self.folder, self.name)), *(word for name in options for word in (f"--{name}", options[name]))]

    def _answers(self) -> bool:
        with contextlib.suppress(valkey.ValkeyError), valkey.Valkey.from_url(self.url, socket_timeout=1) as client:
            return bool(client.ping())
        return False

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It answers nothing during the block, as behind a network that lets nothing through."""
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
