# SPDX-License-Identifier: GPL-3.0-or-later

"""What says that a pack is whole: manifest and hash chain."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import whole_run
from rack_recipes.archive.manifest_and_signatures import (
    FORMAT,
    HashChain,
    PackFacts,
    manifest_text,
    name_problem,
    pack_name,
    read_manifest,
    read_sums,
    sums_text,
)
from rack_recipes.journal.record_fields import encode

A, B = "a" * 64, "b" * 64


def test_a_name_that_every_system_takes():
    assert pack_name("20261125-144400-3f9a2c") == "rack-recipes-20261125-144400-3f9a2c"
    assert pack_name("../über weg") == "rack-recipes-..__ber_weg"


@pytest.mark.parametrize("name", ["journal.jsonl", "recipe/a b/ü.yml", "..a", "a..", "a/.hidden"])
def test_names_that_a_pack_can_have(name: str):
    assert name_problem(name) == ""


@pytest.mark.parametrize("name", ["", "/etc/passwd", "..", "a/../b", "../a", "a//b", "./a", "a/.", "a/"])
def test_names_that_lead_elsewhere(name: str):
    assert name_problem(name) == "a path that leads elsewhere"


@pytest.mark.parametrize("name", ["a\\b", "a\nb", "a\0b", "\x1b[2J"])
def test_names_that_no_pack_has(name: str):
    assert name_problem(name) == "a name with characters that no pack has"


def test_the_list_of_checksums_is_that_of_sha256sum():
    text = sums_text({"b": B, "a b": A})
    assert text == f"{A}  a b\n{B}  b\n".encode()
    assert read_sums(text) == {"a b": A, "b": B}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"\xff  a\n",
        *(
            text.encode()
            for text in (
                f"{A}  a",
                f"{A} *a\n",
                f"{A}  \n",
                f"{A}  a\n\n",
                f"{A}  a\n{A}  a\n",
                f"{B}  b\n{A}  a\n",
                f"{A.upper()}  a\n",
            )
        ),
    ],
)
def test_what_is_no_list_of_checksums(text: bytes):
    assert read_sums(text) is None


def test_the_manifest():
    files = {"b": PackFacts(2, B), "a": PackFacts(1, A)}
    text = manifest_text({"run_id": "R1", "missing": {}}, files)
    whole, listed = read_manifest(text) or ({}, {})
    assert listed == files
    assert (whole["format"], whole["run_id"], [*whole["files"]]) == (FORMAT, "R1", ["a", "b"])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"files": {}}',
        b'{"files": []}',
        b'{"format": 1, "files": {}}',
        b'{"format": "x", "files": {"a": 1}}',
        b'{"format": "x", "files": {"a": {"size": "x", "sha256": ""}}}',
    ],
)
def test_what_is_no_manifest(text: bytes):
    assert read_manifest(text) is None


def lines() -> list[bytes]:
    return b"".join(map(encode, whole_run())).splitlines(keepends=True)


def chain(given: list[bytes]) -> HashChain:
    made = HashChain()
    for line in given:
        made.add(line)
    return made


def test_it_is_what_the_documentation_says():
    head = sha256(b"rack-recipes journal").digest()
    for line in lines():
        head = sha256(head + line).digest()
    records = len(whole_run())
    wanted = {"lines": 2 * records, "records": records, "set_aside": 0, "chain": f"sha256:{head.hex()}"}
    assert chain(lines()).to_data() == wanted


def test_every_change_gives_another_chain():
    given = lines()
    wanted = chain(given).to_data()["chain"]
    moved = [*given[2:4], *given[:2], *given[4:]]
    for other in (given[:-1], given[1:], moved, [*given, b"\n"], [*given[:5], given[5] + b" ", *given[6:]]):
        assert chain(other).to_data()["chain"] != wanted


def test_damaged_lines_are_counted_and_the_first_ones_named():
    given = [b"by hand\n", *lines(), *[b'{"_":"0000\n'] * 9, b'{"_":"torn']
    made = chain(given)
    assert (made.set_aside, made.records) == (11, len(whole_run()))
    assert made.damaged[0] == (1, "not a record of a journal")
    assert made.damaged[1][1] == "torn: shorter than its length says"
    assert len(made.damaged) == 5
