# SPDX-License-Identifier: GPL-3.0-or-later

"""What the table of routes is made of. The server and its OpenAPI document are both derived from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import KEY, LONGEST_KEY
from rack_recipes.server.access.caller import AUTHOR, VIEWER, Caller
from rack_recipes.server.live.key_operations import WriteRequest, check_request
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from rack_recipes.server.live.live_context import Written
    from rack_recipes.server.served_context import Service

JSON, PATCH, MERGE = "application/json", "application/json-patch+json", "application/merge-patch+json"
PROBLEM, EVENTS = "application/problem+json", "text/event-stream"
LONGEST_WAIT = 600  # seconds of one request; a client that waits longer asks again
LONGEST_NAME = 200  # characters of a host, a step, a pattern, an id
NUMBER = re.compile("[0-9]{1,15}")  # JavaScript's numbers are exact up to 2**53
SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
NAME = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LONGEST_NAME}}}")
NAME_OF_LOCK = re.compile("[a-z0-9_]{1,80}([.][a-z0-9_]{1,80})?")
NAME_OF_POOL = re.compile("[a-z0-9_]{1,80}")
LONGEST_LIST = 20_000  # characters of a list of hosts: with the headers the first line may have 32 KiB
ONE_NAME = rf"[^\x00-\x1f\x7f,]{{1,{LONGEST_NAME}}}"
NAMES = re.compile(f"{ONE_NAME}(,{ONE_NAME})*")
TAG_OF_VERSION = re.compile('"[0-9]{1,15}"|[0-9]{1,15}')

Schema = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ParamKind:
    """A kind of parameter: its JSON schema, what an error says was expected, and how its text becomes a value.

    `longest` is how many characters it may have.
    """

    schema: Schema
    expected: str
    pattern: re.Pattern[str]
    convert: Callable[[str], Any] = str
    longest: int = LONGEST_NAME


TEXT = ParamKind({"type": "string", "pattern": f"^{NAME.pattern}$"}, "a text without control signs", NAME)
TAG = ParamKind(
    {"type": "string", "pattern": f"^({TAG_OF_VERSION.pattern})$"},
    'a version such as "3"',
    TAG_OF_VERSION,
    lambda text: int(text.strip('"')),
)
COUNT = ParamKind({"type": "integer", "minimum": 0, "maximum": 10**15 - 1}, "a whole number from 0", NUMBER, int)
WAIT = ParamKind(
    {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT},
    f"a number of seconds, at most {LONGEST_WAIT}",
    SECONDS,
    float,
)
LOCK_NAME = ParamKind(
    {"type": "string", "pattern": f"^{NAME_OF_LOCK.pattern}$"}, "a name such as tester_1.port_2", NAME_OF_LOCK
)
POOL = ParamKind({"type": "string", "pattern": f"^{NAME_OF_POOL.pattern}$"}, "a name such as ports", NAME_OF_POOL)
HOSTS = ParamKind(
    {"type": "string", "pattern": f"^({NAMES.pattern})$", "maxLength": LONGEST_LIST},
    "names of hosts, separated by commas",
    NAMES,
    longest=LONGEST_LIST,
)
KEY_NAME = ParamKind(
    {"type": "string", "pattern": f"^{KEY.pattern}$", "maxLength": LONGEST_KEY},
    "a context key such as numbers.stats_v1",
    KEY,
    longest=LONGEST_KEY,
)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a path, of the query or of the header."""

    name: str
    kind: ParamKind
    about: str
    place: str = "query"
    required: bool = False

    def value(self, text: str) -> Any:
        """The value of its text. Raises Problem."""
        if len(text) <= self.kind.longest and self.kind.pattern.fullmatch(text):
            value = self.kind.convert(text)
            if "maximum" not in self.kind.schema or value <= self.kind.schema["maximum"]:
                return value
        most = f" of at most {self.kind.longest} characters" if len(text) > self.kind.longest else ""
        raise Problem(
            "bad-request",
            f"{self.place} parameter {self.name!r}: expected {self.kind.expected}{most}, got {text[:80]!r}",
            f"{self.name}: {self.about}",
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A request: its parameters by name, its body as JSON data, the media type of the body, and who sends it."""

    service: Service
    params: Mapping[str, Any]
    body: Any
    media: str
    caller: Caller

    @property
    def who(self) -> str:
        """The name of who sends it, for the history."""
        return self.caller.name

    def asked(
        self,
        key: str,
        host: str,
        operation: str,
        operand: object,
        based_on: int | None = None,
        step: str | None = None,
    ) -> WriteRequest:
        """The write of a key that this request asks for; its step is a parameter if it is not given. Raises Problem."""
        of_step, request = self.get("step", "") if step is None else step, self.get("Idempotency-Key", "")
        return check_request(WriteRequest(key, host, operation, operand, based_on, self.who, of_step, request))

    async def write(self, request: WriteRequest) -> Written:
        """Write a key, if the caller may; return once it is in the journal. Raises Problem."""
        self.caller.check_valid()  # the request may have waited
        self.caller.check_write(request.key)
        return await self.service.commit.write(request)

    def get(self, name: str, default: object = None) -> Any:
        """A parameter, `default` where it was not given."""
        return self.params.get(name, default)


Handler = Callable[[Call], Awaitable["Response"]]


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """A row of the table: a method of a path.

    `needs` is the weakest role that may use it: a viewer where nothing is changed, an author elsewhere, if it is not
    given. `bodies` has the schema of the body by its media type. `answer` is the name of the answer's schema,
    `problems` are the kinds of problems that this route may answer with, beside those that all may have.
    """

    method: str
    path: str
    name: str
    about: str
    handler: Handler
    params: tuple[Param, ...] = ()
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    answer: str = ""
    media: str = JSON
    problems: tuple[str, ...] = ()
    needs: str = ""

    @property
    def role(self) -> str:
        """The weakest role that may use this route."""
        return self.needs or (VIEWER if self.method == "GET" else AUTHOR)
