# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers to requests: JSON, problems, and long ones, which are made and sent in pieces.

The values of a JSON answer are in the context as text already.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from rack_recipes.server.http.route_model import JSON, PROBLEM, Call
from rack_recipes.server.live.live_context import Written
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response


def answer(data: object) -> Response:
    """JSON data as an answer."""
    return _response(json_text(data), 200, {}, JSON)


def value_answer(key: str, host: str, version: int, text: str, more: Mapping[str, object] | None = None) -> Response:
    """A key with its version, and its value as JSON text. The version is also the entity tag."""
    head = json.dumps({"key": key, "host": host, "version": version, **(more or {})})
    return _response(f'{head[:-1]}, "value": {text}}}', 200, {"etag": f'"{version}"'}, JSON)


def with_texts(about: Mapping[str, object], **texts: str) -> str:
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


def _response(text: str, status: int, headers: Mapping[str, str], media_type: str) -> Response:
    from starlette.responses import Response

    return Response(text, status, headers, media_type)


PIECE = 65_536  # characters, after which a piece gets no further part
SOON = 4  # turns, within which a short answer is ready also where the machine is busy


async def long_answer(call: Call, parts: Iterator[str]) -> Response:
    """The text that these parts make, as JSON; an empty part is a place to pause at. Raises Problem.

    What is done soon is an answer like any other. Of the rest a client that does not read has one piece in memory, and
    nothing is done for one that has left.
    """
    from starlette.responses import Response, StreamingResponse

    piece, is_whole = b"", False
    for _turn in range(SOON):
        more, is_whole = await call.service.turns.take(partial(_next_piece, parts))
        piece += more
        if is_whole:
            return Response(piece, media_type=JSON)
        if len(piece) >= PIECE:
            break
    call.service.turns.check_room(call.who)
    return StreamingResponse(_pieces(call, parts, piece), media_type=JSON)


async def _pieces(call: Call, parts: Iterator[str], piece: bytes) -> AsyncIterator[bytes]:
    """The rest of an answer. What goes wrong ends the connection: nobody takes what was sent for a whole answer."""
    is_whole = False
    with call.service.turns.sending(call.who):
        try:
            while True:
                if piece:
                    yield piece
                if is_whole:
                    return
                call.caller.check_valid()
                piece, is_whole = await call.service.turns.take(partial(_next_piece, parts))
        except Problem:
            raise
        except Exception:
            sys.stderr.write(traceback.format_exc())
            raise


def _next_piece(parts: Iterator[str], until: float) -> tuple[bytes, bool]:
    """The next part, and further ones until some time; and whether these were the last."""
    found, size = [], 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size >= PIECE or perf_counter() >= until:
            return "".join(found).encode(), False
    return "".join(found).encode(), True


def listed(about: Mapping[str, object], name: str, rows: Iterable[str], marks: str = "[]") -> Iterator[str]:
    """The parts of an object with a last field `name`, the list of these JSON texts; empty ones are passed over.

    Between other `marks` it is an object.
    """
    yield f'{json_text(about)[:-1]},"{name}":{marks[0]}'
    between = ""
    for row in rows:
        if row:
            yield between + row
            between = ","
        else:
            yield ""
    yield marks[1] + "}"
