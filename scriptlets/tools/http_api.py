# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask devices over HTTP, for the scriptlets that read what their services answer."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from contextlib import contextmanager
from urllib.parse import urlsplit

LARGEST = 64 * 1024 * 1024  # bytes of an answer
DEFAULT_TIMEOUT = 5.0  # seconds
HINTS = {
    401: ": check user and password",
    403: ": the user may not read this",
    404: ": check the address, and that the device has power",
}
AWAY = "check that the device has power, its management cable and its address"

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "user": {"description": "Who logs in, where the service asks"},
    "password": {"description": "The password"},
    "timeout": {"description": "How long one answer may take", "unit": "s"},
    "verify": {"description": "Whether the certificate must be one that this machine trusts"},
    "url": {"description": "The address of the service, http or https, without the path of a page such as /metrics"},
}


class HttpError(ValueError):
    """A service answered, but not with what was asked for; `status` is its HTTP status, 0 where it answered nothing."""

    def __init__(self, message, status=0):
        super().__init__(message)
        self.status = status


@contextmanager
def service(params):
    """The service that a scriptlet's arguments name, for a `with`: url, user, password, timeout, verify."""
    words = (params["url"], params.get("user", ""), params.get("password", ""), params["timeout"])
    api = HttpApi(*words, verify=params["verify"])
    try:
        yield api
    finally:
        api.close()


class HttpApi:
    """One service, asked over one connection that is kept open.

    `url` is its address, with a path where it is not at the root. `timeout` is in seconds, for each answer.
    `verify` says whether a certificate must be one that this machine trusts.
    """

    def __init__(self, url, user="", password="", timeout=DEFAULT_TIMEOUT, *, verify=True):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url: expected http://HOST or https://HOST, got {url!r}")
        self._parts, self._timeout, self._verify = parts, timeout, verify
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.1"}
        if user:
            words = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {words}"
        self._connection = None

    def get_text(self, path):
        """The text at a path below the address. Raises HttpError."""
        return self._ask("GET", path).decode("utf-8", "backslashreplace")

    def get(self, path):
        """The JSON at a path below the address. Raises HttpError, also for an answer that is no JSON object."""
        return self._decoded(path, self._ask("GET", path))

    def post(self, path, body):
        """The JSON that answers a JSON body. Raises HttpError."""
        return self._decoded(path, self._ask("POST", path, json.dumps(body).encode()))

    def close(self):
        """End the connection."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def where(self, path):
        """The whole address of a path, for messages; it has no password in it."""
        port = f":{self._parts.port}" if self._parts.port else ""
        return f"{self._parts.scheme}://{self._parts.hostname}{port}{self._prefix}{path}"

    def _decoded(self, path, body):
        try:
            found = json.loads(body)
        except ValueError:
            raise HttpError(f"{self.where(path)} answered no JSON: {body[:60]!r}") from None
        if not isinstance(found, dict):
            raise HttpError(f"{self.where(path)} answered no JSON object")
        return found

    def _ask(self, method, path, body=None):
        """The bytes of an answer. A connection that the service has closed meanwhile is opened once more."""
        was_open = self._connection is not None
        try:
            return self._answer(method, path, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if not was_open:
                raise HttpError(f"{self.where(path)} could not be read: {error}: {AWAY}") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise HttpError(f"{self.where(path)} could not be read: {self._said(error)}: {AWAY}") from None
        return self._ask(method, path, body)

    def _answer(self, method, path, body):
        if self._connection is None:
            self._connection = self._opened()
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        self._connection.request(method, self._prefix + path, body, headers)
        answer = self._connection.getresponse()
        found = answer.read(LARGEST + 1)
        if len(found) > LARGEST:
            self.close()
            raise HttpError(f"{self.where(path)} answered more than {LARGEST >> 20} MiB", answer.status)
        if answer.status >= 400:
            raise HttpError(f"{self.where(path)} answered HTTP {answer.status}{_hint(answer.status)}", answer.status)
        return found

    def _opened(self):
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(self._parts.hostname, self._parts.port, timeout=self._timeout)
        context = ssl.create_default_context()
        if not self._verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(
            self._parts.hostname, self._parts.port, timeout=self._timeout, context=context
        )

    def _said(self, error):
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return str(error) or type(error).__name__


def _hint(status):
    """What a technician can do about an answer with this HTTP status."""
    if status >= 500:
        return ": restart this service of the device"
    return HINTS.get(status, "")
