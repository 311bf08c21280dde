# SPDX-License-Identifier: GPL-3.0-or-later

"""Read and write keys of the context.

Their changes as server-sent events, which go on after a break where they stopped.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from rack_recipes.analysis.run_changes import field_changes
from rack_recipes.context.context_model import HeldValue
from rack_recipes.errors import nearest
from rack_recipes.server.http import messages_and_barriers
from rack_recipes.server.http.answers import PIECE, listed, long_answer, value_answer, with_texts, written_answer
from rack_recipes.server.http.route_model import COUNT, EVENTS, MERGE, NAME, PATCH, Call
from rack_recipes.server.live import key_operations
from rack_recipes.server.live.journal_history_index import StateOfKey
from rack_recipes.server.live.key_operations import FOR_CLIENTS
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from rack_recipes.server.served_context import Service
ROWS = 100  # changes in one answer, if the client does not say
MOST_ROWS = 1000
PREFIX = re.compile(r"^[^*?\[]*")  # of a pattern: all keys that fit begin with it
POSTED = ("key", "host", "version", "step", *FOR_CLIENTS)  # the fields of a body of POST /ctx
BY_MEDIA = {PATCH: key_operations.PATCH, MERGE: key_operations.MERGE}


async def list_keys(call: Call) -> Response:
    """All keys with their values, now or after any change."""
    at, live = _moment(call, "at"), call.service.live
    pattern, host = call.get("key", "*"), call.get("host")

    def wanted(key: str, place: str) -> bool:
        fits = pattern == "*" or fnmatchcase(key, pattern)
        return fits and host in (None, place or host) and call.caller.reads(key)

    text_of = _past_text if "at" in call.params else _held_text
    rows = (text_of(state) if state else "" for state in live.index.state(at, wanted, PREFIX.findall(pattern)[0]))
    return await long_answer(call, listed({"run_id": live.context.run_id, "at": at}, "context", rows))


def _held_text(state: StateOfKey) -> str:
    return f'{{"key":{quoted(state.key)},"host":{quoted(state.host)},"version":{state.version},"value":{state.text}}}'


def _past_text(state: StateOfKey) -> str:
    key, host = quoted(state.key), quoted(state.host)
    return f'{{"key":{key},"host":{host},"version":{state.version},"seq":{state.seq},"value":{state.text}}}'


async def read_key(call: Call) -> Response:
    """One key: now, after an earlier change, or as soon as it is newer than a version."""
    key, host = call.params["key"], call.get("host", "")
    if "at" in call.params:
        state = call.service.live.index.value_at((host, key), _moment(call, "at"))
        if state is None:
            raise _not_set(call, key, host)
        return value_answer(key, host, state.version, state.text, {"seq": state.seq})
    entry = await _newer(call, key, host) if "wait" in call.params else call.service.live.context.entry(key, host)
    if entry is None:
        raise _not_set(call, key, host)
    return value_answer(key, host, entry.version, entry.text)


async def _newer(call: Call, key: str, host: str) -> HeldValue | None:
    """Wait until a key is newer than the version that the client knows. Raises Problem if it is not in time."""
    known, seconds = call.get("newer_than", 0), call.params["wait"]

    def newer() -> HeldValue | None:
        messages_and_barriers.check_not_aborted(call.service)
        entry = call.service.live.context.entry(key, host)
        return entry if entry and entry.version > known else None

    entry = await call.service.listeners.wait_for(newer, seconds)
    if entry is None:
        place = f"{key} of {host or 'the run'}"
        raise Problem("timeout", f"{place} got no version above {known} in {seconds:g} s", "ask again, or wait longer")
    return entry


def _not_set(call: Call, key: str, host: str) -> Problem:
    index = call.service.live.index
    places = [name or "the run" for name in islice(index.hosts_of(key), 5)]
    near = nearest(key, [*filter(call.caller.reads, index.keys_near(key))])
    advice = f"it is a key of {', '.join(places)}" if places else f"did you mean {near!r}?" if near else "set it"
    return Problem("not-found", f"{key} of {host or 'the run'} is not set", advice)


def _moment(call: Call, name: str) -> int:
    """The number of a change, by default that of the last one. Raises Problem for one that does not exist."""
    last = call.service.live.index.last
    number = int(call.get(name, last))
    if number > last:
        raise Problem("not-found", f"{name}={number}: the last change is {last}", f"give a number from 0 to {last}")
    return number


async def history(call: Call) -> Response:
    """The changes of a key, the last ones first asked for."""
    key, host, limit = call.params["key"], call.get("host", ""), min(call.get("limit", ROWS), MOST_ROWS)
    index = call.service.live.index
    before = call.get("before", index.last + 1)
    number = index.number_of_changes((host, key), before)
    if not number and call.service.live.context.entry(key, host) is None:
        raise _not_set(call, key, host)
    rows = (
        with_texts(change.about, before=earlier, after=change.after)
        for earlier, change in index.history((host, key), before, limit)
    )
    return await long_answer(call, listed({"key": key, "host": host, "more": number > limit}, "changes", rows))


async def differences(call: Call) -> Response:
    """The fields that differ between two moments of the run."""
    first, second = _moment(call, "from"), _moment(call, "to")
    rows = (
        text
        for sides in call.service.live.index.changed(first, second, call.caller.reads)
        for text in (_change_texts(*sides) if sides else [""])
    )
    return await long_answer(call, listed({"from": first, "to": second}, "context", rows))


def _change_texts(before: StateOfKey | None, after: StateOfKey | None) -> Iterator[str]:
    there = after or before
    place = {"key": there.key, "host": there.host} if there else {}
    sides = [{"value": json.loads(state.text)} if state else None for state in (before, after)]
    for change in field_changes(*sides):
        yield json_text({**place, **change}) if change else ""


async def put_key(call: Call) -> Response:
    """Set a key to the value in the body."""
    return await _write(call, call.params["key"], key_operations.VALUE, call.body)


async def patch_key(call: Call) -> Response:
    """Change parts of a key by a JSON Patch or a merge patch."""
    return await _write(call, call.params["key"], BY_MEDIA[call.media], call.body)


async def increment_key(call: Call) -> Response:
    """Add to a number."""
    return await _write(call, call.params["key"], key_operations.INCREMENT, call.body)


async def _write(call: Call, key: str, operation: str, operand: object) -> Response:
    request = call.asked(key, call.get("host", ""), operation, operand, _version_of(call.params))
    return written_answer(key, request.host, await call.write(request))


def _version_of(params: Mapping[str, Any]) -> int | None:
    """The version that a write is based on: from the query, or from If-Match. Raises Problem where both differ."""
    version, tagged = params.get("version"), params.get("If-Match")
    if None not in (version, tagged) and version != tagged:
        raise Problem("version-conflict", f'version={version} and If-Match: "{tagged}" differ', "give one of them")
    return tagged if version is None else version


async def post_change(call: Call) -> Response:
    """Change a key; all that is asked for is in the body."""
    body = call.body
    if not isinstance(body, dict):
        raise Problem("bad-request", "expected an object with 'key'", f"its fields are {', '.join(POSTED)}")
    for name in body:
        if name not in POSTED:
            near = nearest(name, POSTED)
            hint = f" (did you mean {near!r}?)" if near else ""
            raise Problem("bad-request", f"there is no field {name[:80]!r}{hint}", f"there are {', '.join(POSTED)}")
    asked = [name for name in FOR_CLIENTS if name in body]
    if len(asked) != 1:
        raise Problem("bad-request", f"expected one of {', '.join(FOR_CLIENTS)}, got {len(asked)}", "give exactly one")
    host, version, step = _field(body, "host"), _posted_version(body), _field(body, "step")
    request = call.asked(body.get("key", ""), host, asked[0], body[asked[0]], version, step)
    return written_answer(request.key, request.host, await call.write(request))


def _field(body: Mapping[str, object], name: str) -> str:
    text = body.get(name, "")
    if not isinstance(text, str) or (text and not NAME.fullmatch(text)):
        raise Problem("bad-request", f"{name}: expected a text without control signs", f"send the name of a {name}")
    return text


def _posted_version(body: Mapping[str, Any]) -> int | None:
    if "version" not in body:
        return None
    version = body["version"]
    is_whole = isinstance(version, int) or (isinstance(version, float) and version.is_integer())
    if is_whole and not isinstance(version, bool) and 0 <= version <= COUNT.schema["maximum"]:
        return int(version)
    raise Problem("bad-request", "version: expected a whole number from 0", "send the version that you have read")


NEAR = 2  # changes that a listener may be behind; one that is farther behind catches up in turns
CACHED = 128  # events, each of at most a value's size
SILENCE = 15.0  # seconds without a change after which a comment shows that the connection lives
RETRY = b"retry: 1000\n\n"  # milliseconds after which a browser connects again


async def follow_changes(call: Call) -> Response:
    """Each change as an event of the kind `change`, whose id is the number of the change."""
    from starlette.responses import StreamingResponse

    last = call.service.listeners.told
    since = call.get("Last-Event-ID", call.get("since", last))
    if since > last:
        raise Problem("not-found", f"change {since} does not exist, the last is {last}", "begin with an earlier one")
    stream = _events(call, since)
    return StreamingResponse(stream, headers={"cache-control": "no-store"}, media_type=EVENTS)


async def _events(call: Call, since: int) -> AsyncIterator[bytes]:
    yield RETRY
    service, cursor = call.service, since
    while not service.listeners.is_closed:
        if not await service.listeners.wait_beyond(cursor, SILENCE):
            piece = b": no change\n\n"
        else:
            work = partial(_next_piece, call, cursor)
            is_near = service.listeners.told - cursor <= NEAR
            cursor, piece = work(math.inf) if is_near else await service.turns.take(work)
        if not call.caller.is_valid():
            return
        if piece:
            yield piece


def _next_piece(call: Call, cursor: int, until: float) -> tuple[int, bytes]:
    """The next event after a change, and more of them until some time; and the change up to which it has them."""
    service, wanted, host = call.service, call.get("key", "*"), call.get("host")
    found: list[bytes] = []
    size = 0
    for number in range(cursor + 1, service.listeners.told + 1):
        cursor = number
        for key, place, event in _event(service, number):
            if fnmatchcase(key, wanted) and host in (None, place or host) and call.caller.reads(key):
                found.append(event)
                size += len(event)
        if size >= PIECE or perf_counter() >= until:
            break
    return cursor, b"".join(found)


@lru_cache(maxsize=CACHED)
def _event(service: Service, number: int) -> tuple[tuple[str, str, bytes], ...]:
    """The key, the host and the text of a change; nothing for a refused write. Many listeners share one."""
    change = service.live.index.change(number)
    if change is None:
        return ()
    text = f"id: {number}\nevent: change\ndata: {with_texts(change.about, after=change.after)}\n\n"
    return ((change.about["key"], change.about["host"], text.encode()),)
