# SPDX-License-Identifier: GPL-3.0-or-later

"""The webhook source of Event-Driven Ansible itself, out of the Python package `ansible-rulebook`.

There it is called `eda.builtin.webhook`; it is that of the collection `ansible.eda`, which no Python package has. The
package needs Java, so it is not installed: this one file is unpacked, once.
`python eda_webhook_source.py` does that and prints where it is.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PACKAGE = "ansible-rulebook>=1.3,<2"
FILE = "ansible_rulebook/event_source/webhook.py"
PLACE = Path(__file__).parents[2] / ".nox" / "eda-webhook-source" / "webhook.py"


def eda_webhook_source() -> Path:
    """The file of the source; it is fetched where it is not there yet."""
    if not PLACE.exists():
        with TemporaryDirectory() as folder:
            command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
            subprocess.run([*command, "--dest", folder, PACKAGE], check=True)
            [wheel] = Path(folder).glob("ansible_rulebook-*.whl")
            PLACE.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as archive:
                PLACE.write_bytes(archive.read(FILE))
    return PLACE


@contextmanager
def listening(secret: str) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The source in a process of its own, at a free port: its address, and the events that it passes on."""
    words = [sys.executable, __file__, "listen"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(f"{secret}\n")
            process.stdin.flush()
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/rack", map(json.loads, process.stdout)
        finally:
            process.terminate()


def _listen(secret: str) -> None:
    """Run the source; prints its port, and each event as a line of JSON."""
    from aiohttp import web

    class Site(web.TCPSite):
        async def start(self) -> None:
            await super().start()
            assert isinstance(self._server, asyncio.Server)
            print(self._server.sockets[0].getsockname()[1], flush=True)

    class Events(asyncio.Queue[Any]):
        async def put(self, item: Any) -> None:
            print(json.dumps(item), flush=True)

    web.TCPSite = Site  # type: ignore[misc]
    spec = importlib.util.spec_from_file_location("eda_webhook", eda_webhook_source())
    assert spec
    assert spec.loader
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    asyncio.run(source.main(Events(), {"host": "127.0.0.1", "port": 0, "hmac_secret": secret}))


if __name__ == "__main__":
    if sys.argv[1:] == ["listen"]:
        _listen(sys.stdin.readline().strip())
    else:
        print(eda_webhook_source())
