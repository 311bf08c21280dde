# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of routes: every path and method of the server, once. The OpenAPI document is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rack_recipes.server.access.caller import OPERATOR
from rack_recipes.server.http import keys_and_events, locks_and_pools, messages_and_barriers
from rack_recipes.server.http.answers import answer
from rack_recipes.server.http.openapi import document
from rack_recipes.server.http.route_model import (
    COUNT,
    EVENTS,
    HOSTS,
    JSON,
    KEY_NAME,
    LOCK_NAME,
    LONGEST_WAIT,
    MERGE,
    PATCH,
    POOL,
    TAG,
    TEXT,
    WAIT,
    Call,
    Param,
    RouteEntry,
)
from rack_recipes.version import VERSION

if TYPE_CHECKING:
    from starlette.responses import Response

VALUE = {"$ref": "#/components/schemas/Value"}
KEY = Param("key", KEY_NAME, "a key of the context", "path", required=True)
HOST = Param("host", TEXT, "the host that the key belongs to; without it the key of the run")
LOCK = Param("name", LOCK_NAME, "the name of the lock", "path", required=True)
WAITING = Param("wait", WAIT, f"how many seconds to wait, at most {LONGEST_WAIT} (default: 0)")
ONE_HOST = replace(HOST, about="only what this host sees: its own keys, and those of the run")
AT = Param("at", COUNT, "as it was after the change with this number (default: now)")
PATTERN = Param("key", TEXT, "only keys that fit this pattern, such as power.*")
ON_WRITE = (
    KEY,
    HOST,
    Param("version", COUNT, "the version that the write is based on; 0: the key is not set (default: any)"),
    Param("If-Match", TAG, "the same, as the entity tag of an earlier answer", "header"),
    Param("step", TEXT, "the name of what the client does, for the history"),
    Param("Idempotency-Key", TEXT, "an id of this request: sent again, it changes nothing", "header"),
)
MESSAGE = Param("name", LOCK_NAME, "the name of the message", "path", required=True)
SENDER = Param("host", TEXT, "the host that sends it; without it a client of the run")
WHOM = "names of hosts, @ with a group, or * for all hosts of the run, separated by commas"
LISTED = Param("hosts", HOSTS, WHOM)
OF_SENDER = ON_WRITE[-2:]
MEETING_PROBLEMS = ("aborted", "not-applicable", "cannot-write", "disk-full")
WRITE_PROBLEMS = ("not-allowed", "not-found", "version-conflict", "not-applicable", "cannot-write", "disk-full")


async def about(call: Call) -> Response:
    """What is served."""
    live = call.service.live
    state = "over" if live.is_over else "open"
    return answer({"run_id": live.context.run_id, "state": state, "seq": live.index.last, "server": VERSION})


async def openapi(_call: Call) -> Response:
    """The description of this interface."""
    return answer(document(ROUTES))


ROUTES: tuple[RouteEntry, ...] = (
    RouteEntry(
        "GET", "/", "about", "What is served: the run, and the number of its last change.", about, answer="About"
    ),
    RouteEntry("GET", "/openapi.json", "openapi", "This description.", openapi, answer="Document"),
    RouteEntry(
        "GET",
        "/ctx",
        "listKeys",
        "All keys with their values.",
        keys_and_events.list_keys,
        (PATTERN, ONE_HOST, AT),
        answer="Context",
        problems=("not-found",),
    ),
    RouteEntry(
        "POST",
        "/ctx",
        "postChange",
        "Change a key: set it to a `value`, or apply a `patch`, a `merge` or an `increment` to it.",
        keys_and_events.post_change,
        ON_WRITE[-1:],
        {JSON: {"$ref": "#/components/schemas/Change"}},
        "Held",
        problems=WRITE_PROBLEMS,
    ),
    RouteEntry(
        "GET",
        "/ctx/{key}",
        "readKey",
        "One key. With `wait` the answer comes as soon as the key is newer than the version `newer_than`.",
        keys_and_events.read_key,
        (
            KEY,
            HOST,
            AT,
            Param("newer_than", COUNT, "with `wait`: the version that the client knows (default: 0)"),
            Param("wait", WAIT, f"how many seconds to wait, at most {LONGEST_WAIT}"),
        ),
        answer="Held",
        problems=("not-found", "timeout", "aborted"),
    ),
    RouteEntry(
        "PUT",
        "/ctx/{key}",
        "setKey",
        "Set a key to the JSON value in the body.",
        keys_and_events.put_key,
        ON_WRITE,
        {JSON: VALUE},
        "Held",
        problems=WRITE_PROBLEMS,
    ),
    RouteEntry(
        "PATCH",
        "/ctx/{key}",
        "patchKey",
        "Change parts of a key, by a JSON Patch (RFC 6902) or a JSON Merge Patch (RFC 7396).",
        keys_and_events.patch_key,
        ON_WRITE,
        {PATCH: {"$ref": "#/components/schemas/Patch"}, MERGE: VALUE},
        "Held",
        problems=WRITE_PROBLEMS,
    ),
    RouteEntry(
        "POST",
        "/ctx/{key}/increment",
        "incrementKey",
        "Add to a number; one that is not there begins at 0.",
        keys_and_events.increment_key,
        ON_WRITE,
        {JSON: {"$ref": "#/components/schemas/Increment"}},
        "Held",
        problems=WRITE_PROBLEMS,
    ),
    RouteEntry(
        "GET",
        "/ctx/{key}/history",
        "readHistory",
        "Who has set a key, when, from what to what.",
        keys_and_events.history,
        (
            KEY,
            HOST,
            Param("before", COUNT, "only changes with lower numbers, for the page before (default: all)"),
            Param("limit", COUNT, "how many of the last changes, at most 1000 (default: 100)"),
        ),
        answer="History",
        problems=("not-found",),
    ),
    RouteEntry(
        "GET",
        "/ctx/{key}/hosts",
        "waitForHosts",
        "The value of a key on several hosts, once all of them have set it.",
        locks_and_pools.wait_for_hosts,
        (KEY, Param("hosts", HOSTS, "names of hosts, separated by commas", required=True), WAITING),
        answer="OnHosts",
        problems=("timeout", "aborted"),
    ),
    RouteEntry(
        "POST",
        "/locks/{name}",
        "getLock",
        "Get a lock for some seconds. Who holds it already gets a new lease.",
        locks_and_pools.get_lock,
        (LOCK, WAITING),
        {JSON: {"$ref": "#/components/schemas/Lease"}},
        "Lock",
        problems=("locked", "not-applicable", "aborted", "disk-full"),
        needs=OPERATOR,
    ),
    RouteEntry(
        "DELETE",
        "/locks/{name}",
        "giveLockBack",
        "Give a lock back.",
        locks_and_pools.give_lock_back,
        (LOCK, Param("owner", TEXT, "who holds it", required=True)),
        answer="Lock",
        problems=("locked", "not-applicable", "disk-full"),
        needs=OPERATOR,
    ),
    RouteEntry(
        "POST",
        "/messages/{name}",
        "sendMessage",
        "Send a message. With `wait` this is a barrier: the answer comes once all others have sent it as often.",
        messages_and_barriers.send,
        (MESSAGE, SENDER, replace(LISTED, about=f"with `wait`: for whom, {WHOM} (default: *)"), WAITING, *OF_SENDER),
        {JSON: VALUE},
        "Messages",
        problems=("not-found", "timeout", *MEETING_PROBLEMS),
        needs=OPERATOR,
    ),
    RouteEntry(
        "GET",
        "/messages/{name}",
        "waitForMessages",
        "The messages of a name, once all of these hosts have sent one; without `hosts` once anyone has.",
        messages_and_barriers.wait,
        (MESSAGE, LISTED, Param("newer_than", COUNT, "only messages with a higher version (default: 0)"), WAITING),
        answer="Messages",
        problems=("not-found", "timeout", "aborted"),
    ),
    RouteEntry(
        "POST",
        "/messages/{name}/abort",
        "abort",
        "End all waiting for this name, now and from then on; for all names and keys where it is `all`.",
        messages_and_barriers.abort,
        (MESSAGE, SENDER, *OF_SENDER),
        {JSON: {"$ref": "#/components/schemas/Abort"}},
        "Aborted",
        problems=("not-applicable", "disk-full"),
        needs=OPERATOR,
    ),
    RouteEntry(
        "POST",
        "/reservations/{pool}",
        "reserve",
        "Reserve one resource of a pool, that has all tags, for some seconds. It is given back as the lock POOL.NAME.",
        locks_and_pools.reserve,
        (Param("pool", POOL, "the pool: the key POOL_v1 of the run", "path", required=True), WAITING),
        {JSON: {"$ref": "#/components/schemas/Wanted"}},
        "Reservation",
        problems=("not-found", "locked", *MEETING_PROBLEMS),
        needs=OPERATOR,
    ),
    RouteEntry(
        "GET",
        "/diff",
        "readDifferences",
        "The fields of keys that differ between two moments.",
        keys_and_events.differences,
        (
            Param("from", COUNT, "the number of a change; 0 for the start", required=True),
            Param("to", COUNT, "the number of another change (default: the last one)"),
        ),
        answer="Differences",
        problems=("not-found",),
    ),
    RouteEntry(
        "GET",
        "/events",
        "followChanges",
        "Each change as a server-sent event. After a break it goes on where it stopped.",
        keys_and_events.follow_changes,
        (
            PATTERN,
            ONE_HOST,
            Param("since", COUNT, "begin after the change with this number (default: with the next one)"),
            Param("Last-Event-ID", COUNT, "the same, as browsers send it", "header"),
        ),
        media=EVENTS,
        problems=("not-found",),
    ),
)
