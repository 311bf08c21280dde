# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, run, step, whole_run
from rack_recipes.archive import import_pack
from rack_recipes.archive.export_pack import PackSource, export
from rack_recipes.archive.import_pack import (
    HERE,
    IMPORTING,
    LONGER,
    NEW,
    ChangedPackError,
    ImportedRun,
    OtherRunError,
    PackLimits,
    import_packed_run,
    opened_pack,
    remove_leftovers,
)
from rack_recipes.archive.tar_and_zip_packs import FORMATS, TAR
from rack_recipes.errors import JournalError, RackError, UsageError
from rack_recipes.journal import compressed_journal
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import encode
from rack_recipes.run.run_folders import hold_run
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.store.writing.write_group_run import read_group

FORMS = ["pack", "pack.tar.gz", "pack.zip"]
Pack = Callable[..., Path]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Engine]:
    """The store into which packs are imported."""
    opened = connect_store(f"sqlite:///{tmp_path}/there.db")
    yield opened
    opened.dispose()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder of the runs to which packs are imported."""
    return tmp_path / "there/runs"


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Makes a pack of a journal, of the form that its name has."""

    def pack(journal: Path, name: str = "pack") -> Path:
        export(PackSource(journal.parent.name, journal, None), tmp_path / name)
        return tmp_path / name

    return pack


def brought(pack: Path, there: Path, store: Engine, **more: Any) -> ImportedRun:
    with opened_pack(pack, there, **more) as packed:
        return import_packed_run(packed, there, store)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_run_has_its_folder_again_and_its_rows(form, pack, evidence, there, stored):
    done = brought(pack(evidence, form), there, stored)
    assert (done.run_id, done.group, done.state, done.damaged) == ("R1", "", NEW, ())
    assert done.rows > 0
    kept = {name: data for name, (_mode, data) in files(there / "R1").items()}
    had = {name: data for name, (_mode, data) in files(evidence.parent).items()} | {"lock": b""}
    had["begun/scriptlets.json"] = b'{\n "steps.compute": "sha256:77"\n}\n'
    del had["ansible.log"]
    assert kept == had
    assert {mode for mode, _data in files(there / "R1").values()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [there, *(there / "R1").rglob("*")] if path.is_dir()} == {0o700}
    assert recorded_runs.run(stored, "R1")["journal"] == str((there / "R1/journal.jsonl").absolute())
    assert [path.name for path in (there / IMPORTING).iterdir()] == ["lock"]


def test_the_pack_of_an_imported_run_is_the_same(pack, evidence, there, stored, tmp_path):
    first = pack(evidence, "first")
    brought(first, there, stored)
    export(PackSource("R1", there / "R1/journal.jsonl", None), tmp_path / "second")
    assert {name: data for name, (_mode, data) in files(tmp_path / "second").items()} == {
        name: data for name, (_mode, data) in files(first).items()
    }


def test_the_same_pack_again_changes_nothing(pack, evidence, there, stored):
    made = pack(evidence)
    brought(made, there, stored)
    before = files(there / "R1")
    again = brought(made, there, stored)
    assert (again.state, again.rows, files(there / "R1")) == (HERE, 0, before)


def test_a_run_that_was_compressed_meanwhile(pack, evidence, there, stored):
    made = pack(evidence)
    brought(made, there, stored)
    compressed_journal.compress_journal(there / "R1/journal.jsonl")
    assert brought(made, there, stored).state == HERE
    assert not (there / "R1/journal.jsonl").exists()


def unfinished(make: Any) -> Path:
    """The journal of a run without its end."""
    journal: Path = make("R2")
    journal.write_bytes(journal.read_bytes().removesuffix(encode(end())))
    return journal


def test_a_longer_journal_replaces_its_beginning_and_the_rest_stays(pack, make, there, stored, runs):
    journal = unfinished(make)
    whole = journal.read_bytes()
    append(journal, [end(time="2026-11-02T00:00:00.000000Z", status="failed")])
    (journal.parent / "artifacts").mkdir()
    longer = pack(journal, "longer")
    journal.write_bytes(whole)
    first = pack(journal, "first")
    brought(first, there, stored)
    compressed_journal.compress_journal(there / "R2/journal.jsonl")
    (there / "R2/pinned").touch()
    done = brought(longer, there, stored)
    assert done.state == LONGER
    assert recorded_runs.run(stored, "R2")["status"] == "failed"
    assert {path.name for path in (there / "R2").iterdir()} >= {"journal.jsonl", "pinned", "lock"}
    assert not (there / "R2/journal.jsonl.gz").exists()
    assert brought(first, there, stored).state == HERE
    assert recorded_runs.run(stored, "R2")["status"] == "failed"


def test_a_folder_in_which_no_run_began_is_filled(pack, make, there, stored):
    made = pack(make("R2"))
    (there / "R2").mkdir(parents=True)
    assert brought(made, there, stored).state == LONGER
    assert (there / "R2/journal.jsonl").exists()


def test_a_run_that_goes_on_here_is_not_replaced(pack, make, there, stored):
    made = pack(make("R2"))
    (there / "R2").mkdir(parents=True)
    with hold_run(there / "R2"), pytest.raises(OtherRunError, match="run R2 still goes on"):
        brought(made, there, stored)


def test_another_run_of_the_same_id_is_refused(pack, make, there, stored, runs):
    first = pack(make("R2"), "first")
    brought(first, there, stored)
    shutil.rmtree(runs / "R2")
    other = pack(make("R2", day=2), "other")
    with pytest.raises(OtherRunError, match="the store has another run, which began at 2026-11-01"):
        brought(other, there, stored)
    fresh = connect_store(f"sqlite:///{there}/fresh.db")
    with pytest.raises(OtherRunError, match="there is another run R2 here: its journal is not that of the pack"):
        brought(other, there, fresh)
    fresh.dispose()
    assert brought(first, there, stored).state == HERE


def test_a_journal_that_cannot_be_compared(pack, make, there, stored):
    made = pack(make("R2"))
    brought(made, there, stored)
    (there / "R2/journal.jsonl").unlink()
    (there / "R2/journal.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(JournalError, match=r"journal\.jsonl: damaged"):
        brought(made, there, stored)


def test_what_the_store_has_more_of_stays(pack, make, there, stored):
    journal = unfinished(make)
    first = pack(journal, "first")
    brought(first, there, stored)
    append(journal, [end(time="2026-11-02T00:00:00.000000Z", status="failed")])
    import_journal(stored, journal)
    assert brought(first, there, stored).rows == 0
    assert recorded_runs.run(stored, "R2")["status"] == "failed"


def test_a_run_that_has_ended_here_gets_no_more(pack, make, there, stored):
    journal = make("R2")
    brought(pack(journal, "first"), there, stored)
    append(journal, [step(9), end(time="2026-11-02T00:00:00.000000Z", status="failed")])
    longer = pack(journal, "longer")
    before = files(there / "R2")
    with pytest.raises(OtherRunError, match="run R2 has ended here, and the pack has more behind its end"):
        brought(longer, there, stored)
    assert files(there / "R2") == before


@pytest.mark.parametrize("had", ["whole", "begun"])
def test_without_a_journal_here_the_rows_of_the_store_are_compared(had, pack, make, there, stored):
    """A run whose folder was removed gets it again; one that another controller stored in part is stored to its end."""
    journal = make("R2")
    true = pack(journal, "true")
    if had == "begun":
        journal.write_bytes(journal.read_bytes().removesuffix(encode(end())))
    import_journal(stored, journal)
    journal.unlink()
    records = whole_run("R2")
    records[0], records[3] = run("R2", time="2026-11-01T12:00:00.000000Z"), {**records[3], "reason": "forged"}
    append(journal, records)
    before = recorded_runs.steps(stored, "R2")
    with pytest.raises(OtherRunError, match="the store has run R2 with other results than the pack, and no"):
        brought(pack(journal, "forged"), there, stored)
    assert recorded_runs.steps(stored, "R2") == before
    assert not (there / "R2").exists()
    done = brought(true, there, stored)
    assert (done.state, done.rows > 0) == (NEW, had == "begun")
    assert recorded_runs.run(stored, "R2")["status"] == "passed"


def part(make: Any, run_id: str, group: str, hosts: list[str]) -> Path:
    return make(run_id, group={"id": group, "part": run_id, "controller": f"awx-{run_id}", "parts": 2}, hosts=hosts)


def test_parts_join_their_group(pack, make, there, stored):
    for name in ("P1", "P2"):
        assert brought(pack(part(make, name, "G", ["r1"]), name), there, stored).group == "G"
    assert [each.run_id for each in read_group(stored, "G").parts] == ["P1", "P2"]
    assert recorded_runs.run(stored, "G")["group_id"] == "G"


def test_a_group_cannot_have_the_id_of_a_run(pack, make, there, stored):
    brought(pack(make("R2"), "first"), there, stored)
    with pytest.raises(OtherRunError, match="the store has a run of the id R2, of which the pack says that it is a gr"):
        brought(pack(part(make, "P1", "R2", ["r1"]), "second"), there, stored)
    brought(pack(part(make, "P3", "G", ["r1"]), "third"), there, stored)
    with pytest.raises(OtherRunError, match="the store has a group of the id G"):
        brought(pack(make("G"), "fourth"), there, stored)
    assert not (there / "G").exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_pack_is_refused_by_the_names_of_its_files(form, pack, evidence, there, stored, tmp_path):
    made = pack(evidence)
    (made / "artifacts" / next((made / "artifacts").iterdir()).name).write_bytes(b"other packets")
    (made / "b\x1b[2Jc").touch()
    if form != "pack":
        with (tmp_path / form).open("xb") as archive:
            FORMATS[form.removeprefix("pack")].write(made, "pack", archive)
    with pytest.raises(ChangedPackError) as refused:
        brought(tmp_path / form, there, stored)
    text = str(refused.value)
    assert "changed  artifacts/" in text
    assert text.endswith("the pack is not as it was exported, so nothing was imported")
    assert "\x1b" not in text
    assert [path.name for path in there.iterdir()] == [IMPORTING]


def test_many_changes_are_counted(pack, evidence, there, stored):
    made = pack(evidence)
    for path in (made / "results").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ChangedPackError, match=r"and [0-9]+ more\nthe pack is not as"):
        brought(made, there, stored)


def test_what_is_no_pack(there, stored, tmp_path):
    with pytest.raises(UsageError, match="absent: there is no such pack"):
        brought(tmp_path / "absent", there, stored)
    tmp_path.joinpath("x.tar.gz").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be read"):
        brought(tmp_path / "x.tar.gz", there, stored)


def test_a_pack_without_a_journal(there, stored, make, tmp_path):
    make("R2", stored=stored)
    export(PackSource("R2", None, stored), tmp_path / "pack")
    with pytest.raises(
        UsageError, match="the pack has no journal, of which a run is made: export it where its folder is"
    ):
        brought(tmp_path / "pack", there, stored)


def crafted(pack: Path, change: Callable[[Path, dict[str, Any]], None]) -> Path:
    """Somebody's pack: changed together with its manifest and checksums."""
    about = json.loads((pack / "manifest.json").read_bytes())
    change(pack, about)
    (pack / "manifest.json").write_text(json.dumps(about))
    digests = {name: each["sha256"] for name, each in about["files"].items()}
    digests["manifest.json"] = sha256((pack / "manifest.json").read_bytes()).hexdigest()
    (pack / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))
    return pack


@pytest.mark.parametrize("name", ["../R2", "R/2", ".R2", "", "R 2", "r" * 101])
def test_an_id_that_leads_elsewhere(name, pack, make, there, stored):
    made = crafted(pack(make("R2")), lambda _folder, about: about.update(run_id=name))
    expected = f"expected a run's id of letters, digits, '-', '_' and '.', got {name[:100]!r}"
    with pytest.raises(UsageError) as refused:
        brought(made, there, stored)
    assert str(refused.value) == expected


@pytest.mark.parametrize("name", ["2026", "202611", "20261125-", "20261125-1444"])
def test_an_id_that_means_other_runs(name, pack, make, there, stored):
    with pytest.raises(UsageError) as refused:
        brought(pack(make(name)), there, stored)
    assert str(refused.value) == f"expected a whole id of a run, got {name!r}, by which commands here mean other runs"


@pytest.mark.parametrize("name", ["R2", "night-42", "20261125-144431-0c12a4", "20261125-x", "1999", "4711"])
def test_an_id_of_its_own(name, pack, make, there, stored):
    assert brought(pack(make(name)), there, stored).run_id == name


@pytest.mark.parametrize(
    ("index", "field", "value", "why"),
    [
        (0, "time", "0001-01-01T00:00:00Z", "a run record whose time is '0001-01-01T00:00:00Z'"),
        (0, "time", "9999-12-31T23:59:59Z", "a run record whose time is '9999-12-31T23:59:59Z'"),
        (-1, "time", "2200-01-01T00:00:00Z", "an end record whose time is '2200-01-01T00:00:00Z'"),
        (-1, "status", "passed", "an end that says passed, but "),
        (-1, "status", "rehearsed", "an end that says rehearsed, but "),
    ],
)
def test_what_no_run_says_is_refused(index, field, value, why, pack, runs, there, stored):
    records = [*whole_run("R2")[:-1], step(99, step="broken", verdict="failed"), end(status="failed", exit_code=1)]
    records[index] = {**records[index], field: value}
    append(runs / "R2/journal.jsonl", records)
    with pytest.raises(UsageError) as refused:
        brought(pack(runs / "R2/journal.jsonl"), there, stored)
    assert re.fullmatch(rf"journal\.jsonl, line \d+: {re.escape(why)}.*", str(refused.value).replace("a end", "an end"))


def test_an_id_that_is_not_that_of_the_journal(pack, make, there, stored):
    made = crafted(pack(make("R2")), lambda _folder, about: about.update(run_id="R3"))
    with pytest.raises(UsageError, match="the journal of the pack is of run 'R2', its manifest of 'R3'"):
        brought(made, there, stored)


def test_a_group_whose_id_leads_elsewhere(pack, make, there, stored):
    with pytest.raises(UsageError, match=r"expected a run's id .*, got '\.\./\.\./x'"):
        brought(pack(part(make, "P1", "../../x", ["r1"])), there, stored)


def test_a_record_that_no_run_writes_is_refused_by_its_line(pack, make, there, stored):
    with pytest.raises(UsageError, match=r"journal\.jsonl, line 2: a run record whose group is 'G', expected a group"):
        brought(pack(make("R2", group="G")), there, stored)
    assert [path.name for path in there.iterdir()] == [IMPORTING]


def test_versions_of_another_kind_are_left_out(pack, evidence, there, stored):
    def change(folder: Path, about: dict[str, Any]) -> None:
        (folder / "versions.json").write_text("[]")
        about["files"]["versions.json"] = {"sha256": sha256(b"[]").hexdigest(), "size": 2}

    brought(crafted(pack(evidence), change), there, stored)
    assert not (there / "R1/begun/scriptlets.json").exists()
    assert not (there / "R1/versions.json").exists()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (PackLimits(size=1000), "the pack is too large: unpacked it has more than 1000 bytes"),
        (PackLimits(files=3), "the pack is too large: it has more than 3 files"),
        (PackLimits(parsed=100), "the pack is too large: .* has more than 100 bytes at once"),
    ],
)
def test_what_is_too_large_is_given_up(limits, expected, pack, evidence, there, stored):
    with pytest.raises(UsageError, match=expected):
        brought(pack(evidence, "pack.tar.gz"), there, stored, limits=limits)
    assert [path.name for path in there.iterdir()] == [IMPORTING]


def test_a_bomb_of_zeros_is_given_up_early(there, stored, tmp_path, monkeypatch):
    taken: list[int] = []
    monkeypatch.setattr(import_pack._Unpack, "_take", _counting(taken, import_pack._Unpack._take))
    with tarfile.open(tmp_path / "bomb", "w:gz") as tar:
        info = tarfile.TarInfo("x/artifacts/zeros")
        info.size = 64 * 2**20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(UsageError, match="the pack is too large"):
        brought(tmp_path / "bomb", there, stored, limits=PackLimits(size=2 * 2**20), form=TAR)
    assert sum(taken) == 3 * 2**20


def _counting(taken: list[int], take: Any) -> Any:
    def counted(self: Any, name: str, data: bytes) -> None:
        taken.append(len(data))
        take(self, name, data)

    return counted


def test_a_header_is_not_read_at_once(there, stored, tmp_path):
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(f"x/{'a' * 20 * 2**20}"))
    with pytest.raises(UsageError, match=r"a header says that it has [0-9]+ bytes"):
        brought(tmp_path / "bomb.tar.gz", there, stored)


def test_what_a_killed_import_left_is_removed(there, pack, evidence, stored):
    (there / IMPORTING / "run/x").mkdir(parents=True)
    (there / IMPORTING / "run/x/y").touch()
    remove_leftovers(there)
    assert [path.name for path in (there / IMPORTING).iterdir()] == ["lock"]
    (there / IMPORTING / "run/x").mkdir(parents=True)
    brought(pack(evidence), there, stored)
    assert [path.name for path in (there / IMPORTING).iterdir()] == ["lock"]


def test_where_nothing_was_imported_there_is_nothing_to_remove(there):
    remove_leftovers(there)
    assert not there.exists()


def test_a_disk_that_cannot_be_written(there, pack, evidence, stored, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    made = pack(evidence)
    monkeypatch.setattr(import_pack.os, "fsync", full)
    with pytest.raises(JournalError, match="No space left on device"):
        brought(made, there, stored)
    there.parent.joinpath("file").touch()
    with pytest.raises(RackError, match="Not a directory"):
        brought(made, there.parent / "file", stored)


def test_whole_runs_only(pack, runs, there, stored):
    path = runs / "R3/journal.jsonl"
    append(path, whole_run("R3")[1:])
    with pytest.raises(UsageError, match="the journal of the pack is of run None, its manifest of 'R3'"):
        brought(pack(path), there, stored)
    assert run("R3")["run"] == "R3"
