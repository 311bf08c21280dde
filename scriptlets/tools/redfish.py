# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speak Redfish with a device, for the scriptlets in `redfish/`: DMTF's DSP0266, by the standard library alone."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlsplit

from scriptlets.tools.http_client import HttpClient, NoAnswerError, basic, trust

ROOT = "/redfish/v1"
MISSING = (404, 405, 501)  # not found, no such method, not implemented
REFUSED = (401, 403)
MOST_BYTES = 32 * 1024 * 1024
MOST_PAGES = 1000
SHOWN = 200
# What a technician can do where the BMC does not answer, by the kind of trouble.
WHY = {
    "untrusted": (
        "the certificate of {place} is not trusted ({error}): give its authority (`ca`), or do not verify it "
        "(`verify: false`)"
    ),
    "no_tls": "{place} speaks no TLS that is accepted here ({error}): is it the right port?",
    "refused": "{place} refuses the connection: is the BMC's web service on, and is this its port?",
    "unknown": "{place}: no such name ({error}): correct the address of the BMC",
    "silent": "{place} does not answer within {seconds:g} s: check the BMC's cable and address",
    "too_large": "{place}: the answer at {path} has more than {most} bytes",
    "moved": "{place} {error}",
}

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "url": {"description": "https://ADDRESS of the BMC"},
    "user": {"description": "A user of the BMC"},
    "password": {"description": "The password"},
    "verify": {"description": "Whether the certificate of the BMC must be trusted"},
    "ca": {"description": "Path or text of the certificate that is trusted, beside those of the host"},
    "timeout": {"description": "How long the BMC may take for one answer", "unit": "s"},
}


class RedfishError(Exception):
    """A device did not answer as it must; its text is the reason."""


class Missing(RedfishError):
    """The device does not have this resource."""


def client_of(params):
    """The device that the arguments `url`, `user`, `password`, `verify`, `ca` and `timeout` name."""
    is_needed = params["ca"] or params["url"].startswith("https:")  # reading what is trusted takes time
    try:
        context = trust(verify=params["verify"], ca=params["ca"]) if is_needed else None
    except ValueError as error:
        raise RedfishError(str(error)) from None
    return Redfish(params["url"], params["user"], params["password"], context, params["timeout"])


class Redfish:
    """One device. It uses one connection as long as the device keeps it, and a user's name and password each time."""

    def __init__(self, url, user, password, context=None, timeout=10.0):
        headers = {**basic(user, password), "Accept": "application/json", "OData-Version": "4.0"}
        try:
            self._client = HttpClient(url, timeout, context=context, headers=headers, most_bytes=MOST_BYTES)
        except ValueError:
            raise RedfishError(f"url: expected https://ADDRESS, got {url!r}") from None
        self.place = self._client.place
        # Behind a gateway a BMC may have a path of its own. People also give the address of the service itself.
        self._below = self._client.path.removesuffix(ROOT)
        self._user = user

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._client.close()

    def get(self, path):
        """The resource at a path. Raises Missing where there is none, and RedfishError for any other trouble."""
        found = self._decoded(path, self._request("GET", path))
        if not isinstance(found, dict):
            raise RedfishError(f"{self.place}: expected an object at {path}")
        return found

    def follow(self, resource, *names):
        """The resource that a property of another one links to. Raises Missing where there is no such link."""
        link = resource
        for name in names:
            link = link.get(name) if isinstance(link, dict) else None
        if not isinstance(link, dict) or not link.get("@odata.id"):
            raise Missing(f"{self.place} has no {' '.join(names)} at {resource.get('@odata.id', '?')}")
        return self.get(link["@odata.id"])

    def post(self, path, body):
        """Order an action, once: an order that was perhaps taken is never given again."""
        self._request("POST", path, json.dumps(body).encode())

    def members(self, collection):
        """The members of a collection, each as a whole, page after page."""
        for _page in range(MOST_PAGES):
            for member in collection.get("Members") or ():
                yield self.get(member["@odata.id"]) if [*member] == ["@odata.id"] else member
            following = collection.get("Members@odata.nextLink")
            if not following:
                return
            collection = self.get(following)
        raise RedfishError(f"{self.place}: a collection has more than {MOST_PAGES} pages")

    def all_of(self, name):
        """The members of one of the service's own collections, such as Systems."""
        return self.members(self.follow(self.get(ROOT + "/"), name))

    def system(self, wanted=""):
        """The one system that the device manages, or that with this Id. Raises RedfishError for none and several."""
        found = [each for each in self.all_of("Systems") if wanted in ("", each.get("Id"))]
        if len(found) == 1:
            return found[0]
        which = f" with the Id {wanted!r}" if wanted else ""
        raise RedfishError(f"{self.place} manages {len(found)} systems{which}: name one of them (argument `system`)")

    def _request(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._client.ask(method, self._below + self._safe(path), body, headers, self._followed)
        except NoAnswerError as error:
            raise RedfishError(self._why(error, path)) from None
        self._judge(answer.status, method, path, answer.body)
        return answer.body

    def _followed(self, location):
        """The path that a redirection of the device leads to, without that of a gateway in front of it."""
        path = self._safe(location)
        return path if path.startswith(self._below + "/") else self._below + path

    def _safe(self, path):
        """A path on this device. What leads elsewhere is refused: it would get the password."""
        parts = urlsplit(str(path))
        if (parts.netloc and parts.netloc != self.place) or not parts.path.startswith("/"):
            raise RedfishError(f"{self.place} links to {str(path)[:SHOWN]!r}, which is not a path of its own")
        query = f"?{quote(parts.query, safe='=&$%,.-_~')}" if parts.query else ""
        return quote(parts.path, safe="/%:@!$&'()*+,;=~-._|") + query

    def _why(self, error, path):
        """What a technician can do about an error of the connection."""
        words = WHY.get(error.kind, "{place}: {error}")
        return words.format(place=self.place, error=error, path=path, seconds=self._client.timeout, most=MOST_BYTES)

    def _judge(self, status, method, path, text):
        if status in REFUSED:
            raise RedfishError(f"{self.place} refuses the user {self._user!r} at {path}: check user, password and role")
        if status in MISSING:
            raise Missing(f"{self.place} has no {path} (HTTP {status})")
        if not 200 <= status < 300:
            raise RedfishError(f"{self.place}: HTTP {status} for {method} {path}{_said(text)}")

    def _decoded(self, path, text):
        try:
            return json.loads(text)
        except ValueError:
            raise RedfishError(f"{self.place}: what is at {path} is no JSON: {text[:80]!r}") from None


def _said(text):
    """What the body of an error says, as DSP0266 lays it out."""
    try:
        error = json.loads(text)["error"]
        more = [each.get("Message") for each in error.get("@Message.ExtendedInfo") or () if isinstance(each, dict)]
        words = next((each for each in (*more, error.get("message")) if each), "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f": {re.sub(r'[^ -~]+', ' ', str(words))[:SHOWN]}" if words else ""


def status_of(resource):
    """State and health of a resource; empty texts where it does not say."""
    status = resource.get("Status")
    status = status if isinstance(status, dict) else {}
    return str(status.get("State") or ""), str(status.get("Health") or "")


def is_there(resource):
    """Whether what a resource describes is plugged in."""
    return status_of(resource)[0] != "Absent"


def named(resources):
    """The resources by their names; where a name is not the only one, with the id behind it."""
    listed = list(resources)
    names = [str(each.get("Name") or each.get("MemberId") or each.get("Id") or "?") for each in listed]
    ids = [str(each.get("MemberId") or each.get("Id") or number) for number, each in enumerate(listed)]
    return {name if names.count(name) == 1 else f"{name} {own}": each for name, own, each in zip(names, ids, listed)}
