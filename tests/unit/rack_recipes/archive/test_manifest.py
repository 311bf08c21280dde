# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.archive.manifest_and_signatures import (
    FORMAT,
    PackFacts,
    manifest_text,
    name_problem,
    pack_name,
    read_manifest,
    read_sums,
    sums_text,
)

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
