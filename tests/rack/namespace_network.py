# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts in racks, each in a network namespace, with real traffic between them and real faults by `tc`. Needs root.

Each rack is a bridge, with an uplink to a bridge in the middle. The namespaces have no names: they are held open by
this process, and the kernel removes them with it, however it ends. All ports have a rate, healthy ones a high one.

    with Network({"n1": "rack0", "n2": "rack0", "n3": "rack1"}) as network:
        network.slow_node("n1")
        network.outcomes([("n1", "n3")])
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from types import TracebackType
from typing import Self

from rack_recipes.plan.members.match_members import round_robin
from service_supervisor import ServiceError, program

PORT = 7000
SIZE = 32_000  # bytes each way
GOOD, WIDE, SLOW = "200mbit burst 64kb", "1600mbit burst 256kb", "400kbit burst 4kb"
# A slow port needs 0.6 s for the bytes, a good one 0.001 s. Only the machine can make a good one slower, so the best
# of several tries counts, and each must end in less than a slow port can do. A try counts only where this process was
# not kept waiting for its turn.
PATIENCE = (0.04, 0.08, 0.15, 0.3)
MOST_VOID, PAUSE = 40, 0.1  # tries that do not count, and seconds after one
TICK, KEPT_WAITING = 0.005, 0.25  # seconds of a look, and the part of a try that may be lost
SETTLE = 0.06  # seconds in which a slow port has sent what waits in it
CONNECT, ERRORS = 3.0, 3  # seconds for a connection, and how often it is tried
RESET = struct.pack("ii", 1, 0)  # what has not arrived is thrown away
SHAPED = "qdisc replace dev {} root tbf rate {} latency 20ms"
ONE_PAIR = (  # a class of its own for what goes to one host
    "qdisc replace dev eth0 root handle 1: htb default 10",
    "class add dev eth0 parent 1: classid 1:10 htb rate 200mbit burst 64kb quantum 20000",
    "class add dev eth0 parent 1: classid 1:20 htb rate 400kbit burst 4kb cburst 4kb quantum 2000",
    "filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst {}/32 flowid 1:20",
)


def objection() -> str:
    """Why this machine cannot make such a network; an empty text if it can."""
    if os.geteuid():
        return "a network namespace needs root"
    try:
        with Network({"a": "rack0", "b": "rack0", "c": "rack1"}) as network:
            network.slow_pair("a", "b")
            return ""
    except (ServiceError, OSError) as error:
        return str(error)


def new_namespace() -> int:
    """A descriptor of a new network namespace; it ends when that is closed and nothing in it is open."""
    made: list[int] = []

    def make() -> None:
        with suppress(OSError):
            os.unshare(os.CLONE_NEWNET)
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)  # the namespace of this thread stays as it is
    thread.start()
    thread.join()
    if not made:
        raise ServiceError("this machine makes no network namespace")
    return made[0]


@dataclass
class Way:
    """A connection of a pair: what has come to either end."""

    ends: tuple[socket.socket, socket.socket]
    left: list[int] = field(default_factory=lambda: [SIZE, SIZE])  # to be sent by either end
    missing: list[int] = field(default_factory=lambda: [SIZE, SIZE])  # to arrive at either end

    def close(self) -> None:
        """Close both ends at once."""
        for end in self.ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


class Network:
    """The hosts by name, each with its rack."""

    def __init__(self, racks: Mapping[str, str]) -> None:
        self.racks = dict(racks)
        self._uplinks = {rack: f"up{number}" for number, rack in enumerate(dict.fromkeys(racks.values()))}
        self.addresses = {host: f"10.1.{n // 200}.{n % 200 + 1}" for n, host in enumerate(self.racks)}
        self._names = {address: host for host, address in self.addresses.items()}
        self._ports = {host: f"p{number}" for number, host in enumerate(self.racks)}
        self._ip, self._tc = program("ip", "iproute2"), program("tc", "iproute2")
        self._open = ExitStack()
        self._home = self._middle = -1
        self._spaces: dict[str, int] = {}
        self._servers: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        try:
            self._home = self._descriptor(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
            self._middle = self._descriptor(new_namespace())
            self._spaces = {host: self._descriptor(new_namespace()) for host in self.racks}
            self._run(self._ip, self._middle, self._cables())
            for host, address in self.addresses.items():
                self._run(self._ip, self._spaces[host], self._port(host))
                with self._inside(self._spaces[host]):
                    server = self._open.enter_context(socket.create_server((address, PORT), backlog=len(self.racks)))
                self._servers[host] = server
            self.heal(self.racks, self._uplinks)
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _descriptor(self, opened: int) -> int:
        self._open.callback(os.close, opened)
        return opened

    def _cables(self) -> Iterator[str]:
        yield "link add middle type bridge"
        yield "link set middle up"
        for rack, uplink in self._uplinks.items():
            yield f"link add b{uplink} type bridge"
            yield f"link set b{uplink} up"
            yield f"link add {uplink} type veth peer name d{uplink}"
            yield f"link set {uplink} master b{uplink} up"
            yield f"link set d{uplink} master middle up"
            for host in (host for host, own in self.racks.items() if own == rack):
                there = f"/proc/{os.getpid()}/fd/{self._spaces[host]}"
                yield f"link add {self._ports[host]} type veth peer name eth0 netns {there}"
                yield f"link set {self._ports[host]} master b{uplink} up"

    def _port(self, host: str) -> Iterator[str]:
        """The port of a host, which knows all others: there are too many pairs for the kernel's table of neighbours."""
        hardware = {other: f"02:00:00:00:{n // 256:02x}:{n % 256:02x}" for n, other in enumerate(self.addresses)}
        yield f"link set eth0 address {hardware[host]} up"
        yield f"address add {self.addresses[host]}/16 dev eth0"
        for other, address in self.addresses.items():
            if other != host:
                yield f"neighbour add {address} lladdr {hardware[other]} dev eth0 nud permanent"

    @contextmanager
    def _inside(self, space: int) -> Iterator[None]:
        """What this thread opens and starts is in a namespace."""
        os.setns(space, os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(self._home, os.CLONE_NEWNET)

    def _run(self, command: str, space: int, lines: Iterable[str]) -> None:
        with self._inside(space):
            given = "\n".join(lines)
            done = subprocess.run((command, "-batch", "-"), input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"{command}: {done.stderr.strip()}")

    def slow_node(self, host: str, ways: str = "both") -> None:
        """The port of a host is slow: to it, from it, or both ways."""
        if ways != "to":
            self._run(self._tc, self._spaces[host], [SHAPED.format("eth0", SLOW)])
        if ways != "from":
            self._run(self._tc, self._middle, [SHAPED.format(self._ports[host], SLOW)])

    def slow_uplink(self, rack: str, ways: str = "both") -> None:
        """The uplink of a rack is slow: to it, from it, or both ways."""
        wanted = {"to": ("d",), "from": ("",), "both": ("", "d")}[ways]
        self._run(self._tc, self._middle, [SHAPED.format(f"{side}{self._uplinks[rack]}", SLOW) for side in wanted])

    def slow_pair(self, one: str, other: str) -> None:
        """What these two send to each other is slow, and nothing else."""
        for host, peer in ((one, other), (other, one)):
            self._run(self._tc, self._spaces[host], [line.format(self.addresses[peer]) for line in ONE_PAIR])

    def heal(self, hosts: Iterable[str], racks: Iterable[str] = ()) -> None:
        """These hosts and uplinks have the rate of good ones."""
        ports = []
        for host in hosts:
            self._run(self._tc, self._spaces[host], [SHAPED.format("eth0", GOOD)])
            ports.append(SHAPED.format(self._ports[host], GOOD))
        ports += [SHAPED.format(f"{side}{self._uplinks[rack]}", WIDE) for rack in racks for side in ("", "d")]
        self._run(self._tc, self._middle, ports)

    def outcomes(self, tests: Sequence[Sequence[str]]) -> list[bool | None]:
        """Whether all members of each test send to each other in time; None where they do not meet.

        The tests are beside each other, and in each one pair of each host after the other. It ends with a pair that is
        too slow.
        """
        ended: dict[int, bool | None] = {}
        for turn in zip_longest(*map(round_robin, tests), fillvalue=()):
            left = {pair: number for number, pairs in enumerate(turn) if number not in ended for pair in pairs}
            patience, void = [*PATIENCE], 0
            while left and patience:
                slow, is_counted = self._volley([*left], patience[0])
                ended |= {left[pair]: None for pair, has_met in slow.items() if not has_met}
                left = {pair: left[pair] for pair in slow if left[pair] not in ended}
                void += not is_counted
                if void > MOST_VOID:
                    ended |= dict.fromkeys(left.values())
                    break
                if left:
                    time.sleep(SETTLE if is_counted else PAUSE)
                patience = patience[is_counted:]
            left = {pair: number for pair, number in left.items() if number not in ended}
            ended |= dict.fromkeys(left.values(), False)
        return [ended.get(number, True) for number in range(len(tests))]

    def _volley(self, pairs: Sequence[tuple[str, str]], patience: float) -> tuple[dict[tuple[str, str], bool], bool]:
        """Let pairs send at the same time.

        Returns those that did not end in time, with whether they met, and whether the machine gave them the time.
        """
        ways = {pair: self._met(*pair) for pair in pairs}
        met = {pair: way for pair, way in ways.items() if way}
        lost = send([*met.values()], patience)
        for way in met.values():
            way.close()
        slow = {pair: way is not None for pair, way in ways.items() if way is None or any(way.missing)}
        return slow, lost < KEPT_WAITING * patience

    def _met(self, one: str, other: str) -> Way | None:
        """A connection from one to the other; None where there is none after some tries."""
        for _try in range(ERRORS):
            with self._inside(self._spaces[one]):
                client = socket.socket()
            client.settimeout(CONNECT)
            try:
                client.connect((self.addresses[other], PORT))
                own = client.getsockname()
                self._servers[other].settimeout(CONNECT)
                while True:  # one that was given up may still wait
                    server, peer = self._servers[other].accept()
                    if peer == own:
                        return Way((client, server))
                    server.close()
            except OSError:
                client.close()
                time.sleep(SETTLE)
        return None


def send(ways: Sequence[Way], patience: float) -> float:
    """Send both ways over all connections, until all has arrived or the time is over.

    Returns the seconds in which this thread neither waited for data nor ran.
    """
    data, began, ran, waited = bytes(SIZE), time.monotonic(), time.thread_time(), 0.0
    until = began + patience
    with selectors.DefaultSelector() as selector:
        for way in ways:
            for side, end in enumerate(way.ends):
                end.setblocking(False)
                selector.register(end, selectors.EVENT_READ | selectors.EVENT_WRITE, (way, side))
        while selector.get_map() and (left := until - time.monotonic()) > 0:
            asked, before = min(TICK, left), time.monotonic()
            events = selector.select(asked)
            waited += min(asked, time.monotonic() - before)
            for key, which in events:
                _go_on(selector, key, which, data, until)
    return time.monotonic() - began - waited - (time.thread_time() - ran)


def _go_on(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, events: int, data: bytes, until: float
) -> None:
    """Send and read what an end can. What is read too late does not count: the machine may have slept meanwhile."""
    (way, side), end = key.data, key.fileobj
    assert isinstance(end, socket.socket)
    if events & selectors.EVENT_WRITE:
        way.left[side] -= end.send(data[: way.left[side]])
    if events & selectors.EVENT_READ:
        came = len(end.recv(SIZE))
        way.missing[side] -= came if time.monotonic() < until else 0
    wanted = (selectors.EVENT_WRITE if way.left[side] else 0) | (selectors.EVENT_READ if way.missing[side] else 0)
    if not wanted:
        selector.unregister(end)
    elif wanted != key.events:
        selector.modify(end, wanted, key.data)
