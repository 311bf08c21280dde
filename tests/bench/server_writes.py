# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure versioned writes and reads of the context server beside a bare ASGI program, etcd and Valkey, in one run.

`server_speed.py` runs this. Each connection writes a key of its own again and again, each time based on the version
that it has written last. Then it reads that key again and again. All contestants get the same client, in turns. etcd
and Valkey take part where they are installed. The bare ASGI program does nothing but read the body and answer: it is
what the HTTP server costs without us. Figures are medians of rounds.
"""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

VALUE = json.dumps({"mean": 12.5, "count": 1000, "unit": "Gbit/s", "note": "x" * 120})
COMMAND = "from rack_recipes.cli.main import main; main()"
BARE = """\
import asyncio, sys, uvicorn
listeners = []
async def app(scope, receive, send):
    if scope["path"] == "/events":
        return await follow(send)
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    for listener in listeners:
        listener.put_nowait(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
async def follow(send):
    listener = asyncio.Queue()
    listeners.append(listener)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    text = b"retry: 1000"
    while True:
        await send({"type": "http.response.body", "body": text + b"\\n\\n", "more_body": True})
        text = b"data: " + await listener.get()
uvicorn.run(app, uds=sys.argv[1], log_level="critical", lifespan="off")
"""
SCRIPT = (
    "local v = redis.call('HGET', KEYS[1], 'v') or '0'; if v ~= ARGV[1] then return -1 end "
    "redis.call('HSET', KEYS[1], 'v', tonumber(v) + 1, 'd', ARGV[2]); return tonumber(v) + 1"
)
START = 30.0  # seconds
Request = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Contestant:
    """A server: how it is started in a folder, and what is sent to it by a connection.

    `write` and `read` get the number of the connection and that of its request, from 0. `is_whole` says whether an
    answer is complete. It raises ValueError for a refused write.
    """

    name: str
    start: Callable[[Path], tuple[list[str], str | int]]
    write: Request
    read: Request
    is_whole: Callable[[bytearray], bool]


@dataclass
class Connection:
    """One connection, with the number of the request that is on its way and the time when it was sent."""

    link: socket.socket
    number: int
    done: int = 0
    sent: float = 0.0
    answer: bytearray = field(default_factory=bytearray)


def http_whole(answer: bytearray) -> bool:
    """Whether an HTTP answer with a length is complete."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ValueError(bytes(answer[:300]))
    at = answer.lower().index(b"content-length:", 0, head)
    return len(answer) >= head + 4 + int(answer[at + 15 : answer.index(b"\r", at)])


def resp_whole(answer: bytearray) -> bool:
    """Whether Valkey's answer, a whole number or a text, is complete."""
    if answer.startswith((b"-", b":-", b"$-")):
        raise ValueError(bytes(answer))
    head, end, text = answer.partition(b"\r\n")
    return bool(end) and (not head.startswith(b"$") or len(text) == int(head[1:]) + 2)


def http_request(method: str, target: str, body: str) -> bytes:
    """A request with a JSON body."""
    head = f"{method} {target} HTTP/1.1\r\nHost: ctx\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


def put(connection: int, number: int) -> bytes:
    """A versioned write of ours; the bare program answers it, too."""
    return http_request("PUT", f"/ctx/bench.k{connection}_v1?version={number}", VALUE)


def get(connection: int, _number: int) -> bytes:
    """A read of the same key."""
    return f"GET /ctx/bench.k{connection}_v1 HTTP/1.1\r\nHost: ctx\r\n\r\n".encode()


def etcd_put(connection: int, number: int) -> bytes:
    """The same as a transaction of etcd: the key's version is compared, then the key is set."""
    key = b64encode(f"k{connection}".encode()).decode()
    compare = {"key": key, "target": "VERSION", "result": "EQUAL", "version": str(number)}
    change = {"requestPut": {"key": key, "value": b64encode(VALUE.encode()).decode()}}
    return http_request("POST", "/v3/kv/txn", json.dumps({"compare": [compare], "success": [change]}))


def etcd_get(connection: int, _number: int) -> bytes:
    """A read by etcd."""
    return http_request("POST", "/v3/kv/range", json.dumps({"key": b64encode(f"k{connection}".encode()).decode()}))


def valkey_put(connection: int, number: int) -> bytes:
    """The same as a script of Valkey."""
    return valkey_command("EVAL", SCRIPT, "1", f"k{connection}", str(number), VALUE)


def valkey_get(connection: int, _number: int) -> bytes:
    """A read by Valkey."""
    return valkey_command("HGET", f"k{connection}", "d")


def valkey_command(*words: str) -> bytes:
    """A command in Valkey's protocol."""
    return f"*{len(words)}\r\n{''.join(f'${len(word)}\r\n{word}\r\n' for word in words)}".encode()


def ours(durability: str) -> Callable[[Path], tuple[list[str], str | int]]:
    """The context server."""

    def start(folder: Path) -> tuple[list[str], str | int]:
        path = str(folder / "ctx.sock")
        return [sys.executable, "-c", COMMAND, "serve", "--socket", path, "--durability", durability], path

    return start


def bare(folder: Path) -> tuple[list[str], str | int]:
    """The bare ASGI program."""
    return [sys.executable, "-c", BARE, str(folder / "bare.sock")], str(folder / "bare.sock")


def etcd(folder: Path) -> tuple[list[str], str | int]:
    """Start etcd on free ports."""
    client, peer = free_port(), free_port()
    own, other = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    options = ["--listen-client-urls", own, "--advertise-client-urls", own, "--listen-peer-urls", other]
    more = ["--initial-advertise-peer-urls", other, "--initial-cluster", f"default={other}"]
    return ["etcd", "--data-dir", str(folder / "etcd"), "--log-level", "fatal", *options, *more], client


def valkey(folder: Path) -> tuple[list[str], str | int]:
    """Start Valkey with its log of changes, which is synced each second."""
    path = str(folder / "valkey.sock")
    kept = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    return ["valkey-server", "--port", "0", "--unixsocket", path, "--dir", str(folder), *kept], path


CONTESTANTS = (
    Contestant("bare ASGI", bare, put, get, http_whole),
    Contestant("ours", ours("journal"), put, get, http_whole),
    Contestant("ours, fsync", ours("fsync"), put, get, http_whole),
    Contestant("etcd", etcd, etcd_put, etcd_get, http_whole),
    Contestant("Valkey, everysec", valkey, valkey_put, valkey_get, resp_whole),
)
NEEDED = {"etcd": "etcd", "Valkey, everysec": "valkey-server"}


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def started(contestant: Contestant) -> Iterator[str | int]:
    """The contestant, in a folder of its own; nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="rb"))
    words, address = contestant.start(folder)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, cwd=folder, **quiet)  # type: ignore[call-overload]
    try:
        until = time.monotonic() + START
        while True:
            try:
                connect(address).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def connect(address: str | int) -> socket.socket:
    """A connection to a Unix socket, or to a port of this machine."""
    link = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    link.connect(address if isinstance(address, str) else ("127.0.0.1", address))
    return link


def storm(
    contestant: Contestant, address: str | int, connections: int, seconds: float, request: Request
) -> list[float]:
    """The seconds that each request took, of all that ended in time."""
    selector = selectors.DefaultSelector()
    took: list[float] = []
    for number in range(connections):
        connection = Connection(connect(address), number)
        selector.register(connection.link, selectors.EVENT_READ, connection)
        send(request, connection)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _events in selector.select(1):
            connection = key.data
            connection.answer += connection.link.recv(65536)
            if contestant.is_whole(connection.answer):
                took.append(time.monotonic() - connection.sent)
                connection.done += 1
                send(request, connection)
    for key in [*selector.get_map().values()]:
        key.data.link.close()
    return took


def send(request: Request, connection: Connection) -> None:
    """Send the next request of a connection."""
    connection.answer.clear()
    text = request(connection.number, connection.done)
    connection.sent = time.monotonic()
    connection.link.sendall(text)


def measured(contestant: Contestant, connections: int, seconds: float) -> tuple[float, ...]:
    """Writes a second, and the median and the 99th percentile of their times in milliseconds; the same of reads."""
    with started(contestant) as address:
        done = [storm(contestant, address, connections, seconds, each) for each in (contestant.write, contestant.read)]
    return tuple(figure for took in done for figure in _summed_up(sorted(took), seconds))


def _summed_up(took: Sequence[float], seconds: float) -> tuple[float, float, float]:
    return len(took) / seconds, 1000 * took[len(took) // 2], 1000 * took[len(took) * 99 // 100]


def medians(connections: int, seconds: float, rounds: int) -> dict[str, tuple[float, ...]]:
    """What `measured` finds for each contestant that is installed: medians of rounds, in which they take turns."""
    there = [one for one in CONTESTANTS if one.name not in NEEDED or shutil.which(NEEDED[one.name])]
    found: dict[str, list[tuple[float, ...]]] = {one.name: [] for one in there}
    for _round in range(rounds):
        for one in there:
            found[one.name].append(measured(one, connections, seconds))
    return {
        name: tuple(statistics.median(column) for column in zip(*each, strict=True)) for name, each in found.items()
    }
