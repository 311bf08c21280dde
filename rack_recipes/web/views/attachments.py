# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that steps have attached: their list, what of them a page shows, and their bytes.

What a host has written is never a document of this server: a picture is sent with a policy under which nothing in it
runs or loads, anything else as bytes to be saved. Text and JSON are shown as text of the page.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

from rack_recipes.errors import UsageError
from rack_recipes.journal.allowed_records import DIGEST
from rack_recipes.report.table_model import Column
from rack_recipes.report.tables import columns as of
from rack_recipes.run.missing_results_and_artifacts import FOLDER
from rack_recipes.store.reading import recorded_runs
from rack_recipes.web.page_model import Asked, LinkedTable, Page, Section, above_run, page_address, table

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource

Row = Mapping[str, Any]
PIECE = 2**20  # bytes that are read at once
TEXT_SHOWN = 256 * 1024  # bytes of a text that a page shows, from its beginning
MOST_OPENED = 20  # attachments of one result that are opened in its page
PICTURE_SHOWN = 32 * 2**20  # bytes of the largest picture that a page shows
PICTURES: Sequence[tuple[re.Pattern[bytes], str]] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (
        re.compile(rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--[^>]{0,500}>\s*)?(?:<!DOCTYPE svg[^\[>]*>\s*)?<svg[\s>]"),
        "image/svg+xml",
    ),
)
"""How the files of pictures begin: what a step says of its file does not count."""
BEGINNING = 2048  # bytes by which a picture is known
CHANGED = "the file was changed since: its bytes are not those that the run has recorded"
ANY_BYTES = "application/octet-stream"
HARMLESS_DOCUMENT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""The policy of a file: where a browser opens it by itself, it is of no origin, runs nothing and loads nothing."""
LISTED = (
    Column("name", "Attachment"),
    Column("size", "Size", "number", "B"),
    Column("media_type", "Type"),
    Column("attempt", "Try", "number"),
    Column("note", "Why it is missing"),
    Column("sha256", "SHA-256"),
)
OF_RUN = (LISTED[0], of.STEP, of.HOST, *LISTED[1:])


def attachments(source: PageSource, asked: Asked) -> Page:
    """All files that the steps of a run have attached."""
    run = source.run_of(asked.names["run"])
    found = recorded_runs.artifacts(source.store(), run["run_id"])
    about = f"{len(found):,} of them. A step leads to the result, whose page opens them." if found else ""
    return Page(
        "Attachments",
        sections=[Section("attachments", "Attachments", about, _listed(run["run_id"], found, OF_RUN))],
        above=above_run(run),
        status=run["status"] or "running",
    )


def of_result(source: PageSource, run_id: str, host: str, step: str) -> Iterator[Section]:
    """The files that a result has attached: their list, and what can be shown of each."""
    found = recorded_runs.artifacts(source.store(), run_id, host=host, step=step)
    if not found:
        return
    listed = _listed(run_id, found, LISTED)
    about = "What the step has left with the run; a name leads to the file."
    more = f" The first {MOST_OPENED} are opened below." if len(found) > MOST_OPENED else ""
    yield Section("attachments", "Attachments", f"{about}{more}", listed)
    names = Counter(row["name"] for row in found)
    for place, row in enumerate(found[:MOST_OPENED], 1):
        again = f", try {row['attempt']}" if names[row["name"]] > 1 else ""
        yield _opened(source, run_id, row, Section(f"attachment-{place}", f"{row['name']}{again}"))


def _listed(run_id: str, found: Sequence[Row], columns: Sequence[Column]) -> LinkedTable:
    links = {
        "name": lambda row: _address(run_id, row) if row["path"] else "",
        "step": lambda row: page_address("runs", run_id, "hosts", row["host"], row["step"]),
    }
    return table("attachments", "Attachments", columns, [_told(row) for row in found], links)


def _told(row: Row) -> dict[str, object]:
    missing = None if row["path"] else row["note"] or "it has not come yet"
    return {**row, "media_type": row["media_type"] or None, "note": missing}


def _address(run_id: str, row: Row) -> str:
    return page_address("runs", run_id, "attachments", row["sha256"], row["name"])


def _opened(source: PageSource, run_id: str, row: Row, section: Section) -> Section:
    """What a page shows of a file, or why it does not."""
    about = f"{row['size']:,} bytes, SHA-256 {row['sha256']}"
    links = [("Download", f"{_address(run_id, row)}?save=yes")] if row["path"] else []
    try:
        with _open(source, run_id, row) as file:
            beginning = file.read(TEXT_SHOWN + 1)
            if len(beginning) <= TEXT_SHOWN:
                file.seek(0)
                _check(file, row)
    except UsageError as error:
        return replace(section, about=f"{about}. {str(error)[:1].upper()}{str(error)[1:]}.")
    shown = replace(section, about=f"{about}.", links=links)
    if picture_of(beginning) and row["size"] <= PICTURE_SHOWN:
        return replace(shown, image=_address(run_id, row))
    if not beginning:
        return replace(shown, about=f"{about}. It is empty.")
    text = _text_of(beginning)
    if text is None:
        return replace(shown, about=f"{about}. It is no text and no picture: save it to look at it.")
    if len(beginning) > TEXT_SHOWN:
        return replace(shown, about=f"{about}. These are its first {TEXT_SHOWN:,} bytes.", text=text, open=True)
    return replace(shown, text=_indented(text), open=True)


def picture_of(beginning: bytes) -> str:
    """The media type of a picture by the first bytes of its file; "" for what is none that a browser shows."""
    return next((kind for begins, kind in PICTURES if begins.match(beginning[:BEGINNING])), "")


def _text_of(beginning: bytes) -> str | None:
    """The text of a file; None where its bytes are none. The last letter of a part of a file may be cut off."""
    whole = beginning[:TEXT_SHOWN]
    if b"\0" in whole:
        return None
    try:
        return whole.decode("utf-8")
    except UnicodeDecodeError as error:
        is_cut = len(beginning) > TEXT_SHOWN and error.start >= len(whole) - 3
        return whole[: error.start].decode("utf-8") if is_cut else None


def _indented(text: str) -> str:
    """JSON with a line for each value, any other text as it is."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def one_attachment(source: PageSource, asked: Asked) -> Page:
    """The bytes of a file; a picture to look at, anything else, and all with `?save=yes`, to be saved.

    The name at the end of the address is for the browser that saves it. Raises UsageError for a file that is not here,
    or whose bytes are not those that its name says.
    """
    store = source.store()
    run_id = recorded_runs.find(store, asked.names["run"])
    digest, name = asked.names["digest"], asked.names["name"]
    found = [row for row in recorded_runs.artifacts(store, run_id, sha256=digest) if row["name"] == name]
    if not found:
        raise UsageError(f"run {run_id} has no attachment {name[:80]!r} with the SHA-256 {digest[:64]!r}")
    row = next((row for row in found if row["path"]), found[0])
    with ExitStack() as kept:
        file = kept.enter_context(_open(source, run_id, row))
        _check(file, row)
        kind = picture_of(file.read(BEGINNING))
        file.seek(0)
        kept.pop_all()
    is_saved = not kind or asked.query.get("save") == "yes"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    headers = (
        ("content-disposition", f'{"attachment" if is_saved else "inline"}; filename="{safe}"'),
        ("content-length", str(row["size"])),
        ("content-security-policy", HARMLESS_DOCUMENT),
    )
    return Page("", kind=ANY_BYTES if is_saved else kind, file=file, headers=headers)


def _open(source: PageSource, run_id: str, row: Row) -> IO[bytes]:
    """The file of an attachment in the folder of its run, or of the part of the run that it came from.

    Raises UsageError.
    """
    digest, path = str(row["sha256"]), row["path"]
    if not path:
        raise UsageError(f"it is missing: {row['note'] or 'it has not come yet'}")
    part = re.fullmatch(rf"(?:\.\./([A-Za-z0-9_-]{{1,100}})/)?{FOLDER}/{re.escape(digest)}", path)
    if part is None or not DIGEST.fullmatch(digest):
        raise UsageError("its record names no file of this run")
    place = source.runs / (part[1] or run_id) / FOLDER / digest
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        told = "" if isinstance(error, FileNotFoundError) else f": {error.strerror}"
        raise UsageError(f"its file is not in the run's folder on this server{told}") from None
    file = os.fdopen(fd, "rb")
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size != row["size"]:
        file.close()
        raise UsageError(CHANGED)
    return file


def _check(file: IO[bytes], row: Row) -> None:
    """Raise UsageError for bytes that are not those that the run has recorded; leaves the file at its beginning."""
    found = sha256()
    while piece := file.read(PIECE):
        found.update(piece)
    if found.hexdigest() != row["sha256"]:
        raise UsageError(CHANGED)
    file.seek(0)


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file; it is closed at the end."""
    with file:
        while piece := file.read(PIECE):
            yield piece
