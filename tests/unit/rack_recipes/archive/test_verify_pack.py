# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rack_recipes.archive import export_pack, verify_pack
from rack_recipes.archive import manifest_and_signatures as pack_module
from rack_recipes.archive.export_pack import PackSource, export
from rack_recipes.archive.verify_pack import PackProblem, SignatureCheck, verify
from rack_recipes.errors import UsageError

UNCHECKED = "there is no {} beside it, so only the files in it were checked, not the archive"
FORMS = ["pack", "pack.tar.gz", "pack.zip"]


@pytest.fixture
def pack(evidence: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a pack of the form that its name has."""

    def pack(name: str) -> Path:
        export(PackSource("R1", evidence, None), tmp_path / name)
        return tmp_path / name

    return pack


@pytest.fixture
def folder(pack) -> Path:
    return pack("pack")


def problems(path: Path) -> list[tuple[str, str, str]]:
    return [tuple(problem) for problem in verify(path).problems]


@pytest.mark.parametrize("form", FORMS)
def test_a_pack_as_it_was_exported(form: str, pack):
    names: list[str] = []
    path = pack(form)
    found = verify(path, on_file=names.append)
    assert (found.problems, found.run_id, found.notes) == ([], "R1", ["it is not signed"])
    assert found.files == len(names) == 28
    assert "journal.jsonl" in names


def test_a_changed_file_is_named(folder: Path):
    path = folder / "results/steps.csv"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"passed", b"failed", 1))
    assert problems(folder) == [("changed", "results/steps.csv", "")]
    path.write_bytes(data + b"\n")
    assert problems(folder) == [("changed", "results/steps.csv", f"{len(data) + 1} bytes, not {len(data)}")]


def test_a_missing_and_an_added_file_are_named(folder: Path):
    (folder / "playbook.yml").rename(folder / "play.yml")
    assert problems(folder) == [("added", "play.yml", ""), ("missing", "playbook.yml", "")]


def test_what_is_no_ordinary_file_is_refused(folder: Path, tmp_path: Path):
    (folder / "playbook.yml").rename(tmp_path / "playbook.yml")
    (folder / "playbook.yml").symlink_to(tmp_path / "playbook.yml")
    (folder / "more").mkdir()
    os.mkfifo(folder / "pipe")
    assert problems(folder) == [
        ("refused", "more", "an empty folder"),
        ("refused", "pipe", "it is no ordinary file"),
        ("refused", "playbook.yml", "it is no ordinary file"),
    ]


def test_where_in_the_journal(folder: Path):
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:7], lines[7].replace(b"step0", b"stepO"), *lines[8:]]))
    assert problems(folder) == [
        ("changed", "journal.jsonl", ""),
        ("changed", "journal.jsonl", "line 8: altered: length or checksum differ"),
        ("changed", "journal.jsonl", f"{len(lines)} lines with another chain than {len(lines)} had"),
    ]
    journal.write_bytes(b"".join([*lines[:6], *lines[8:]]))
    assert problems(folder)[1:] == [
        ("changed", "journal.jsonl", f"{len(lines) - 2} lines with another chain than {len(lines)} had")
    ]


def test_manifest_and_list_of_checksums_check_each_other(folder: Path):
    manifest, sums = (folder / name for name in ("manifest.json", "SHA256SUMS"))
    texts = manifest.read_bytes(), sums.read_bytes()
    manifest.write_bytes(texts[0].replace(b'"run_id": "R1"', b'"run_id": "R2"'))
    assert problems(folder)[0] == ("changed", "manifest.json", "it is not the one that SHA256SUMS is of")
    assert {file for _kind, file, _detail in problems(folder)} == {"manifest.json", "SHA256SUMS"}
    manifest.write_bytes(b"{")
    assert problems(folder) == [("changed", "manifest.json", "it cannot be read")]
    manifest.write_bytes(texts[0])
    sums.write_bytes(texts[1][:-1])
    assert problems(folder) == [
        ("changed", "SHA256SUMS", "it cannot be read"),
        ("changed", "SHA256SUMS", "it does not say what manifest.json says"),
    ]
    sums.write_bytes(texts[1].replace(b"  playbook.yml", b"  playbook.yaml"))
    assert problems(folder) == [("changed", "SHA256SUMS", "it does not say what manifest.json says")]
    sums.unlink()
    assert problems(folder) == [("missing", "SHA256SUMS", "")]
    sums.write_bytes(texts[1])
    manifest.unlink()
    assert problems(folder) == [("missing", "manifest.json", "")]


def test_a_digest_in_the_manifest_that_was_changed_accuses_no_file(folder: Path):
    manifest = folder / "manifest.json"
    digest = json.loads(manifest.read_bytes())["files"]["playbook.yml"]["sha256"]
    manifest.write_bytes(manifest.read_bytes().replace(digest.encode(), b"0" * 64))
    assert {file for _kind, file, _detail in problems(folder)} == {"manifest.json", "SHA256SUMS"}


@pytest.mark.parametrize("form", FORMS[1:])
def test_the_archive_itself_is_checked(form: str, pack):
    path = pack(form)
    data, line = path.read_bytes(), path.with_name(f"{form}.sha256").read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert ("changed", form, f"the archive is not the one that {form}.sha256 is of") in problems(path)
    path.write_bytes(data)
    other = f"it is not the checksum of a file {form}"
    for text in (line[:-1], line.replace(b"pack", b"park"), b"\xff" + line, b"", line * 2):
        path.with_name(f"{form}.sha256").write_bytes(text)
        assert problems(path) == [("changed", f"{form}.sha256", other)]
    path.with_name(f"{form}.sha256").unlink()
    assert verify(path).notes == [UNCHECKED.format(f"{form}.sha256"), "it is not signed"]
    assert problems(path) == []


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("beside", [True, False])
def test_an_archive_that_cannot_be_read(form: str, beside: bool, pack):
    path = pack(form)
    path.write_bytes(path.read_bytes()[:20])
    if not beside:
        path.with_name(f"{form}.sha256").unlink()
        with pytest.raises(UsageError, match=f"{form}: it cannot be read"):
            verify(path)
        return
    kinds = {(kind, file) for kind, file, _detail in problems(path)}
    assert ("changed", form) in kinds
    assert any("it cannot be read" in detail for _kind, _file, detail in problems(path))


def test_what_is_no_pack(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    text = r"empty: it is no pack: neither manifest.json nor SHA256SUMS can be read in it"
    with pytest.raises(UsageError, match=text):
        verify(tmp_path / "empty")
    (tmp_path / "empty/inside").mkdir()
    (tmp_path / "empty/link").symlink_to("inside")
    with pytest.raises(UsageError, match=text):
        verify(tmp_path / "empty")
    (tmp_path / "empty/manifest.json").symlink_to("gone")
    assert {(kind, file) for kind, file, _detail in verify(tmp_path / "empty").problems} >= {
        ("refused", "manifest.json")
    }
    (tmp_path / "a.rar").touch()
    text = r"a.rar: expected a folder, or a file whose name ends with .zip, .tar.gz, .tgz"
    with pytest.raises(UsageError, match=text):
        verify(tmp_path / "a.rar")
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "absent.zip")


def test_a_pack_of_another_version(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(pack_module, "FORMAT", "rack-recipes pack, version 2")
        export(PackSource("R1", evidence, None), tmp_path / "pack")
    text = "pack: expected a rack-recipes pack, version 1, got 'rack-recipes pack, version 2': another version"
    with pytest.raises(UsageError, match=text):
        verify(tmp_path / "pack")


def hostile_tar(path: Path, *infos: tuple[str, dict]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, fields in infos:
            info = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def test_an_archive_leads_nowhere_else(tmp_path: Path):
    path = hostile_tar(
        tmp_path / "a.tar.gz",
        ("top/manifest.json", {"size": 1}),
        ("../../etc/passwd", {"size": 3}),
        ("/etc/passwd", {"size": 3}),
        ("top/link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("top/hard", {"type": tarfile.LNKTYPE, "linkname": "top/link"}),
        ("top/device", {"type": tarfile.CHRTYPE}),
        ("top/folder", {"type": tarfile.DIRTYPE}),
        ("other/a", {"size": 1}),
        ("top/manifest.json", {"size": 1}),
        ("top", {"size": 1}),
    )
    found = {(file, detail) for kind, file, detail in problems(path) if kind == "refused"}
    assert found == {
        ("../../etc/passwd", "a path that leads elsewhere"),
        ("/etc/passwd", "a path that leads elsewhere"),
        *((f"top/{name}", "it is no ordinary file") for name in ("link", "hard", "device", "folder")),
        ("other/a", "it is not in the folder top"),
        ("top/manifest.json", "it is there more than once"),
        ("top", "it is not in the folder top"),
    }
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_leads_nowhere_else(tmp_path: Path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("top/link")
        link.external_attr = 0o120777 << 16
        for name in ("top/a", "../b", "top\\c", "top/d/", link, "top/a"):
            archive.writestr(name, b"x")
    found = {(file, detail) for kind, file, detail in problems(path) if kind == "refused"}
    assert found == {
        ("../b", "a path that leads elsewhere"),
        ("top\\c", "a name with characters that no pack has"),
        ("top/d/", "a path that leads elsewhere"),
        ("top/link", "it is no ordinary file"),
        ("top/a", "it is there more than once"),
    }


def test_something_behind_the_end(pack):
    path = pack("pack.tar.gz")
    path.with_name("pack.tar.gz.sha256").unlink()
    path.write_bytes(path.read_bytes() + gzip.compress(b"more"))
    assert problems(path) == [("refused", "", "there is something behind its end")]


def test_a_member_of_a_zip_that_is_damaged_is_named(pack):
    path = pack("pack.zip")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("rack-recipes-R1/journal.jsonl")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 200] ^= 0xFF
    path.write_bytes(data)
    path.with_name("pack.zip.sha256").unlink()
    [problem] = verify(path).problems
    assert (problem.kind, problem.file) == ("changed", "journal.jsonl")
    assert problem.detail.startswith("it cannot be read: ")


def test_what_is_too_large_for_a_list_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify_pack, "MAX_PARSED", 100)
    with pytest.raises(UsageError, match="it is no pack"):
        verify(folder)


class TestSigned:
    @pytest.fixture
    def trust(self, allowed: Path) -> SignatureCheck:
        return SignatureCheck(allowed, "lab@example.com")

    @pytest.mark.parametrize("form", FORMS)
    def test_by_whom(self, form: str, evidence: Path, tmp_path: Path, key: Path, trust: SignatureCheck):
        path = tmp_path / form
        export(PackSource("R1", evidence, None), path, key)
        found = verify(path, trust)
        assert (found.problems, found.notes, found.signer) == ([], [], "lab@example.com")
        found = verify(path)
        assert found.problems == []
        assert found.notes == ["it is signed; --allowed-signers and --signer check by whom"]
        [problem] = verify(path, SignatureCheck(trust.allowed, "else@example.com")).problems
        signed = "SHA256SUMS.sig" if form == "pack" else f"{form}.sha256.sig"
        assert (problem.kind, problem.file) == ("changed", signed)

    def test_whoever_makes_new_checksums_is_found(
        self, evidence: Path, tmp_path: Path, key: Path, trust: SignatureCheck
    ):
        pack = tmp_path / "pack"
        export(PackSource("R1", evidence, None), pack, key)
        (pack / "playbook.yml").write_text("- hosts: none\n")
        signature = (pack / "SHA256SUMS.sig").read_bytes()
        about = json.loads((pack / "manifest.json").read_bytes())
        for name in ("manifest.json", "SHA256SUMS", "SHA256SUMS.sig"):
            (pack / name).unlink()
        export_pack._seal(pack, {name: value for name, value in about.items() if name not in ("format", "files")})
        assert verify(pack).problems == []
        [problem] = verify(pack, trust).problems
        assert problem == PackProblem("missing", "SHA256SUMS.sig", "it is not signed by lab@example.com")
        (pack / "SHA256SUMS.sig").write_bytes(signature)
        for found in (verify(pack), verify(pack, trust)):
            [problem] = found.problems
            assert (problem.kind, problem.file) == ("changed", "SHA256SUMS.sig")

    def test_without_a_checksum_there_is_no_signature(self, pack, trust: SignatureCheck):
        path = pack("pack.zip")
        path.with_name("pack.zip.sha256").unlink()
        [problem] = verify(path, trust).problems
        assert problem == PackProblem("missing", "pack.zip.sha256", "it is not signed by lab@example.com")

    def test_without_the_program(self, evidence: Path, tmp_path: Path, key: Path, trust: SignatureCheck, monkeypatch):
        export(PackSource("R1", evidence, None), tmp_path / "pack", key)
        monkeypatch.setenv("PATH", "/nowhere")
        [note] = verify(tmp_path / "pack").notes
        assert note.startswith("its signature was not checked: ssh-keygen: No such file")
        with pytest.raises(UsageError, match="ssh-keygen: No such file"):
            verify(tmp_path / "pack", trust)
