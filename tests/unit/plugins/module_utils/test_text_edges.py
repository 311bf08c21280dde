# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import random
import re
import time
from urllib.parse import quote

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.mask import (
    Mask,
    masked_beginning,
    masked_ending,
    masked_ends,
    whole_from,
    without_parts,
)
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

SECRET = 'pass "wörd"/+\\end'
FORMS = {
    "as it is": SECRET,
    "JSON": json.dumps(SECRET)[1:-1],
    "JSON in JSON": json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
    "bytes": repr(SECRET.encode())[2:-1],
    "URL": quote(SECRET, safe=""),
    "base64": base64.b64encode(b"xy" + SECRET.encode()).decode()[3:-2],
    "hexadecimal": SECRET.encode().hex(),
    "over lines": "\n      ".join(SECRET),
    "with much space": SECRET.replace(" ", " \n" * 40),
}
AROUND = "." * 1000


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_no_form_is_longer_than_the_longest(form):
    mask = Mask([SECRET])
    assert mask.mask(f"{AROUND}{form}") == AROUND + MASKED
    assert len(re.sub(r"\s", "", form)) <= mask.longest


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_half_a_secret_at_an_edge_is_left_out(form):
    mask = Mask([SECRET])
    for cut in range(len(form)):
        first, second = form[:cut], form[cut:]
        assert set(masked_beginning(f"{AROUND}{form}{AROUND}{first}", mask).replace(MASKED, "", 1)) == {"."}
        assert set(masked_ending(f"{second}{AROUND}{form}{AROUND}", mask).replace(MASKED, "", 1)) == {"."}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_whole_secret_near_an_edge_is_masked(form):
    mask = Mask([SECRET])
    for between in range(0, 2 * mask.longest, 7):
        beginning = masked_beginning(f"{AROUND}{form}{'.' * between}", mask)
        assert beginning in {
            "." * len(beginning),
            AROUND + MASKED,
            f"{AROUND}{MASKED}{'.' * len(beginning)}"[: len(beginning)],
        }
        assert set(masked_ending(f"{'.' * between}{form}{AROUND}", mask).replace(MASKED, "", 1)) == {"."}


def test_what_is_too_short_for_an_edge_is_left_out_as_a_whole():
    mask = Mask([SECRET])
    assert (masked_beginning("short", mask), masked_ending("short", mask), whole_from("short", mask)) == ("", "", 5)


def test_where_no_secret_can_be_a_part_of_a_text_nothing_is_left_out():
    mask = Mask(["ab"])
    assert mask.longest == 0
    assert (masked_beginning("a text", mask), masked_ending("a text", mask)) == ("a text", "a text")


def test_ends_that_were_cut_before_a_secret_was_known():
    mask = Mask(["hunter2hunter3"])
    cut = f"{AROUND}hunter2\n[... 99 bytes left out ...]\nhunter3{AROUND}"
    told = masked_ends(cut, mask)
    assert re.fullmatch(r"\.+\n\[\.\.\. 99 bytes left out \.\.\.\]\n\.+", told)
    assert masked_ends("hunter2hunter3 hunter2", mask) == f"{MASKED} hunter2"


def test_edges_of_white_space_take_no_long_time():
    mask = Mask([SECRET])
    started = time.process_time()
    for text in (" " * 200_000, "\\n" * 100_000, "%20" * 60_000, "+" * 200_000):
        masked_beginning(text, mask)
        masked_ending(text, mask)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_is_what_is_masked_as_a_whole(seed):
    chance = random.Random(seed)
    secrets = ["".join(chance.choice("abc 1+/") for _n in range(chance.randint(3, 40))) for _m in range(3)]
    mask = Mask(secrets)
    words = (chance.choice([*secrets, *map(quote, secrets), "a", "b", " ", "\n", "x" * 50]) for _n in range(200))
    text = "".join(words)
    whole = mask.mask(text)
    cut = chance.randrange(len(text))
    assert whole.startswith(masked_beginning(text[:cut], mask))
    assert whole.endswith(masked_ending(text[cut:], mask))


@table("line", "masked")
def test_a_trace_shows_no_part_of_a_secret(line, masked):
    secrets = ["hunter2-of-r2-long\\no", "------------", "********", "short"]
    assert without_parts(f"{line}\nmore\n{line}", secrets) == f"{masked}\nmore\n{masked}"
    assert without_parts(line, ["short"]) == line
