# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask devices over HTTP, for the scriptlets that read what their services answer."""

from __future__ import annotations

import json
from contextlib import contextmanager

from scriptlets.tools.http_client import LARGEST, HttpClient, NoAnswerError, basic, trust

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
        headers = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.1"}
        context = trust(verify=verify) if url.startswith("https:") else None
        self._scheme = url.partition(":")[0]
        self._client = HttpClient(
            url, timeout, context=context, headers={**headers, **(basic(user, password) if user else {})}
        )

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
        self._client.close()

    def where(self, path):
        """The whole address of a path, for messages; it has no password in it."""
        return f"{self._scheme}://{self._client.place}{self._client.path}{path}"

    def _decoded(self, path, body):
        try:
            found = json.loads(body)
        except ValueError:
            raise HttpError(f"{self.where(path)} answered no JSON: {body[:60]!r}") from None
        if not isinstance(found, dict):
            raise HttpError(f"{self.where(path)} answered no JSON object")
        return found

    def _ask(self, method, path, body=None):
        """The bytes of an answer. Raises HttpError."""
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            answer = self._client.ask(method, self._client.path + path, body, headers)
        except NoAnswerError as error:
            raise HttpError(f"{self.where(path)} {self._said(error)}") from None
        if answer.status >= 400:
            raise HttpError(f"{self.where(path)} answered HTTP {answer.status}{_hint(answer.status)}", answer.status)
        return answer.body

    def _said(self, error):
        if error.kind == "too_large":
            return f"answered more than {LARGEST >> 20} MiB"
        silence = f"no answer within {self._client.timeout:g} s"
        return f"could not be read: {silence if error.kind == 'silent' else error}: {AWAY}"


def _hint(status):
    """What a technician can do about an answer with this HTTP status."""
    if status >= 500:
        return ": restart this service of the device"
    return HINTS.get(status, "")
