# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a language model over HTTP, by the interface that OpenAI's and most local servers have.

Whatever the other end does, the answer is there in time, or a reason why there is none. Nothing that it sends gets into
a reason, and the key gets into nothing at all.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from ipaddress import ip_address
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

LARGEST = 256 * 1024  # bytes of an answer
CHUNK = 16 * 1024
PATH = "/chat/completions"
AGAIN = frozenset((408, 429, 500, 502, 503, 504))  # the server may do better at once
NOT_UNDERSTOOD = frozenset((400, 422))  # it may not know how to be asked for JSON
MOST_TOKENS = 10**9  # that a server can have counted

Messages = Sequence[Mapping[str, str]]


class EndpointError(Exception):
    """There is no answer. The text says why, for people.

    `again` is whether a second try makes sense, `plainly` whether it should do without what not every server knows.
    """

    def __init__(self, reason: str, *, again: bool = False, plainly: bool = False) -> None:
        super().__init__(reason)
        self.again = again
        self.plainly = plainly


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model answers."""

    url: str
    model: str
    key: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Host and port, for people."""
        try:
            return urlsplit(self.url).netloc.rpartition("@")[2] or "summary_url"
        except ValueError:
            return "summary_url"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model has written, and how many tokens that has cost, 0 where the server does not say."""

    content: str
    tokens: int


class _NoRedirect(HTTPRedirectHandler):
    """Facts and key go where the settings say, and nowhere else."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Follow nothing: the redirect becomes an error."""
        return None


def ask(endpoint: Endpoint, messages: Messages, most_tokens: int, seconds: float, *, as_json: bool = False) -> Answer:
    """The model's answer, which comes within `seconds`. Raises EndpointError.

    With `as_json` the server is asked to let the model write nothing but a JSON object.
    """
    request = _request(endpoint, messages, most_tokens, as_json=as_json)
    return _read(answer_to(request, endpoint.place, seconds), endpoint)


def answer_to(request: Request, place: str, seconds: float) -> bytes:
    """The body of the answer to a request, which comes within `seconds`; `place` is who is asked, for people.

    Raises EndpointError.
    """
    found: Queue[bytes | EndpointError] = Queue()
    # A thread of its own: a server that sends a byte now and then would be waited for without end.
    thread = Thread(target=lambda: found.put(_sent(request, place, seconds)), daemon=True)
    try:
        thread.start()
    except RuntimeError:  # this process is ending, and Python starts no threads any more
        found.put(_sent(request, place, seconds))
    try:
        answer = found.get(timeout=seconds)
    except Empty:
        raise _late(place, seconds) from None
    if isinstance(answer, EndpointError):
        raise answer
    return answer


def web_address(url: str) -> SplitResult | None:
    """The parts of an address for http or https; None for what is none, or has characters that none can have."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_web and url.isascii() and not any(character <= " " for character in url) else None


def _request(endpoint: Endpoint, messages: Messages, most_tokens: int, *, as_json: bool) -> Request:
    path = _checked(endpoint).path.rstrip("/")
    form = {"response_format": {"type": "json_object"}} if as_json else {}
    body = {"model": endpoint.model, "messages": [*messages], "temperature": 0, "max_tokens": most_tokens, **form}
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "rack-recipes"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    url = endpoint.url.rstrip("/") + ("" if path.endswith(PATH) else PATH)
    return Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - http and https only


def _checked(endpoint: Endpoint) -> SplitResult:
    """The parts of the URL. Raises EndpointError for one that cannot be used, or not safely."""
    key = endpoint.key
    parts = web_address(endpoint.url)
    if parts is None:
        raise EndpointError("summary_url is not an address such as http://localhost:8080/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise EndpointError("summary_url may have no user, ? or #: a key is the setting summary_key")
    if not (key.isascii() and key.isprintable()):
        raise EndpointError("summary_key has characters that no header can have")
    if key and parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise EndpointError("summary_key is sent only over https, or to this machine")
    return parts


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _sent(request: Request, place: str, seconds: float) -> bytes | EndpointError:
    """The body of the answer, or why there is none."""
    ends = time.monotonic() + seconds
    try:
        with build_opener(_NoRedirect()).open(request, timeout=seconds) as answer:
            return _body(answer, place, ends)
    except EndpointError as error:
        return error
    except (OSError, HTTPException, ValueError) as error:
        return _fault(error, place, seconds)


def _fault(error: Exception, place: str, seconds: float) -> EndpointError:
    if isinstance(error, HTTPError):
        error.close()
        return _refused(error.code, place)
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return _late(place, seconds)
    what = "cannot be reached" if isinstance(error, URLError) else "broke off its answer"
    return EndpointError(f"{place} {what}: {_words(cause)}", again=True)


def _late(place: str, seconds: float) -> EndpointError:
    return EndpointError(f"{place} gave no whole answer within {seconds:.3g} s")


def _body(answer: Any, place: str, ends: float) -> bytes:
    data = b""
    while part := answer.read1(CHUNK):
        data += part
        if len(data) > LARGEST:
            raise EndpointError(f"{place} sent more than {LARGEST // 1024} KiB")
        if time.monotonic() > ends:
            raise EndpointError(f"{place} did not end its answer in time")
    return data


def _refused(code: int, place: str) -> EndpointError:
    if 300 <= code < 400:
        return EndpointError(f"{place} answered with a redirect (HTTP {code}), which is not followed")
    plainly = code in NOT_UNDERSTOOD
    return EndpointError(f"{place} answered with HTTP {code}", again=plainly or code in AGAIN, plainly=plainly)


def _words(reason: object) -> str:
    """A fault of the connection in words of the system; texts of the other end are left out."""
    if isinstance(reason, socket.gaierror):
        return "its name is not known"
    if isinstance(reason, OSError) and reason.errno and reason.strerror:
        return reason.strerror
    return type(reason).__name__


def _read(data: bytes, endpoint: Endpoint) -> Answer:
    """What the model has written. Raises EndpointError where the body is no such answer."""
    try:
        found = json.loads(data)
        content = found["choices"][0]["message"]["content"]
        usage = found.get("usage")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        content = usage = None
    if not isinstance(content, str):
        raise EndpointError(f"{endpoint.place} sent what is no answer of a model", again=True)
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    count: int = tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else 0
    return Answer(content, count if 0 < count < MOST_TOKENS else 0)
