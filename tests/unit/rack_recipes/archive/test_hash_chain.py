# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hashlib import sha256

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import whole_run
from rack_recipes.archive.manifest_and_signatures import HashChain
from rack_recipes.journal.record_fields import encode


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
