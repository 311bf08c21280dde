# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs in which any single bit was flipped: `verify` finds each."""

from __future__ import annotations

import random
from pathlib import Path

import reliability_sweeps
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import whole_run
from rack_recipes.archive.export_pack import PackSource, export
from rack_recipes.archive.verify_pack import verify
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append

FORMS = ("pack", "pack.tar.gz", "pack.zip")


def make_packs(folder: Path) -> list[Path]:
    """The same run in each form."""
    journal = folder / "runs/R1/journal.jsonl"
    append(journal, whole_run())
    packs = [folder / "packs" / form for form in FORMS]
    for pack in packs:
        export(PackSource("R1", journal, None), pack)
    return packs


def files_of(pack: Path) -> list[Path]:
    """All that belongs to a pack."""
    if pack.is_dir():
        return sorted(path for path in pack.rglob("*") if path.is_file() and path.stat().st_size)
    return [pack, pack.with_name(f"{pack.name}.sha256")]


def is_found(pack: Path) -> bool:
    try:
        return bool(verify(pack).problems)
    except UsageError:
        return True


def is_found_without_its_checksum(pack: Path) -> bool:
    beside, away = pack.with_name(f"{pack.name}.sha256"), pack.with_name("away")
    beside.rename(away)
    found = is_found(pack)
    away.rename(beside)
    return found


def test_every_flipped_bit_is_found(tmp_path: Path):
    chance, packs = random.Random(reliability_sweeps.seed()), make_packs(tmp_path)
    assert not any(map(is_found, packs))
    with reliability_sweeps.sweep("flipped bits in packs", "verify finds each, in folder, tar.gz and zip") as made:
        missed, only_by_checksum = [], 0
        for turn in range(reliability_sweeps.count(200, 3000)):
            pack = packs[turn % len(packs)]
            files = files_of(pack)
            [path] = chance.choices(files, [file.stat().st_size for file in files])
            before = path.read_bytes()
            place, bit = chance.randrange(len(before)), 1 << chance.randrange(8)
            path.write_bytes(before[:place] + bytes([before[place] ^ bit]) + before[place + 1 :])
            made.done += 1
            if not is_found(pack):
                missed.append((path, place, bit))
            elif path == pack and not is_found_without_its_checksum(pack):
                only_by_checksum += 1
            path.write_bytes(before)
            made.found = {"missed": len(missed), "found by the archive's own checksum alone": only_by_checksum}
        assert missed == []
    assert not any(map(is_found, packs))
