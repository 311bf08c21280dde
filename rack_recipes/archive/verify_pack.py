# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a pack is what was exported, to the last byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.archive import manifest_and_signatures
from rack_recipes.archive.manifest_and_signatures import (
    CHUNK,
    FORMAT,
    MANIFEST,
    SIGNATURE,
    SUM,
    SUMS,
    HashChain,
    PackFacts,
    read_manifest,
    read_sums,
    sums_text,
)
from rack_recipes.archive.tar_and_zip_packs import FORMATS, ArchiveFormat, Member, format_of, read_folder
from rack_recipes.errors import RackError, UsageError

SIGNED = f"{SUMS}{SIGNATURE}"
PARSED = frozenset({MANIFEST, SUMS, SIGNED})  # the files of a pack whose content is needed
MAX_PARSED = 256 * 2**20  # bytes of one of these, and of a line of a journal
CHANGED, MISSING, ADDED, REFUSED = "changed", "missing", "added", "refused"

OnFile = Callable[[str], None]
Keep = Callable[[str], Callable[[bytes], object]]
"""What takes the bytes of a file, piece by piece, by the file's name. A RackError that it raises ends the reading."""


class PackProblem(NamedTuple):
    """A file that is not as it was exported. `kind` is `changed`, `missing`, `added` or `refused`."""

    kind: str
    file: str
    detail: str = ""


class SignatureCheck(NamedTuple):
    """Whose signature is required: a file of allowed signers in the form of OpenSSH, and the name of one in it."""

    allowed: Path
    signer: str


@dataclass
class Verified:
    """The outcome of a check.

    `files` is the number of files that were read. `notes` say what could not be checked. `signer` is empty where no
    signature was required.
    """

    run_id: str = ""
    files: int = 0
    problems: list[PackProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    signer: str = ""


@dataclass
class _Reading:
    """A pack that is read.

    The problems go into `found`; names and bytes are told, also those passed over. What was read stays here: facts of
    each file, the content of those that are parsed, the journal's chain.
    """

    found: Verified
    on_file: OnFile
    keep: Keep
    skip: Callable[[int], object]
    facts: dict[str, PackFacts] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    chain: HashChain = field(default_factory=HashChain)


def keep_nothing(_name: str) -> Callable[[bytes], object]:
    """What takes the bytes of a file that is only checked."""
    return len


def verify(
    pack: Path,
    trust: SignatureCheck | None = None,
    on_file: OnFile = lambda _name: None,
    keep: Keep = keep_nothing,
    form: ArchiveFormat | None = None,
    skip: Callable[[int], object] = int,
) -> Verified:
    """Check a pack, a folder or an archive. `on_file` is called with the name of each file, `keep` gets its bytes.

    `skip` is called with the number of bytes of each that is refused, and so not read. `form` is the format of an
    archive whose name does not tell it. Raises UsageError for what cannot be read as a pack at all.
    """
    found = Verified()
    read = _Reading(found, on_file, keep, skip)
    if pack.is_dir():
        _read_members(read_folder(pack), read)
        signed = read.texts.get(SUMS), read.texts.get(SIGNED), SUMS
    else:
        line, signature = _check_archive_file(pack, found)
        _read_archive(pack, form or format_of(pack.name), read)
        signed = line, signature, pack.name + SUM
        if SIGNED in read.facts:  # that of an archive lies beside it
            found.problems.append(PackProblem(ADDED, SIGNED))
    _check_content(pack, read, found)
    _check_signature(*signed, trust, found)
    return found


def _check_archive_file(pack: Path, found: Verified) -> tuple[bytes | None, bytes | None]:
    """Compare an archive with the checksum file beside it. Returns the content of that file and its signature."""
    beside = pack.with_name(pack.name + SUM)
    with pack.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest() if beside.is_file() else ""
    if not beside.is_file():
        found.notes.append(
            f"there is no {beside.name} beside it, so only the files in it were checked, not the archive"
        )
        return None, None
    line = beside.read_bytes()
    listed = read_sums(line)
    if listed is None or [*listed] != [pack.name]:
        found.problems.append(PackProblem(CHANGED, beside.name, f"it is not the checksum of a file {pack.name}"))
    elif listed[pack.name] != digest:
        found.problems.append(PackProblem(CHANGED, pack.name, f"the archive is not the one that {beside.name} is of"))
    signature = beside.with_name(beside.name + SIGNATURE)
    return line, signature.read_bytes() if signature.is_file() else None


def _read_archive(pack: Path, form: ArchiveFormat | None, read: _Reading) -> None:
    if form is None:
        raise UsageError(f"{pack}: expected a folder, or a file whose name ends with {', '.join(FORMATS)}")
    try:
        _read_members(form.read(pack), read)
    except RackError:
        raise
    except Exception as error:  # tarfile, zipfile and gzip raise many kinds for damaged files
        problem = f"it cannot be read{' any further' if read.facts else ''}: {str(error) or type(error).__name__}"
        if not read.found.problems:
            raise UsageError(f"{pack}: {problem}") from error
        read.found.problems.append(PackProblem(CHANGED, pack.name, problem))


def _read_members(members: Iterable[Member], read: _Reading) -> None:
    for member in members:
        read.on_file(member.name)
        if member.problem:
            read.skip(member.size)
            read.found.problems.append(PackProblem(REFUSED, member.name, member.problem))
        else:
            _read_member(member, read)


def _read_member(member: Member, read: _Reading) -> None:
    digest, size, kept, take = sha256(), 0, bytearray(), read.keep(member.name)
    pieces = _lines(member, read.chain) if member.name == JOURNAL else _chunks(member)
    try:
        for data in pieces:
            take(data)
            digest.update(data)
            size += len(data)
            if member.name in PARSED and size <= MAX_PARSED:
                kept += data
    except RackError:
        raise
    except Exception as error:  # as above; other members of a zip can still be read
        read.found.problems.append(
            PackProblem(CHANGED, member.name, f"it cannot be read: {str(error) or type(error).__name__}")
        )
        return
    read.facts[member.name] = PackFacts(size, digest.hexdigest())
    if member.name in PARSED:
        read.texts[member.name] = bytes(kept)


def _chunks(member: Member) -> Iterator[bytes]:
    with member.open() as file:
        while data := file.read(CHUNK):
            yield data


def _lines(member: Member, chain: HashChain) -> Iterator[bytes]:
    with member.open() as file:
        while line := file.readline(MAX_PARSED):
            chain.add(line)
            yield line


def _check_content(pack: Path, read: _Reading, found: Verified) -> None:
    """Compare the files with the manifest, and the manifest with the list of checksums."""
    manifest = read_manifest(read.texts.get(MANIFEST, b""))
    sums = read_sums(read.texts.get(SUMS, b""))
    if manifest is None and sums is None and not _is_damaged(pack, found):
        raise UsageError(f"{pack}: it is no pack: neither {MANIFEST} nor {SUMS} can be read in it")
    about, listed = manifest or ({}, {})
    if manifest and about["format"] != FORMAT and sums and sums.get(MANIFEST) == read.facts[MANIFEST].sha256:
        raise UsageError(
            f"{pack}: expected a {FORMAT}, got {about['format']!r}: another version of rack.recipes made it"
        )
    found.run_id, found.files = str(about.get("run_id", "")), len(read.facts)
    known = {file for _kind, file, _detail in found.problems}
    problems = [
        *_file_problems(read, listed, sums),
        *_list_problems(read, listed, sums),
        *_journal_problems(read, about),
    ]
    found.problems += [problem for problem in dict.fromkeys(problems) if problem.file not in known]


def _is_damaged(pack: Path, found: Verified) -> bool:
    """Whether a problem that was found explains that nothing can be parsed.

    A link or an empty folder in a folder does not: any folder may have some.
    """
    return any(not pack.is_dir() or kind != REFUSED or file in PARSED for kind, file, _detail in found.problems)


def _file_problems(
    read: _Reading, listed: Mapping[str, PackFacts], sums: Mapping[str, str] | None
) -> Iterator[PackProblem]:
    """The files that differ from the manifest; from the list of checksums where the manifest itself was changed."""
    manifest = read.facts.get(MANIFEST)
    is_right = bool(listed) and manifest and (sums is None or sums.get(MANIFEST) == manifest.sha256)
    wanted = {name: facts.sha256 for name, facts in listed.items()} if is_right else dict(sums or {})
    for name in sorted({*wanted, *read.facts} - PARSED):
        if name not in wanted:
            yield PackProblem(ADDED, name)
        elif name not in read.facts:
            yield PackProblem(MISSING, name)
        elif read.facts[name].sha256 != wanted[name]:
            yield PackProblem(CHANGED, name, _size_change(read.facts[name], listed.get(name)))


def _size_change(facts: PackFacts, wanted: PackFacts | None) -> str:
    return f"{facts.size} bytes, not {wanted.size}" if wanted and wanted.size != facts.size else ""


def _list_problems(
    read: _Reading, listed: Mapping[str, PackFacts], sums: Mapping[str, str] | None
) -> Iterator[PackProblem]:
    """Where the manifest and the list of checksums are missing or differ."""
    for name in (MANIFEST, SUMS):
        if name not in read.facts:
            yield PackProblem(MISSING, name)
    if MANIFEST not in read.facts or SUMS not in read.facts:
        return
    digest = read.facts[MANIFEST].sha256
    if not listed:
        yield PackProblem(CHANGED, MANIFEST, "it cannot be read")
    elif sums is None:
        yield PackProblem(CHANGED, SUMS, "it cannot be read")
    elif sums.get(MANIFEST) != digest:
        yield PackProblem(CHANGED, MANIFEST, f"it is not the one that {SUMS} is of")
    if listed:
        wanted = {**{name: facts.sha256 for name, facts in listed.items()}, MANIFEST: digest}
        if sums_text(wanted) != read.texts[SUMS]:
            yield PackProblem(CHANGED, SUMS, f"it does not say what {MANIFEST} says")


def _journal_problems(read: _Reading, about: Mapping[str, object]) -> Iterator[PackProblem]:
    """Where the journal was changed, by the checksum in each record and by the chain over its lines."""
    expected = about.get("journal")
    if not isinstance(expected, Mapping) or JOURNAL not in read.facts or read.chain.to_data() == expected:
        return
    if read.chain.set_aside != expected.get("set_aside"):
        for number, damage in read.chain.damaged:
            yield PackProblem(CHANGED, JOURNAL, f"line {number}: {damage}")
    yield PackProblem(CHANGED, JOURNAL, f"{read.chain.lines} lines with another chain than {expected.get('lines')} had")


def _check_signature(
    data: bytes | None, signature: bytes | None, name: str, trust: SignatureCheck | None, found: Verified
) -> None:
    """Check the signature of the list of checksums, or of an archive's checksum file."""
    signed = name + SIGNATURE
    if data is None or signature is None:
        if trust:
            found.problems.append(PackProblem(MISSING, signed if data else name, f"it is not signed by {trust.signer}"))
        else:
            found.notes.append("it is not signed")
        return
    try:
        problem = manifest_and_signatures.signature_problem(data, signature, *(trust or ()))
    except UsageError as error:
        if trust:
            raise
        found.notes.append(f"its signature was not checked: {error}")
        return
    if problem:
        found.problems.append(PackProblem(CHANGED, signed, problem))
    elif trust:
        found.signer = trust.signer
    else:
        found.notes.append("it is signed; --allowed-signers and --signer check by whom")
