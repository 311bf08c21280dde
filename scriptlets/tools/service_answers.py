# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a port or a web service answers, and in which way it does not: refused, silent, unreachable or unknown."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from scriptlets.tools.http_client import HttpClient, NoAnswerError, kind_of, trust

LARGEST = 16 << 20  # bytes of an answer
LARGEST_PACKET = 65535  # bytes
LABEL = 63  # characters in a part of a name (RFC 1035)
ADVICE = {
    "refused": "refuses the connection: start the service, or correct the port",
    "silent": "does not answer: look at the power of the host, its route and firewalls on the way",
    "unreachable": "cannot be reached: look at routes and cables",
    "unknown": "has a name that is not resolved: correct the name, or look at the name servers",
}


class NotHttpError(ValueError):
    """Something answered, but not as a web service that can be trusted: the message says what to do."""


@dataclass(frozen=True)
class PortAnswer:
    """How a port is: `open`, or a word of `ADVICE`; after how many milliseconds that was known."""

    state: str
    ms: float


@dataclass(frozen=True)
class HttpAnswer:
    """What a web service answered; `tls_days_left` is None where no certificate was verified."""

    status: int
    body: str
    ms: float
    tls_days_left: float | None


class NoServiceError(Exception):
    """Nothing answered: `state` is a word of `ADVICE`."""

    def __init__(self, state):
        super().__init__(ADVICE[state])
        self.state = state


def ask_port(host, port, protocol, seconds, payload=b""):
    """How a port answers: to a TCP connection, or to a UDP packet with `payload`. All addresses of a name are tried."""
    started = time.monotonic()
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[protocol]
    try:
        addresses = socket.getaddrinfo(host, port, type=kind)
    except (socket.gaierror, UnicodeError):
        return PortAnswer("unknown", _ms(started))
    answers = []
    for family, *_rest, address in addresses:
        started = time.monotonic()
        state = _state(family, kind, address, seconds, payload)
        answers.append(PortAnswer(state, _ms(started)))
        if state == "open":
            break
    return answers[-1] if answers[-1].state == "open" else answers[0]


def _state(family, kind, address, seconds, payload):
    try:
        with socket.socket(family, kind) as asked:
            asked.settimeout(seconds)
            asked.connect(address)
            if kind == socket.SOCK_DGRAM:
                asked.send(payload)
                asked.recv(LARGEST_PACKET)
    except OSError as error:
        return kind_of(error)
    return "open"


def _ms(started):
    return round(1000 * (time.monotonic() - started), 2)


def check_url(url):
    """Raises ValueError for what is no address of a web service, or has a password in it."""
    parts = urlsplit(url)
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not is_plain or not _is_name(parts.hostname or ""):
        raise ValueError(f"url: expected http://HOST... or https://HOST..., got {url!r}")
    if parts.username is not None:
        raise ValueError("url: expected no user in it: give user and password as arguments of their own")


def _is_name(name):
    return all(0 < len(label) <= LABEL for label in name.rstrip(".").split("."))


def ask_http(url, seconds, method="GET", headers=(), body=None, ca_file=None, *, verify=True):
    """What a web service answers; redirections are not followed. `seconds` hold for each part of the answer.

    Raises NoServiceError where there is no connection, NotHttpError for an answer that is none, and for a certificate
    that is not trusted, and ValueError for a `ca_file` that is none.
    """
    parts = urlsplit(url)
    context = trust(verify=verify, ca=ca_file, name="ca_file") if parts.scheme == "https" else None
    client = HttpClient(url, seconds, context=context, most_bytes=LARGEST)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    started = time.monotonic()
    try:
        answer = client.ask(method, path, body, headers)
    except NoAnswerError as error:
        raise _wrong(error, parts.scheme.upper()) from None
    finally:
        client.close()
    body = answer.body.decode("utf-8", "backslashreplace")
    return HttpAnswer(answer.status, body, _ms(started), client.days_left)


def _wrong(error, scheme):
    """The exception that says what to do where there is no answer."""
    if error.kind in ADVICE:
        return NoServiceError(error.kind)
    if error.kind == "untrusted":
        return NotHttpError(f"has a certificate that is not trusted ({error}): renew it, or give its ca_file")
    if error.kind == "too_large":
        return NotHttpError(f"answers more than {LARGEST >> 20} MiB: ask for less")
    return NotHttpError(f"does not speak {scheme} ({error}): correct the address")
