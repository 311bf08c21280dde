# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the run that another controller sends as a pack: its folder, and its results into the store of the pages."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from rack_recipes import settings
from rack_recipes.archive.import_pack import (
    HERE,
    NEW,
    ChangedPackError,
    ImportedRun,
    OtherRunError,
    PackLimits,
    import_packed_run,
    opened_pack,
)
from rack_recipes.archive.tar_and_zip_packs import TAR
from rack_recipes.errors import UsageError
from rack_recipes.private_files import make_private
from rack_recipes.run.trust.check_trust import check_store
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.access.identify import user_of_caller
from rack_recipes.server.problems import Problem
from rack_recipes.store.database_engine import connect_store
from rack_recipes.web.actions.action_log import log_action, log_path, log_refusals
from rack_recipes.web.page_model import Asked, Page, page_address

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

GZIP = "application/gzip"
FOLDER = "server"  # beside the folder of runs
UNPACKED = 20  # times the size of a pack is what one token may have unpacked here in a day
SHRUNK = 100  # times the bytes that were sent is what they may be unpacked: 40 is what the most even runs come to
SMALLEST = 2**20  # bytes that any pack may have unpacked
DAY = 86400.0  # seconds
MOST_FILES = 200_000
FREE_FILES, BYTES_OF_FILE = 1000, 64  # beyond so many files each takes so many bytes of what was sent: two digests
MOST_PARSED = 32 * 2**20  # bytes of a list of files, or of a line of a journal
ALLOW = "`rack-recipes serve --web --allow-upload` takes runs: ask who runs the server"
EXPORT = "send a pack as `rack-recipes export` makes it; `rack-recipes upload` does both"
MOST_NAMED = 100  # changed files
NAMELESS = re.compile(r"^/proc/self/fd/\d+: ")  # what a pack is called in this process
CREATED, OK = 201, 200


def allowed_size(source: PageSource, headers: Mapping[str, str]) -> int:
    """How many bytes a pack may have, before any of it is read. Raises Problem for one that is not taken at all."""
    if not source.may_upload:
        raise Problem("not-allowed", "this server takes no runs", ALLOW)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != GZIP:
        raise Problem("wrong-media-type", f"a pack is {GZIP}, this is {kind[:80] or 'without a type'}", EXPORT)
    if int(headers.get("content-length", "0")) > source.most_upload:  # uvicorn lets only numbers through
        raise too_large(source.most_upload)
    return source.most_upload


def too_large(most: int) -> Problem:
    """The problem of a pack with more bytes than that."""
    advice = "ask who runs the server for a larger --max-upload, or copy the pack there and `rack-recipes import` it"
    return Problem("too-large", f"a pack may have {most} bytes here", advice)


@contextmanager
def receiving(source: PageSource) -> Iterator[IO[bytes]]:
    """A file without a name for a pack: the system removes it, also where this server is killed. Raises Problem."""
    folder = source.runs.parent / FOLDER
    try:
        make_private(folder)
        with TemporaryFile(dir=folder) as file:
            yield file
    except OSError as error:
        raise Problem(
            "cannot-write", f"the pack cannot be kept in {folder}: {error.strerror}", "see to the server's disk"
        ) from error


def upload(source: PageSource, asked: Asked) -> Page:
    """Bring the run of a pack here; the answer has the addresses of its pages.

    Raises Problem, JournalError, StoreError.
    """
    done = _imported(source, asked, cast("IO[bytes]", asked.body))
    return Page("Upload", data=_answer(done), http_status=CREATED if done.state == NEW else OK)


@contextmanager
def _problems() -> Iterator[None]:
    """Turn what is wrong with a pack into a Problem for who sent it."""
    try:
        yield
    except ChangedPackError as error:
        more = {"problems": [problem._asdict() for problem in error.problems[:MOST_NAMED]]}
        raise Problem("bad-request", str(error), "export the run again, and send that", more) from error
    except OtherRunError as error:
        raise Problem("run-conflict", str(error), "find out which of the two is right, and remove the other") from error
    except UsageError as error:
        raise Problem("bad-request", NAMELESS.sub("", str(error)), EXPORT) from error


def _imported(source: PageSource, asked: Asked, body: IO[bytes]) -> ImportedRun:
    """Check the pack, then who sends it, then note it, then bring it."""
    body.flush()
    path, log, sent = Path(f"/proc/self/fd/{body.fileno()}"), log_path(source.runs), os.fstat(body.fileno()).st_size
    about: dict[str, Any] = {"bytes": sent}
    with ExitStack() as kept:
        with log_refusals(log, asked.caller, "upload", about), _problems():
            limits = _limits(source, asked.caller, sent)
            packed = kept.enter_context(opened_pack(path, source.runs, limits=limits, form=TAR))
            about |= {"run": packed.run_id, "group": packed.group or None, "unpacked": packed.size}
            for name in (packed.run_id, *filter(None, [packed.group])):
                asked.caller.check_run(name)
        with log_action(log, asked.caller, "upload", about), _problems():
            check_store("change", settings.load(), user_of_caller(asked.caller))
            store = connect_store(source.db)
            try:
                done = import_packed_run(packed, source.runs, store)
            finally:
                store.dispose()
        if done.state != HERE:
            source.brought.append((time.monotonic(), asked.caller.name, packed.size))
        return done


def _limits(source: PageSource, caller: Caller, sent: int) -> PackLimits:
    """How much a pack of so many bytes may have unpacked: by its own size, and by what came by this token today."""
    source.brought[:] = [one for one in source.brought if one[0] > time.monotonic() - DAY]
    had, most = sum(size for _time, who, size in source.brought if who == caller.name), UNPACKED * source.most_upload
    by_size, left = max(SMALLEST, SHRUNK * sent), max(most - had, 0)
    why = (
        f"{SHRUNK} times the {sent} bytes that were sent"
        if SHRUNK * sent > SMALLEST
        else "the most for so small a pack"
    )
    if left < by_size:
        why = f"what is left of the {most} that {caller.name} may have here in a day"
    return PackLimits(min(by_size, left), why, min(MOST_FILES, FREE_FILES + sent // BYTES_OF_FILE), MOST_PARSED)


def _answer(done: ImportedRun) -> dict[str, Any]:
    return {
        "run_id": done.run_id,
        "state": done.state,
        "page": page_address("runs", done.run_id),
        "report": page_address("runs", done.run_id, "report"),
        "group": done.group or None,
        "group_page": page_address("runs", done.group) if done.group else None,
        "rows": done.rows,
        "damaged": [*done.damaged],
    }
