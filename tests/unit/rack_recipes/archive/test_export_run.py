# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, whole_run
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import artifact as artifact_of
from rack_recipes.archive import export_pack as exporting
from rack_recipes.archive.export_pack import NOT_HERE, NOT_KEPT, PackSource, export
from rack_recipes.archive.manifest_and_signatures import names_in
from rack_recipes.archive.verify_pack import verify
from rack_recipes.errors import JournalError, RackError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.compressed_journal import compress_journal, compressed_path
from rack_recipes.journal.record_fields import encode
from rack_recipes.run.missing_results_and_artifacts import transfer_record
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.import_journal import import_journal

RESULTS = [f"results/{table}.{form}" for table in tables().metadata.tables for form in ("csv", "jsonl")]
ARTIFACT = f"artifacts/{sha256(b'all the packets').hexdigest()}"
WHOLE = sorted(
    [
        *RESULTS,
        ARTIFACT,
        "SHA256SUMS",
        "hosts.json",
        "journal.jsonl",
        "manifest.json",
        "playbook.yml",
        "recipe/recipes/numbers.yml",
        "versions.json",
    ]
)


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_bytes())


def test_a_folder_with_all_of_a_run(evidence: Path, tmp_path: Path):
    made = export(PackSource("R1", evidence, None), tmp_path / "packs/pack")
    pack = tmp_path / "packs/pack"
    assert made.paths == (pack,)
    assert names_in(pack) == WHOLE
    assert made.files == len(WHOLE)
    assert (pack / "journal.jsonl").read_bytes() == evidence.read_bytes()
    assert (pack / ARTIFACT).read_bytes() == b"all the packets"
    about = manifest(pack)
    assert (about["run_id"], about["status"], about["results"], about["missing"]) == ("R1", "passed", "journal", {})
    assert about["journal"]["records"] == len(whole_run()) + 3
    assert {*about["files"]} == {*WHOLE} - {"manifest.json", "SHA256SUMS"}
    versions = json.loads((pack / "versions.json").read_bytes())
    assert versions == {
        "programs": {"rack.recipes": "0.1.0", "python": "3.13.5"},
        "recipe": {"path": "recipes/numbers.yml", "digest": "sha256:00ff", "test_id": "T-17"},
        "scriptlets": {"steps.compute": "sha256:77"},
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in (pack, *pack.rglob("*")))
    assert [path.name for path in pack.parent.iterdir()] == ["pack"]


def test_other_programs_can_check_it(evidence: Path, tmp_path: Path):
    export(PackSource("R1", evidence, None), tmp_path / "pack.tar.gz")
    subprocess.run(["sha256sum", "-c", "--quiet", "pack.tar.gz.sha256"], cwd=tmp_path, check=True)
    subprocess.run(["tar", "-xzf", "pack.tar.gz"], cwd=tmp_path, check=True)
    inside = tmp_path / "rack-recipes-R1"
    assert names_in(inside) == WHOLE
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=inside, check=True)


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz", "zip"])
def test_the_same_run_gives_the_same_bytes(suffix: str, evidence: Path, tmp_path: Path):
    first, again = (tmp_path / f"{name}.{suffix}" for name in ("first", "again"))
    export(PackSource("R1", evidence, None), first)
    shutil.copytree(evidence.parent, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    previous = os.umask(0o077)
    try:
        export(PackSource("R1", tmp_path / "elsewhere/journal.jsonl", None), again)
    finally:
        os.umask(previous)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("name", ["pack.TAR.GZ", "pack.Tgz", "pack.ZIP"])
def test_the_case_of_a_suffix_does_not_matter(name: str, evidence: Path, tmp_path: Path):
    made = export(PackSource("R1", evidence, None), tmp_path / name)
    assert [path.name for path in made.paths] == [name, f"{name}.sha256"]
    assert (tmp_path / name).is_file()
    assert verify(tmp_path / name).problems == []


def test_what_an_archive_says_of_its_members(evidence: Path, tmp_path: Path):
    export(PackSource("R1", evidence, None), tmp_path / "a.zip")
    export(PackSource("R1", evidence, None), tmp_path / "a.tar.gz")
    names = [f"rack-recipes-R1/{name}" for name in WHOLE]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == names
        assert archive.testzip() is None
        assert {(info.date_time, info.external_attr >> 16) for info in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0o644)
        }
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getnames() == names
        assert {(i.mtime, i.mode, i.uid, i.gid, i.uname, i.gname) for i in tar} == {(315532800, 0o644, 0, 0, "", "")}
    assert (tmp_path / "a.zip").stat().st_mode & 0o077 == 0


def test_results_of_the_store_where_it_has_all(store: Engine, evidence: Path, tmp_path: Path):
    journal = PackSource("R1", evidence, store)
    export(journal, tmp_path / "before")
    import_journal(store, evidence)
    export(journal, tmp_path / "after")
    assert [manifest(tmp_path / name)["results"] for name in ("before", "after")] == ["journal", "store"]
    for name in RESULTS:
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()


def test_a_run_that_only_the_store_has(store: Engine, evidence: Path, tmp_path: Path):
    import_journal(store, evidence)
    export(PackSource("R1", None, store), tmp_path / "pack")
    assert names_in(tmp_path / "pack") == sorted([*RESULTS, "SHA256SUMS", "manifest.json", "versions.json"])
    about = manifest(tmp_path / "pack")
    wanted = ("journal.jsonl", "recipe", "playbook.yml", "hosts.json", "scriptlets", ARTIFACT)
    assert about["missing"] == dict.fromkeys(sorted(wanted), NOT_HERE)
    assert (about["journal"], about["results"], about["status"]) == (None, "store", "passed")


def test_a_compressed_journal_is_packed_as_it_was(evidence: Path, tmp_path: Path):
    data = evidence.read_bytes()
    export(PackSource("R1", evidence, None), tmp_path / "a.zip")
    compress_journal(evidence)
    export(PackSource("R1", evidence, None), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    export(PackSource("R1", evidence, None), tmp_path / "pack")
    assert (tmp_path / "pack/journal.jsonl").read_bytes() == data
    compressed_path(evidence).write_bytes(b"damaged")
    with pytest.raises(JournalError, match="damaged: Not a gzipped file"):
        export(PackSource("R1", evidence, None), tmp_path / "other")


def test_what_is_missing_is_told(evidence: Path, tmp_path: Path):
    shutil.rmtree(evidence.parent / "begun")
    [artifact] = (evidence.parent / "artifacts").iterdir()
    artifact.write_bytes(b"other bytes")
    export(PackSource("R1", evidence, None), tmp_path / "pack")
    assert manifest(tmp_path / "pack")["missing"] == {
        ARTIFACT: "its bytes are not those that its name says",
        "playbook.yml": NOT_KEPT,
        "recipe": NOT_KEPT,
        "scriptlets": NOT_KEPT,
    }
    assert json.loads((tmp_path / "pack/hosts.json").read_bytes()) == {"r1": {}, "r2": {}}
    artifact.unlink()
    export(PackSource("R1", evidence, None), tmp_path / "other")
    assert manifest(tmp_path / "other")["missing"][ARTIFACT] == "it is not in the run's folder"
    evidence.write_bytes(evidence.read_bytes().removesuffix(encode(end())))  # nothing counts behind it
    for note, reason in (("the disk is full", "the disk is full"), ("", "it did not arrive from its host")):
        append(
            evidence,
            [artifact_of(b"more", n=92), {**transfer_record(artifact_of(b"more")), "path": None, "note": note}],
        )
        export(PackSource("R1", evidence, None), tmp_path / f"without{note}")
        missing = manifest(tmp_path / f"without{note}")["missing"]
        assert missing[f"artifacts/{sha256(b'more').hexdigest()}"] == reason


def test_only_what_belongs_to_it_is_packed(evidence: Path, tmp_path: Path):
    """Nothing that lies in the folder besides, and nothing that a link leads to."""
    (tmp_path / "secret").write_text("s3cret")
    (evidence.parent / "artifacts/notes.txt").write_text("s3cret")
    (evidence.parent / "begun/more.yml").write_text("s3cret")
    (evidence.parent / "extra_vars.json").write_text("s3cret")
    playbook = evidence.parent / "begun/playbook.yml"
    playbook.unlink()
    playbook.symlink_to(tmp_path / "secret")
    with pytest.raises(Exception, match=r"playbook.yml: Too many levels of symbolic links"):
        export(PackSource("R1", evidence, None), tmp_path / "pack")
    playbook.unlink()
    export(PackSource("R1", evidence, None), tmp_path / "pack")
    assert names_in(tmp_path / "pack") == [name for name in WHOLE if name != "playbook.yml"]
    assert all(b"s3cret" not in path.read_bytes() for path in (tmp_path / "pack").rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["pack", "pack.zip"])
def test_nothing_is_replaced(name: str, evidence: Path, tmp_path: Path):
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"{name}: it is there already, and nothing is replaced"):
        export(PackSource("R1", evidence, None), tmp_path / name)
    assert (tmp_path / name).read_bytes() == b""


@pytest.mark.parametrize("name", ["file/pack", "file/deeper/pack.zip", "/proc/pack.zip", "n" * 255])
def test_a_place_that_cannot_be_written(name: str, evidence: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        export(PackSource("R1", evidence, None), tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: it cannot be written: ")


def test_a_disk_that_is_full_names_the_target(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_source: PackSource, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "results/steps.csv"))

    monkeypatch.setattr(exporting, "gather", full)
    with pytest.raises(RackError, match=f"^{tmp_path / 'a.zip'}: No space left on device$"):
        export(PackSource("R1", evidence, None), tmp_path / "a.zip")


def test_what_a_killed_export_left_goes_next_time(evidence: Path, tmp_path: Path):
    old = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    dead, alive, other = (
        tmp_path / f".{name}.{pid}.partial" for name, pid in (("a.zip", old), ("a.zip", os.getppid()), ("b.zip", old))
    )
    for folder in (dead, alive, other):
        (folder / "pack").mkdir(parents=True)
    (tmp_path / "a.zip.sha256").write_text("of an archive that was never there")
    export(PackSource("R1", evidence, None), tmp_path / "a.zip")
    assert (dead.exists(), alive.exists(), other.exists()) == (False, True, True)
    subprocess.run(["sha256sum", "-c", "--quiet", "a.zip.sha256"], cwd=tmp_path, check=True)


def test_an_archive_is_never_there_without_its_checksum(evidence: Path, tmp_path: Path, monkeypatch):
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        assert (tmp_path / "a.zip.sha256").exists()
        return rename(path, target)

    monkeypatch.setattr(exporting.Path, "rename", watched)
    export(PackSource("R1", evidence, None), tmp_path / "a.zip")


def test_signed(evidence: Path, tmp_path: Path, key: Path):
    made = export(PackSource("R1", evidence, None), tmp_path / "a.zip", key)
    assert [path.name for path in made.paths] == ["a.zip", "a.zip.sha256", "a.zip.sha256.sig"]
    export(PackSource("R1", evidence, None), tmp_path / "pack", key)
    assert names_in(tmp_path / "pack") == sorted([*WHOLE, "SHA256SUMS.sig"])
    with pytest.raises(UsageError, match="--sign"):
        export(PackSource("R1", evidence, None), tmp_path / "other", tmp_path / "absent")
    assert not (tmp_path / "other").exists()
