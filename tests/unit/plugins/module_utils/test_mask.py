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
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases, table


@cases(__file__, "mask", "secrets", "text", "masked")
def test_texts(secrets, text, masked):
    mask = Mask(secrets)
    assert mask.mask(text) == masked
    assert mask.mask(masked) == masked


@pytest.mark.parametrize(("secrets", "needed"), [((), False), (("",), False), (("a",), True), (["abc"], True)])
def test_without_secrets_there_is_nothing_to_do(secrets, needed):
    assert bool(Mask(secrets)) is needed


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("my hunter2", "my ********"),
        (
            {"a": ["hunter2", {"hunter2": None}], "b": ("x", True)},
            {"a": ["********", {"********": None}], "b": ["x", True]},
        ),
        ("42", "********"),
        (["x 42 x", 42, "ok"], ["x 42 x", 42, "ok"]),
        ({"42": "42"}, {"********": "********"}),
        ([1234, 1234.5, 12345], ["********", 1234.5, 12345]),
        ([1.5e3, 1500, None, False], ["********", "********", None, False]),
        ([-1234, 1234.0, -1234.0, 1.234e3], ["********"] * 4),
        ([2**70 + 1, float(2**70 + 1), 2**70 + 2], ["********", "********", 2**70 + 2]),
        ([float("inf"), 0, 0.0, 7, 7.0], [float("inf"), 0, 0.0, 7, "********"]),
    ],
)
def test_values(value, masked):
    numbers = ["42", "1234", "1500.0", str(2**70 + 1), "inf", "nan", "1e999", "0000", "7.0", "9" * 5000]
    assert Mask(["hunter2", "true", *numbers]).mask_value(value) == masked


@table("value", "names")
def test_names_that_become_the_same_lose_no_entry(value, names):
    mask = Mask(["hunter2", "HUNTER3"])
    masked = mask.mask_value(value)
    assert masked == dict(zip(names, value.values()))
    assert mask.mask_value(masked) == masked


def test_many_names_that_become_the_same_take_no_time():
    secrets = [f"secret{number:04}" for number in range(6000)]
    start = time.process_time()
    assert len(Mask(secrets).mask_value(dict.fromkeys(secrets))) == len(secrets)
    assert time.process_time() - start < 3  # 0.4 s on the machine it was written on


def test_what_is_masked_is_a_new_value():
    value = {"a": ["hunter2"]}
    Mask(["hunter2"]).mask_value(value)
    assert value == {"a": ["hunter2"]}


LARGE = {
    "backslashes": "\\" * 500_000,
    "quoted backslashes": "%5c" * 150_000,
    "spaces": "a " * 250_000,
    "blanks": " " * 500_000,
    "lines": "\n" * 500_000,
    "indented lines": "a\n    " * 80_000,
    "the beginning": "hunter" * 80_000,
    "all of it": "hunter2" * 70_000,
    "escapes": "\\u005c" * 80_000,
    "percent signs": "%25" * 150_000,
    "a's": "a" * 500_000,
    "log lines": "2026-11-25 12:00:00 INFO the quick brown fox jumps over the lazy dog\n" * 7_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_no_text_takes_long(text):
    mask = Mask(["hunter2", "\\\\\\", "%25%25%25b", "a a a b", "aaaaaaaaaab", '"""x', "\\%5c\\x"])
    start = time.process_time()
    mask.mask(text)
    assert time.process_time() - start < 3


QUOTED = {
    "single quotes": "'" * 50_000,
    "quotes for a shell": "'\"'\"'" * 20_000,
    "quotes and blanks": "' \" " * 25_000,
    "backslashes": "\\" * 50_000,
    "backslashes and quotes": "\\'" * 25_000,
    "entities": "&#39;&quot;" * 10_000,
    "ampersands": "&amp;" * 50_000,
    "XML": '<a b="c">it\'s</a>\n' * 20_000,
}


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED)
def test_no_quotes_take_long(text):
    mask = Mask(["'x'y", "' '' 'x", "&&&x", "<'&'>", "\\' 'x", "&amp;&b"])
    start = time.process_time()
    mask.mask(text)
    assert time.process_time() - start < 3


def test_a_key_file_is_a_secret_too():
    key = "\n".join(f"{number:064x}" for number in range(50))
    start = time.process_time()
    assert Mask([key]).mask(f"<{key}>") == "<********>"
    assert time.process_time() - start < 1


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
