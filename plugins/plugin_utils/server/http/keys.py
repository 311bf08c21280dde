# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read and write keys of the context."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_changes import context_changes
from ansible_collections.rack.recipes.plugins.plugin_utils.context.context_model import HeldValue
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import nearest
from ansible_collections.rack.recipes.plugins.plugin_utils.server.http import abort_waiting
from ansible_collections.rack.recipes.plugins.plugin_utils.server.http.answers import (
    answer,
    value_answer,
    written_answer,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.server.http.route_model import (
    COUNT,
    MERGE,
    NAME,
    PATCH,
    Call,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.server.problems import Problem
from ansible_collections.rack.recipes.plugins.plugin_utils.server.writes import key_operations
from ansible_collections.rack.recipes.plugins.plugin_utils.server.writes.key_operations import (
    FOR_CLIENTS,
    WriteRequest,
    checked,
)

if TYPE_CHECKING:
    from starlette.responses import Response

ROWS = 100  # changes in one answer, if the client does not say
MOST_ROWS = 1000
POSTED = ("key", "host", "version", "step", *FOR_CLIENTS)  # the fields of a body of POST /ctx
BY_MEDIA = {PATCH: key_operations.PATCH, MERGE: key_operations.MERGE}


async def list_keys(call: Call) -> Response:
    """All keys with their values, now or after any change."""
    at = _moment(call, "at")
    wanted, host = call.get("key", "*"), call.get("host")
    rows = call.service.live.index.state(at) if "at" in call.params else _held_now(call)
    found = [
        row
        for row in rows
        if fnmatchcase(row["key"], wanted) and host in (None, row["host"] or host) and call.caller.reads(row["key"])
    ]
    return answer({"run_id": call.service.live.context.run_id, "at": at, "context": found})


def _held_now(call: Call) -> list[dict[str, Any]]:
    context = call.service.live.context
    rows = [
        {"key": key, "host": host, "version": version, "value": value}
        for host in ("", *context.hosts())
        for key, (version, value) in context.held(host).items()
    ]
    return sorted(rows, key=lambda row: (row["key"], row["host"]))


async def read_key(call: Call) -> Response:
    """One key: now, after an earlier change, or as soon as it is newer than a version."""
    key, host = call.params["key"], call.get("host", "")
    if "at" in call.params:
        row = call.service.live.index.value_at((host, key), _moment(call, "at"))
        if row is None:
            raise _not_set(call, key, host)
        return answer(row, headers={"etag": f'"{row["version"]}"'})
    entry = await _newer(call, key, host) if "wait" in call.params else call.service.live.context.entry(key, host)
    if entry is None:
        raise _not_set(call, key, host)
    return value_answer(key, host, entry.version, entry.text)


async def _newer(call: Call, key: str, host: str) -> HeldValue | None:
    """Wait until a key is newer than the version that the client knows. Raises Problem if it is not in time."""
    known, seconds = call.get("newer_than", 0), call.params["wait"]

    def newer() -> HeldValue | None:
        abort_waiting.check(call.service)
        entry = call.service.live.context.entry(key, host)
        return entry if entry and entry.version > known else None

    entry = await call.service.listeners.wait_for(newer, seconds)
    if entry is None:
        place = f"{key} of {host or 'the run'}"
        raise Problem("timeout", f"{place} got no version above {known} in {seconds:g} s", "ask again, or wait longer")
    return entry


def _not_set(call: Call, key: str, host: str) -> Problem:
    context = call.service.live.context
    places = [name or "the run" for name in ("", *context.hosts()) if context.entry(key, name)]
    near = nearest(key, [*filter(call.caller.reads, context.keys())])
    advice = f"it is a key of {', '.join(places[:5])}" if places else f"did you mean {near!r}?" if near else "set it"
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
    rows = index.history((host, key), call.get("before", index.last + 1), limit + 1)
    if not rows and call.service.live.context.entry(key, host) is None:
        raise _not_set(call, key, host)
    return answer({"key": key, "host": host, "more": len(rows) > limit, "changes": rows[-limit:] if limit else []})


async def differences(call: Call) -> Response:
    """The fields that differ between two moments of the run."""
    first, second = _moment(call, "from"), _moment(call, "to")
    index = call.service.live.index
    changes = context_changes(index.state(first), index.state(second))
    return answer({"from": first, "to": second, "context": [row for row in changes if call.caller.reads(row["key"])]})


async def put_key(call: Call) -> Response:
    """Set a key to the value in the body."""
    return await _write(call, call.params["key"], key_operations.VALUE, call.body)


async def patch_key(call: Call) -> Response:
    """Change parts of a key by a JSON Patch or a merge patch."""
    return await _write(call, call.params["key"], BY_MEDIA[call.media], call.body)


async def increment_key(call: Call) -> Response:
    """Add to a number."""
    return await _write(call, call.params["key"], key_operations.INCREMENT, call.body)


async def _write(call: Call, key: str, operation: str, operand: Any) -> Response:
    request = WriteRequest(
        key,
        call.get("host", ""),
        operation,
        operand,
        _version_of(call.params),
        call.who,
        call.get("step", ""),
        call.get("Idempotency-Key", ""),
    )
    return written_answer(key, request.host, await call.write(checked(request)))


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
    request = WriteRequest(
        body.get("key", ""),
        _field(body, "host"),
        asked[0],
        body[asked[0]],
        _posted_version(body),
        call.who,
        _field(body, "step"),
        call.get("Idempotency-Key", ""),
    )
    return written_answer(request.key, request.host, await call.write(checked(request)))


def _field(body: Mapping[str, Any], name: str) -> str:
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
