# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenAPI 3.1 document of a table of routes.

https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST, LONGEST_REASON
from rack_recipes.server.http.locks_and_pools import MOST_TAGS
from rack_recipes.server.http.messages_and_barriers import REASON
from rack_recipes.server.http.route_model import COUNT, KEY_NAME, PROBLEM, Param, RouteEntry, Schema
from rack_recipes.server.live.json_patch import MOST_OPERATIONS, OPERATIONS
from rack_recipes.server.live.key_operations import LONGEST_LEASE
from rack_recipes.server.problems import KINDS
from rack_recipes.version import VERSION

ABOUT = (
    "The context of a run: JSON values under dotted, versioned keys, each of a host or of the run. Every answer that "
    "is not as asked is a problem (RFC 9457) whose `advice` says what to do. Each operation "
    "names the role that it needs, in its `security`. On the Unix socket the kernel says who asks: no token is needed."
)
ALWAYS = (  # kinds that every route may answer with
    "bad-request",
    "not-known",
    "not-allowed",
    "address-too-long",
    "too-many",
    "head-too-large",
    "internal",
    "cannot-write",
)
WITH_BODY = ("too-large", "wrong-media-type")
WITH_ID = ("another-request",)
NAME: Schema = {"type": "string", "maxLength": 200}
FIELD: Schema = {"type": "string", "maxLength": 200, "pattern": r"^[^\x00-\x1f\x7f]*$"}
NO_NUL: Schema = {"pattern": r"^[^\x00]*$"}
POINTER: Schema = {"type": "string", "pattern": r"^(/([^\x00~/]|~[01])*)*$"}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


VALUE = _reference("Value")


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required], **more}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _reference(name)}


def _patch_operation(name: str) -> Schema:
    fields = {field: POINTER if field == "from" else VALUE for field in OPERATIONS[name][1]}
    return _object({"op": {"const": name}, "path": POINTER, **fields})


NUMBER: Schema = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST - 1}
INCREMENT = _object({}, {"by": NUMBER, "path": POINTER}, additionalProperties=False)
PLACE: Mapping[str, Schema] = {"key": NAME, "host": NAME}
LEASE: Mapping[str, Schema] = {
    "owner": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\x00-\x1f\x7f]+$"},
    "lease": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_LEASE},
}
REASON_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON, "pattern": f"^{REASON.pattern}$"}
SCHEMAS: Mapping[str, Schema] = {
    "About": _object({"run_id": NAME, "state": {"enum": ["open", "over"]}, "seq": COUNT.schema, "server": NAME}),
    "Document": {"type": "object"},
    "Value": {
        "description": "What the context can hold.",
        "anyOf": [
            {"type": ["null", "boolean"]},
            NUMBER,
            {"type": "string", **NO_NUL},
            {"type": "array", "items": VALUE},
            {"type": "object", "propertyNames": NO_NUL, "additionalProperties": VALUE},
        ],
    },
    "Held": _object(
        {**PLACE, "version": COUNT.schema, "value": {}},
        {"seq": COUNT.schema, "policy": NAME, "repeated": {"type": "boolean"}},
    ),
    "Context": _object({"run_id": NAME, "at": COUNT.schema, "context": _list("Held")}),
    "Past": _object(
        {
            **PLACE,
            "seq": COUNT.schema,
            "version": COUNT.schema,
            "time": {"type": "string"},
            "step": {"type": "string"},
            "attempt": COUNT.schema,
            "who": {"type": "string"},
            "based_on": COUNT.schema,
            "before": {},
            "after": {},
        },
        {"policy": NAME, "outcome": {"enum": ["kept", "merged"]}},
    ),
    "History": _object({**PLACE, "more": {"type": "boolean"}, "changes": _list("Past")}),
    "Difference": _object({**PLACE, "field": {"type": "string"}}, {"before": {}, "after": {}}),
    "Differences": _object({"from": COUNT.schema, "to": COUNT.schema, "context": _list("Difference")}),
    "OnHosts": _object({"key": NAME, "hosts": {"type": "object"}}),
    "Lease": _object(LEASE, additionalProperties=False),
    "Lock": _object({"name": NAME, "owner": NAME, "left": {"type": "number"}, "fence": COUNT.schema}),
    "Messages": _object(
        {
            "name": NAME,
            "round": COUNT.schema,
            "messages": {"type": "array", "items": _object({"host": NAME, "version": COUNT.schema, "value": {}})},
        }
    ),
    "Abort": _object({"reason": REASON_TEXT}, additionalProperties=False),
    "Aborted": _object({"name": NAME, "reason": {"type": "string"}, "by": NAME}),
    "Wanted": _object(
        LEASE,
        {"tags": {"type": "array", "maxItems": MOST_TAGS, "items": {"type": "string"}}},
        additionalProperties=False,
    ),
    "Reservation": _object(
        {
            "pool": NAME,
            "name": NAME,
            "about": {"type": "object"},
            "owner": NAME,
            "left": {"type": "number"},
            "fence": COUNT.schema,
        }
    ),
    "Patch": {"type": "array", "maxItems": MOST_OPERATIONS, "items": {"oneOf": [*map(_patch_operation, OPERATIONS)]}},
    "Increment": INCREMENT,
    "Change": _object(
        {"key": KEY_NAME.schema},
        {
            "host": FIELD,
            "version": COUNT.schema,
            "step": FIELD,
            "value": VALUE,
            "patch": _reference("Patch"),
            "merge": VALUE,
            "increment": _reference("Increment"),
        },
        additionalProperties=False,
        oneOf=[{"required": [name]} for name in ("value", "patch", "merge", "increment")],
    ),
    "Problem": _object(
        {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "advice": {"type": "string"},
        },
        {
            "current": _reference("Held"),
            "owner": NAME,
            "left": {"type": "number"},
            "missing": {"type": "array", "items": NAME},
            "by": NAME,
            "reason": {"type": "string"},
        },
    ),
}


SECURITY: Mapping[str, Schema] = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token that `rack-recipes token create` has made."},
    "certificate": {"type": "mutualTLS", "description": "A client certificate whose name has a role."},
}


def document(routes: Iterable[RouteEntry]) -> dict[str, Any]:
    """The document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for entry in routes:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rack.recipes context server", "version": VERSION, "description": ABOUT},
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": SECURITY},
    }


def _operation(entry: RouteEntry) -> dict[str, Any]:
    content: dict[str, Any] = {
        entry.media: {"schema": _reference(entry.answer) if entry.answer else {"type": "string"}}
    }
    found: dict[str, Any] = {
        "operationId": entry.name,
        "summary": entry.about,
        "security": [{scheme: [entry.role]} for scheme in SECURITY],
        "parameters": [*map(_parameter, entry.params)],
        "responses": {"200": {"description": "As asked.", "content": content}, **_problems(entry)},
    }
    if entry.bodies:
        bodies = {media: {"schema": schema} for media, schema in entry.bodies.items()}
        found["requestBody"] = {"required": True, "content": bodies}
    return found


def _parameter(param: Param) -> dict[str, Any]:
    about = {"name": param.name, "in": param.place, "description": param.about, "required": param.required}
    return {**about, "schema": param.kind.schema}


def _problems(entry: RouteEntry) -> dict[str, Any]:
    has_id = any(param.name == "Idempotency-Key" for param in entry.params)
    kinds = (*ALWAYS, *(WITH_BODY if entry.bodies else ()), *(WITH_ID if has_id else ()), *entry.problems)
    content = {PROBLEM: {"schema": _reference("Problem")}}
    titles: dict[str, list[str]] = {}
    for kind in kinds:
        titles.setdefault(str(KINDS[kind].status), []).append(KINDS[kind].title)
    return {status: {"description": "; ".join(found), "content": content} for status, found in titles.items()}
