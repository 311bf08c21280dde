# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a port or a web service answers, and in which way it does not: refused, silent, unreachable or unknown."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

LARGEST = 16 << 20  # bytes of an answer
LARGEST_PACKET = 65535  # bytes
DAY = 86400  # seconds
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


def state_of(error):
    """Which word of `ADVICE` an OSError means."""
    if isinstance(error, socket.gaierror):
        return "unknown"
    if isinstance(error, (ConnectionRefusedError, ConnectionResetError)):
        return "refused"
    return "silent" if isinstance(error, (socket.timeout, TimeoutError)) else "unreachable"


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
        return state_of(error)
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

    Raises OSError where there is no connection, NotHttpError for an answer that is none, and for a certificate that is
    not trusted.
    """
    parts = urlsplit(url)
    connection = _connection(parts, seconds, ca_file, verify=verify)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    started = time.monotonic()
    try:
        connection.connect()
        days = _days_left(connection.sock)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        found = answer.read(LARGEST + 1)
    except ssl.SSLCertVerificationError as error:
        said = error.verify_message
        raise NotHttpError(f"has a certificate that is not trusted ({said}): renew it, or give its ca_file") from None
    except (ssl.SSLError, http.client.HTTPException) as error:
        said = getattr(error, "reason", "") or str(error) or type(error).__name__
        raise NotHttpError(f"does not speak {parts.scheme.upper()} ({said}): correct the address") from None
    finally:
        connection.close()
    if len(found) > LARGEST:
        raise NotHttpError(f"answers more than {LARGEST >> 20} MiB: ask for less")
    return HttpAnswer(answer.status, found.decode("utf-8", "backslashreplace"), _ms(started), days)


def _connection(parts, seconds, ca_file, *, verify):
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=seconds, context=context)


def _days_left(connected):
    certificate = connected.getpeercert() if isinstance(connected, ssl.SSLSocket) else None
    if not certificate:
        return None
    return round((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / DAY, 2)
