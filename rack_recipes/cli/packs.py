# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands export, verify, import and upload: runs as packs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, size_text, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import printable
from rack_recipes.errors import StoreError, UsageError, counted
from rack_recipes.visible_text import visible

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.archive.export_pack import PackSource
    from rack_recipes.archive.import_pack import ImportedRun
    from rack_recipes.archive.send_pack import Server
    from rack_recipes.archive.verify_pack import SignatureCheck, Verified


@contextmanager
def pack_sources(options: argparse.Namespace) -> Iterator[list[PackSource]]:
    """Where the run is: its journal here, its rows in the store, or both; behind a group there are its parts.

    Raises UsageError, also for a run that goes on here.
    """
    from rack_recipes import settings
    from rack_recipes.run.run_folders import find_here
    from rack_recipes.store.writing.import_journal import run_of

    found = find_here(Path(settings.load().runs), options.run)
    journals = found.journals if found else []
    _refuse_running(journals)
    with ExitStack() as stack:
        try:
            store = stack.enter_context(open_store(options))
        except StoreError:
            if found is None or found.is_group:
                raise
            store = None
        if found and not found.is_group:
            run_id = run_of(journals[0])
        else:
            run_id = run_id_of(store, found.run_id if found else options.run, options.db) if store else options.run
        yield [*_of_run(run_id, {run_of(journal): journal for journal in journals}, store)]


def _refuse_running(journals: Sequence[Path]) -> None:
    from rack_recipes.run.run_folders import is_run_held

    for journal in journals:
        if is_run_held(journal.parent):
            raise UsageError(f"run {journal.parent.name} still goes on: it can be exported when it has ended")


def _of_run(run_id: str, journals: Mapping[str, Path], store: Engine | None) -> Iterator[PackSource]:
    """The run, then its parts where it is a group. `journals` has those that are here, by the id of their run."""
    from rack_recipes.archive.export_pack import IN_PARTS, PackSource
    from rack_recipes.store.reading import recorded_runs

    parts = [part["run_id"] for part in recorded_runs.parts(store, run_id)] if store else []
    about = {"absent": IN_PARTS} if parts else {}
    yield PackSource(run_id, journals.get(run_id), store, **about)
    yield from (PackSource(part, journals.get(part), store) for part in parts)


@takes(
    """
    [RUN]
    --to PATH  a new folder, or a new archive whose name ends with .tar.gz or .zip (default: rack-recipes-RUN.tar.gz)
    --sign FILE  sign the pack with this private key; with a public key, the SSH agent signs
    --db URL
    examples:
    rack-recipes export
    rack-recipes export 20261125-1444 --to /srv/evidence/burn-in.zip
    rack-recipes export 20261125-1444 --to /srv/evidence/burn-in --sign ~/.ssh/id_ed25519
    """
)
def export(options: argparse.Namespace) -> Answer:
    """Pack a run into a folder or one archive, and print the paths of the files that this makes.

    A pack has recipe, playbook, hosts, journal, results, artifacts and versions, with checksums over all of it and over
    the archive itself. The same run gives the same bytes. Secrets are masked in all files.
    A run in parts gives one pack with the results of the whole, and beside it one for each part, named after it.
    """
    from rack_recipes.archive.export_pack import check_free
    from rack_recipes.archive.export_pack import export as pack
    from rack_recipes.archive.manifest_and_signatures import pack_name
    from rack_recipes.archive.tar_and_zip_packs import with_part

    key = Path(options.sign).expanduser() if options.sign else None
    with pack_sources(options) as (source, *parts):
        target = Path(options.to or f"{pack_name(source.run_id)}.tar.gz")
        targets = {target: source, **{with_part(target, part.run_id): part for part in parts}}
        check_free(targets)
        made = {one.run_id: pack(one, path, key) for path, one in targets.items()}
    for run_id, each in made.items():
        sys.stderr.writelines(_lacks(run_id if parts else "", each.about["missing"]))
    paths = [str(path) for each in made.values() for path in each.paths]
    answer = {
        "run_id": source.run_id,
        **({"parts": [part.run_id for part in parts]} if parts else {}),
        "paths": paths,
        "files": sum(each.files for each in made.values()),
        "missing": made[source.run_id].about["missing"],
    }
    return (answer if options.json else "\n".join(paths)), 0


def _lacks(run_id: str, missing: Mapping[str, str]) -> Iterator[str]:
    """A line for each file that a pack lacks; `run_id` is named where there are several packs."""
    for name, why in missing.items():
        yield f"{f'{run_id}: ' if run_id else ''}without {name}: {why}\n"


@takes(
    """
    PATH as pack
    --allowed-signers FILE  a file of allowed signers in the form of OpenSSH; needs --signer
    --signer WHO  the name in that file of the one who must have signed the pack
    examples:
    rack-recipes verify rack-recipes-20261125-144400-3f9a2c.tar.gz
    rack-recipes verify /srv/evidence/burn-in --allowed-signers signers --signer lab@example.com
    """
)
def verify(options: argparse.Namespace) -> Answer:
    """Check that a pack is as it was exported: name each file that was changed, is missing or was added.

    Nothing is unpacked. The exit code is 0 where nothing was changed, 1 where something was, and 2 where the pack
    cannot be read.
    """
    from rack_recipes.archive.verify_pack import verify as check
    from rack_recipes.run.launcher.progress_and_summary import StatusLine

    drawing = StatusLine(sys.stderr)
    try:
        found = check(Path(options.pack), _required_signature(options), lambda name: drawing.draw(f"reading {name}"))
    finally:
        drawing.clear()
    if options.json:
        return _verified_data(found), 1 if found.problems else 0
    sys.stderr.writelines(f"{note}\n" for note in found.notes)
    return "".join(_lines(found)), 1 if found.problems else 0


def _required_signature(options: argparse.Namespace) -> SignatureCheck | None:
    from rack_recipes.archive.verify_pack import SignatureCheck

    if bool(options.allowed_signers) != bool(options.signer):
        raise UsageError("rack-recipes verify: --allowed-signers and --signer belong together; see --help")
    if not options.signer:
        return None
    allowed = Path(options.allowed_signers).expanduser()
    if not allowed.is_file():
        raise UsageError(f"--allowed-signers {allowed}: there is no such file")
    return SignatureCheck(allowed, options.signer)


def _verified_data(found: Verified) -> dict[str, object]:
    return {
        "status": "changed" if found.problems else "ok",
        "run_id": found.run_id,
        "files": found.files,
        "problems": [problem._asdict() for problem in found.problems],
        "notes": found.notes,
        "signer": found.signer,
    }


def _lines(found: Verified) -> Iterator[str]:
    for kind, file, detail in found.problems:
        yield printable(f"{kind}  {file}{f': {detail}' if detail else ''}") + "\n"
    signed = f", signed by {found.signer}" if found.signer else ""
    what = counted(len(found.problems), "problem") if found.problems else f"nothing was changed{signed}"
    yield printable(f"run {found.run_id or '?'}, {counted(found.files, 'file')}: {what}") + "\n"


@takes(
    """
    PATH as pack
    --db URL
    examples:
    rack-recipes import rack-recipes-20261125-144400-3f9a2c.tar.gz
    rack-recipes import /srv/evidence/burn-in --db postgresql://rack@db.example/rack
    """
)
def import_(options: argparse.Namespace) -> Answer:
    """Bring the run of a pack here: its folder, as it was where the pack was made, and its results into the store.

    The pack is checked as by `verify`. One that was changed is refused with exit code 1, and the files are named. The
    same pack again changes nothing. A run that is here is replaced only where it has no end yet and its journal is the
    beginning of the one in the pack; another run of the same id is refused. A part joins its group.
    """
    from rack_recipes import settings
    from rack_recipes.archive.import_pack import import_packed_run, opened_pack
    from rack_recipes.journal.reader import describe_damage
    from rack_recipes.run.launcher.progress_and_summary import StatusLine

    drawing, runs = StatusLine(sys.stderr), Path(settings.load().runs)
    try:
        with opened_pack(Path(options.pack), runs, lambda name: drawing.draw(f"reading {name}")) as packed:
            drawing.clear()
            with open_store(options, writing=True) as store:
                done = import_packed_run(packed, runs, store)
    finally:
        drawing.clear()
    if reason := describe_damage(
        runs / done.run_id, done.damaged
    ):  # it was so where the pack was made: all else is here
        sys.stderr.write(f"{reason}\n")
    return (_imported_data(done, runs) if options.json else _line(done)), 0


def _imported_data(done: ImportedRun, runs: Path) -> dict[str, object]:
    return {
        "status": "ok",
        "run_id": done.run_id,
        "state": done.state,
        "group": done.group or None,
        "folder": str(runs / done.run_id),
        "rows": done.rows,
        "damaged": [*done.damaged],
    }


def _line(done: ImportedRun) -> str:
    group = f", a part of {done.group}" if done.group else ""
    return f"run {done.run_id}{group}: {done.state}, {counted(done.rows, 'row')} stored\n"


@takes(
    """
    [RUN]
    --to URL  the server, https://HOST:PORT (http:// only for this machine), which serve --web --allow-upload started
    --token-file FILE  a token of that server with the role operator, in a file that others cannot read (default:
        RACK_RECIPES_TOKEN of the environment)
    --ca FILE  who has signed the server's certificate, in PEM (default: the setting rack_recipes_server_ca, else those
        that the system trusts)
    --db URL
    examples:
    rack-recipes upload --to https://rack.lab:8321 --token-file ci.token
    rack-recipes upload 20261125-1444 --to https://rack.lab:8321 --token-file ci.token --ca lab.pem --json
    """,
    to={"required": True},
    token_file=Path,
)
def upload(options: argparse.Namespace) -> Answer:
    """Send a run with all that belongs to it to a server of pages, and print the addresses of its page and report.

    For a controller that is thrown away, such as the container of a job: journal, artifacts, recipe and playbook go as
    one pack, and the server has the run as if it had been made there. It can be called again: what the server has is
    not changed. A part of a group joins it there; the id of a group stands for its parts. A lost connection is tried
    again.
    """
    from rack_recipes import settings
    from rack_recipes.archive.export_pack import export as export_run
    from rack_recipes.archive.send_pack import send, server_of
    from rack_recipes.cli.token import read_token
    from rack_recipes.run.launcher.progress_and_summary import StatusLine
    from rack_recipes.run.run_folders import is_run_held
    from rack_recipes.run.store_writer import end_abandoned_run

    drawing = StatusLine(sys.stderr)

    def show(sent: int, size: int) -> None:
        drawing.draw(f"sent {size_text(sent)} of {size_text(size)}")

    told: list[dict[str, Any]] = []
    with pack_sources(options) as (run, *parts), TemporaryDirectory(prefix="rack-recipes-") as folder:
        token = read_token(options.token_file, "operator")
        server = server_of(options.to, token, options.ca or settings.load().server_ca)
        for source in parts or [run]:
            if source.journal is None:
                raise UsageError(f"run {source.run_id} has no folder here: upload it where it was made")
            if not is_run_held(source.journal.parent):
                end_abandoned_run(source.journal)  # it may have had no room for its end record, as on a full disk
            drawing.draw(f"packing run {source.run_id}")
            try:
                pack = export_run(source, Path(folder) / f"{len(told)}.tar.gz").paths[0]
                told.append(send(server, pack, show))
            finally:
                drawing.clear()
            pack.unlink()
        answer = _whole(run.run_id, told) if parts else told[0]
    return _told(server, answer, as_json=options.json), 0


def _whole(group: str, parts: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """The answer about a group, from those about its parts."""
    page = parts[-1].get("group_page")
    named = [part["run_id"] for part in parts]
    return {**parts[-1], "run_id": group, "page": page, "report": page and f"{page}/report", "parts": named}


def _told(server: Server, told: Mapping[str, object], *, as_json: bool) -> dict[str, Any] | str:
    addresses = {
        name: f"{server.address}{told[name]}" if told.get(name) else None for name in ("page", "report", "group_page")
    }
    if as_json:
        parts = {"parts": told["parts"]} if "parts" in told else {}
        return {"status": "ok", **{name: told.get(name) for name in ("run_id", "state", "group")}, **addresses, **parts}
    return "".join(f"{visible(address)}\n" for address in dict.fromkeys(addresses.values()) if address)
