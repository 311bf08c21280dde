# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers: JSON whose values are in the context as text already, and problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from rack_recipes.server.http.route_model import JSON, PROBLEM
from rack_recipes.server.live.live_context import Written
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON data as an answer."""
    return _response(json_text(data), status, headers, JSON)


def value_answer(key: str, host: str, version: int, text: str, more: Mapping[str, Any] | None = None) -> Response:
    """A key with its version, and its value as JSON text. The version is also the entity tag."""
    head = json.dumps({"key": key, "host": host, "version": version, **(more or {})})
    return _response(f'{head[:-1]}, "value": {text}}}', 200, {"etag": f'"{version}"'}, JSON)


def with_texts(about: Mapping[str, Any], **texts: str) -> str:
    """An object as JSON text: these fields, and behind them such whose values are JSON text already."""
    more = "".join(f',"{name}":{text}' for name, text in texts.items())
    return f"{json_text(about)[:-1]}{more}}}"


def written_answer(key: str, host: str, written: Written) -> Response:
    """What a write has made of a key."""
    more: dict[str, Any] = {"seq": written.seq}
    if written.policy:
        more["policy"] = written.policy
    if written.repeated:
        more["repeated"] = True
    return value_answer(key, host, written.version, written.text, more)


def problem_answer(problem: Problem) -> Response:
    """A problem as RFC 9457 has it."""
    return _response(json_text(problem.body()), problem.status, dict(problem.headers), PROBLEM)


def _response(text: str, status: int, headers: Mapping[str, str] | None, media_type: str) -> Response:
    from starlette.responses import Response

    return Response(text, status, headers, media_type)
