# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a web service over one connection: time limits, certificates, redirections, and how large an answer may be."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

LARGEST = 64 << 20  # bytes of an answer
DAY = 86400  # seconds
SAFE = ("GET", "HEAD", "OPTIONS")  # to ask twice does nothing twice (RFC 9110, 9.2.1)
MOVED = (301, 302, 307, 308)
KEEP_METHOD = (307, 308)  # the only ones after which an order may be given again (RFC 9110, 15.4)
MOST_MOVES = 5
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
KINDS = (
    (ssl.SSLCertVerificationError, "untrusted"),
    (ssl.SSLError, "no_tls"),
    (http.client.HTTPException, "not_http"),
    ((ConnectionRefusedError, ConnectionResetError), "refused"),
    (socket.gaierror, "unknown"),
    ((socket.timeout, TimeoutError), "silent"),
    (OSError, "unreachable"),
)
"""What kinds of trouble there are with a connection: the first one that fits counts."""


class NoAnswerError(Exception):
    """There is no answer that can be used: `kind` is a word of KINDS, `too_large` or `moved`; the text says more."""

    def __init__(self, kind, said):
        super().__init__(said)
        self.kind = kind


@dataclass(frozen=True)
class Answer:
    """What a service answered, in bytes."""

    status: int
    body: bytes
    location: str = ""


def kind_of(error):
    """Which kind of trouble an OSError or HTTPException is."""
    return next(kind for types, kind in KINDS if isinstance(error, types))


def no_answer(error):
    """A NoAnswerError in place of an OSError or HTTPException."""
    said = getattr(error, "verify_message", "") or getattr(error, "reason", "") or getattr(error, "strerror", "")
    return NoAnswerError(kind_of(error), said or str(error) or type(error).__name__)


def address(url):
    """Scheme, HOST[:PORT] and path of a URL. Raises ValueError where it is none of a web service."""
    try:
        parts = urlsplit(url)
        has_host = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        has_host = False
    if not has_host:
        raise ValueError(f"url: expected http://HOST or https://HOST, got {url!r}")
    return parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/")


def trust(*, verify, ca="", name="ca"):
    """How a certificate is judged; `ca`, the argument `name`, is a file or the text of one. Raises ValueError."""
    try:
        given = {"cadata": ca} if ca and "-----BEGIN" in ca else {"cafile": ca or None}
        context = ssl.create_default_context(**(given if verify else {}))
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: expected the path or the text of a certificate: {error}") from None
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def basic(user, password):
    """The header by which a user is named (RFC 7617)."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode('ascii')}"}


class HttpClient:
    """One service, asked over one connection as long as the service keeps it.

    `url` is its address; paths are those of the whole service. `timeout` is in seconds, for each part of an answer.
    `context` is how its certificate is judged, as `trust` returns it. `headers` go with each request.
    `days_left` is for how many days the certificate of the last connection holds, None where none was verified.
    """

    def __init__(self, url, timeout, *, context=None, headers=None, most_bytes=LARGEST):
        scheme, self.place, self.path = address(url)
        self.timeout, self._headers, self._most_bytes = timeout, dict(headers or {}), most_bytes
        more = {"context": context} if scheme == "https" else {}
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        self._connection = kind(self.place, timeout=timeout, **more)
        self.days_left = None

    def close(self):
        """End the connection; the next request opens another one."""
        self._connection.close()

    def ask(self, method, path, body=None, headers=(), follow=None):
        """The answer to a request, whatever its status. Raises NoAnswerError.

        A connection that the service has closed meanwhile is opened once more. A method that changes something always
        takes a new connection and is sent once: on a stale one nobody knows whether it was done. `follow(location)`
        returns the path that a redirection leads to; without it an answer may be a redirection.
        """
        for _move in range(MOST_MOVES):
            answer = self._send(method, path, body, {**self._headers, **dict(headers)})
            if follow is None or answer.status not in (MOVED if method in SAFE else KEEP_METHOD):
                return answer
            path = follow(urljoin(path, answer.location))
        raise NoAnswerError("moved", f"moves {path} too often")

    def _send(self, method, path, body, headers):
        if method not in SAFE:
            self.close()
        was_open = self._connection.sock is not None
        try:
            try:
                return self._once(method, path, body, headers)
            except STALE:
                self.close()
                if not was_open:
                    raise
                return self._once(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise no_answer(error) from None

    def _once(self, method, path, body, headers):
        if self._connection.sock is None:
            self._connection.connect()
            self.days_left = _days_left(self._connection.sock)
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        found = answer.read(self._most_bytes + 1)
        if len(found) > self._most_bytes:
            self.close()
            raise NoAnswerError("too_large", f"more than {self._most_bytes} bytes")
        return Answer(answer.status, found, answer.getheader("Location") or "")


def _days_left(connected):
    certificate = connected.getpeercert() if isinstance(connected, ssl.SSLSocket) else None
    if not certificate:
        return None
    return round((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / DAY, 2)
