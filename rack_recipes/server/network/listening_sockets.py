# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets that the server listens on: one on the network, with its TLS, and a Unix socket.

It lies in a folder that only its owner can enter, unless a policy lets other users of this machine in.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import re
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.server.network.clients import credentials_of

ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\[\]:]+)):([0-9]{1,5})")
BACKLOG = 2048
ADVICE = {
    errno.EADDRINUSE: "give another port, or 0 for any free one",
    errno.EADDRNOTAVAIL: "give an address of this machine, or 0.0.0.0 for all of them",
    errno.EACCES: "give a port from 1024 on",
}
MAKE_PAIR = (  # browsers know no certificates with ed25519
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout key.pem -out cert.pem "
    "-subj /CN=NAME"
)


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of TLS, in PEM form. `key` is None where it is in the file of the certificate."""

    cert: Path
    key: Path | None = None
    client_ca: Path | None = None


def parse_address(text: str) -> tuple[str, int]:
    """The host and the port of HOST:PORT. Raises UsageError."""
    found = ADDRESS.fullmatch(text)
    if not found or int(found[3]) > 65535:
        raise UsageError(f"--listen: expected HOST:PORT such as 127.0.0.1:8470 or [::1]:8470, got {text!r}")
    return found[1] or found[2], int(found[3])


def open_network_socket(text: str, tls: Tls | None) -> socket.socket:
    """A socket that listens at HOST:PORT. Raises UsageError, also for a network address without TLS."""
    host, port = parse_address(text)
    family, address = _resolved(host, port)
    if tls is None and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise UsageError(
            f"--listen {text} without TLS: everybody on the network could read tokens and values. Give --tls-cert and "
            f"--tls-key (`{MAKE_PAIR}` makes a pair to try), or listen on 127.0.0.1"
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        advice = ADVICE.get(error.errno or 0, "")
        raise UsageError(f"--listen {text}: {error.strerror}{f': {advice}' if advice else ''}") from error
    listener.setblocking(False)
    return listener


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageError(f"--listen: {host} is no address of a network: {error.strerror}") from error
    family, _kind, _protocol, _name, address = found[0]
    return family, address  # type: ignore[return-value]  # of IPv6 it has four parts


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the files say. With `client_ca` clients are asked for a certificate; one without sends a token instead.

    Raises UsageError.
    """
    _check_key(tls.key or tls.cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(f"--tls-cert {tls.cert}", lambda: context.load_cert_chain(tls.cert, tls.key, password=lambda: ""))
    if tls.client_ca:
        _load(f"--tls-client-ca {tls.client_ca}", lambda: context.load_verify_locations(tls.client_ca))
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _check_key(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise UsageError(f"--tls-key {key}: {error.strerror}") from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise UsageError(f"--tls-key {key}: everybody can read it, so it is no secret: chmod 600 {key}")


def _load(what: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise UsageError(f"{what}: is not in PEM form, or the key does not fit it: {error.reason}") from error
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror}") from error


LONGEST_PATH = 107  # bytes: sun_path has 108, the last one is NUL; see unix(7)
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
PRIVATE_MASK, OPEN_MASK = 0o177, 0o111  # the socket has mode 600 or 666


def open_unix_socket(path: Path, *, shared: bool = False) -> socket.socket:
    """A socket that listens at this path; one that an ended server has left there is replaced.

    With `shared` other users of this machine may connect, too; it is the server that tells who may do what.

    Raises UsageError where a server is alive there, and where the place is not fit for a socket.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise UsageError(f"{path}: a socket's path may have {LONGEST_PATH} bytes; give a shorter one with --socket")
    _check_folder(path.parent, shared=shared)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_stale(path)
        return _bound(path, OPEN_MASK if shared else PRIVATE_MASK)
    finally:
        os.close(lock)


def _check_folder(folder: Path, *, shared: bool) -> None:
    make_private(folder)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise UsageError(f"{folder} belongs to another user; give a socket in a folder of yours with --socket")
    if shared and found.st_mode & WRITABLE:
        raise UsageError(f"{folder} can be written by other users: chmod go-w {folder}, or give another --socket")
    if not shared and found.st_mode & OTHERS:
        raise UsageError(f"{folder} can be entered by other users: chmod 700 {folder}, or give another --socket")


def _remove_stale(path: Path) -> None:
    if not path.exists() and not path.is_symlink():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise UsageError(f"{path} is there and is no socket: remove it, or give another --socket")
    pid = _server_of(path)
    if pid:
        raise UsageError(
            f"a server listens at {path} already, process {pid}: use it, end it with `kill {pid}`, or give another "
            "--socket"
        )
    path.unlink()


def _server_of(path: Path) -> int:
    """The process that listens at a socket, 0 if none does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return 0
        return credentials_of(probe)[0]


def _bound(path: Path, mask: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(mask)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def remove_unix_socket(path: Path, inode: int) -> None:
    """Remove the socket, unless another server has put its own there meanwhile."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass
