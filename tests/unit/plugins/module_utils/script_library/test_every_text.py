# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts, numbers, JSON and limits of the library for shell, awk and C, whatever they are, against Python's own."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.script_library.run_scripts import (
    LIBRARY,
    PAIRS,
    Scripts,
    ended,
)

FEW = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
HARD = [
    b"", b"-n", b"--", b"-", b"a=b", b"a:=b", b"%s%d%%", b"\\", b"\\\\n", b"&", b"\\&", b'"', b"'", b"$(id)`id`", b"*",
    b"\n", b"\n\n", b"a\n", b"\nb", b"+x\n=y\n+", b"=3\n=rack_set", b" ", b"\t", b"\r\n", b"\x01\x1b\x7f", b"\xff",
    b"\xc3", b"\xc3\n\xa9", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"0x10", b"1e3",
    b" 12 ", b"nan", b"\\u0041", "é€😀".encode(), bytes(range(1, 256)), b"x" * 9000 + b"\xfe" * 600,
]  # fmt: skip
texts = st.lists(
    st.one_of(
        st.binary(max_size=30).map(lambda data: data.replace(b"\0", b"")),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20).map(str.encode),
        st.text('\n\\"&%=+:- aé', max_size=12).map(str.encode),
    ),
    min_size=1,
    max_size=40,
)
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
numbers = st.lists(
    st.one_of(
        st.integers().map(str),
        st.floats().map(repr),
        st.text("0123456789.+-eE", min_size=1, max_size=9),
        st.integers(0).map(lambda number: f"00{number}"),
    ),
    min_size=1,
    max_size=60,
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=12,
)


letters = st.sampled_from('{}[],:"\\0.e-x \n\x01')
words = st.sampled_from(["min", "max", "warn.min", "warn.max", "within.of", "warn.within.of", "warn.within.percent"])


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def number_of(text: str) -> float | None:
    """The number that a text means, None for what is none, or too large."""
    text = text.strip(" \t\r\n")
    if not NUMBER.fullmatch(text) or len(text) > 300:
        return None
    found = int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text)
    return found if isinstance(found, int) or math.isfinite(found) else None


@pytest.fixture(params=[*PAIRS[:-1], pytest.param(PAIRS[-1], marks=pytest.mark.repeats)], ids=" and ".join)
def scripts(request: pytest.FixtureRequest, tmp_path: Path) -> Scripts:
    for program in request.param:
        if not shutil.which(program.split()[0]):
            pytest.skip(f"no {program}")
    return Scripts(tmp_path, *request.param)


@FEW
@given(found=texts)
@example(found=HARD)
def test_a_text_stays_what_it_is(scripts, found):
    script = """
    for text; do
      number=$((${number-0} + 1))
      rack_set "k${number}_v1" "$text"
      rack_set_fields "f${number}_v1" "a=$text" b=
    done
    rack_check first "$1" "$1" eq="$1"
    rack_secret "$1"
    rack_fail "$1"
    """
    done = scripts.sh(script, *found)
    for number, data in enumerate(found, 1):
        assert done.outputs[f"k{number}_v1"] == decoded(data)
        assert done.outputs[f"f{number}_v1"] == {"a": decoded(data), "b": ""}
    first = decoded(found[0])
    assert done.envelope
    assert done.envelope["checks"] == [{"name": "first", "value": first, "unit": first, "eq": first}]
    assert (done.envelope["secrets"], done.said) == ([first], ("failed", first))
    assert done.stderr == ""


@FEW
@given(found=texts)
@example(found=HARD)
def test_a_text_of_awk_stays_what_it_is(scripts, found):
    script = """
    BEGIN {
        for (i = 1; i <= ENVIRON["COUNT"]; i++) {
            rack_set("k" i "_v1", ENVIRON["TEXT" i])
            rack_field("f_v1", "x" i, ENVIRON["TEXT" i])
        }
        rack_check("first", ENVIRON["TEXT1"], ENVIRON["TEXT1"], "eq=" ENVIRON["TEXT1"])
        rack_fail(ENVIRON["TEXT1"])
    }
    """
    done = scripts.of_awk(script, COUNT=str(len(found)), **{f"TEXT{i}": data for i, data in enumerate(found, 1)})
    assert done.outputs == {
        **{f"k{number}_v1": decoded(data) for number, data in enumerate(found, 1)},
        "f_v1": {f"x{number}": decoded(data) for number, data in enumerate(found, 1)},
    }
    assert done.said == ("failed", decoded(found[0]))


@FEW
@given(found=numbers)
@example(found=["1e308", "1e309", "-1e309", "9" * 300, "9" * 301, "1.7976931348623157e308", "1,5", "0x1A", "1_0", "."])
@example(found=["007", "-0", "+5", "5.", ".5", "-.5e+07", "00.10", "nan", "inf", "Infinity", "1e", "", " 1 ", "1 2"])
def test_a_number_is_what_it_means(scripts, found):
    script = """
    for text; do
      number=$((${number-0} + 1))
      rack_set_number "k${number}_v1" "$text"
      rack_measure "m$number" "$text" s
    done
    """
    done = scripts.sh(script, *found)
    wanted = [number_of(text) for text in found]
    assert [done.outputs[f"k{number}_v1"] for number, _text in enumerate(found, 1)] == wanted
    assert done.envelope
    assert [one["value"] for one in done.envelope["measurements"]] == wanted
    wrong = [f"rack_set_number k{n}_v1: expected a number" for n, value in enumerate(wanted, 1) if value is None]
    assert done.said[0] == ("error" if wrong else "ok")
    assert done.said[1].startswith(wrong[0] if wrong else "")


@FEW
@given(found=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
@example(found=[1 / 3, 2.0**53, 1e22, -0.0, 5e-324, 1.7976931348623157e308, 2147483648.0, 123456.789])
def test_a_number_that_awk_has_computed_keeps_its_digits(scripts, found):
    script = 'BEGIN { for (i = 1; i <= ENVIRON["COUNT"]; i++) rack_set_number("k" i "_v1", ENVIRON["TEXT" i] * 1) }'
    done = scripts.of_awk(
        script, COUNT=str(len(found)), **{f"TEXT{number}": repr(value) for number, value in enumerate(found, 1)}
    )
    assert [done.outputs[f"k{number}_v1"] for number, _value in enumerate(found, 1)] == found


@FEW
@given(found=st.lists(st.tuples(values, st.booleans(), st.sampled_from([None, 1])), min_size=1, max_size=12))
def test_json_is_taken_as_it_is_and_read_back(scripts, found):
    written = [json.dumps(value, ensure_ascii=is_ascii, indent=indent) for value, is_ascii, indent in found]
    scripts.given = {"params": {}, "context": {f"k{n}_v1": value for n, (value, _is, _in) in enumerate(found, 1)}}
    script = """
    for text; do
      number=$((${number-0} + 1))
      rack_set_json "j${number}_v1" "$text"
      rack_set_fields f_v1 "x$number:=$text"
    done
    number=0
    for text; do
      number=$((number + 1))
      rack_set "r${number}_v1" "$(rack_get "k${number}_v1"; echo .)"
    done
    """
    done = scripts.sh(script, *written)
    for number, (value, _is_ascii, _indent) in enumerate(found, 1):
        assert json.dumps(done.outputs[f"j{number}_v1"]) == json.dumps(value)
        assert json.dumps(done.outputs["f_v1"][f"x{number}"]) == json.dumps(value)
        read = done.outputs[f"r{number}_v1"].removesuffix("\n.")
        assert read == value.rstrip("\n") if isinstance(value, str) else json.loads(read) == value


@FEW
@given(found=st.lists(st.tuples(values, st.integers(0), letters), min_size=1, max_size=25))
def test_what_is_no_json_is_refused(scripts, found):
    texts_found = []
    for value, place, letter in found:
        text = json.dumps(value)
        at = place % (len(text) + 1)
        texts_found.append(text[:at] + letter + text[at + 1 :])
    done = scripts.sh('for text; do rack_set_json "k$((number += 1))_v1" "$text"; done', *texts_found, number="0")
    for number, text in enumerate(texts_found, 1):
        try:
            wanted = json.loads(text, parse_constant=lambda _word: 1 / 0)
            json.dumps(wanted, allow_nan=False)
        except (ValueError, ZeroDivisionError):
            wanted = None
        if "\\u" not in text:  # Python takes half a surrogate pair, too
            assert json.dumps(done.outputs[f"k{number}_v1"]) == json.dumps(wanted), text


@FEW
@given(found=st.lists(st.dictionaries(words, st.integers(-99, 99) | st.just(""), min_size=1), min_size=1, max_size=20))
def test_limits_are_those_of_a_recipe(scripts, found):
    script = 'for words; do rack_check "n" 5 % $words; done'
    done = scripts.sh(script, *(" ".join(f"{word}={limit}" for word, limit in one.items()) for one in found))
    assert done.envelope
    wanted: list[dict[str, Any]] = []
    for one in found:
        limits: dict[str, Any] = {}
        for word, limit in one.items():
            *above, last = word.split(".")
            if limit != "":
                place = limits
                for name in above:
                    place = place.setdefault(name, {})
                place[last] = limit
        wanted += [{"name": "n", "value": 5, "unit": "%", **limits}] if limits else []
    assert done.envelope.get("checks", []) == wanted
    assert len(done.envelope.get("measurements", [])) == len(found) - len(wanted)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program that records its arguments: texts after `-t`, numbers after `-n`."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("program")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    source = Path(__file__).parent / "cases" / "record_arguments.c"
    subprocess.run(["cc", *strict, "-I", LIBRARY, "-o", folder / "record", source], check=True)
    return folder / "record"


@FEW
@given(found=texts)
@example(found=HARD)
def test_a_text_of_c_stays_what_it_is(program, found):
    done = ended(subprocess.run([program, "-t", *found], capture_output=True, check=False))
    for number, data in enumerate(found, 1):
        assert done.outputs[f"k{number}_v1"] == decoded(data)
        assert done.outputs["f_v1"][f"x{number}"] == decoded(data)
    assert done.said == ("failed", decoded(found[0]))


@FEW
@given(found=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_a_number_of_c_keeps_its_digits(program, found):
    done = ended(subprocess.run([program, "-n", *map(repr, found)], capture_output=True, check=False))
    assert done.envelope
    assert [one["value"] for one in done.envelope["checks"]] == found
    assert [(one["min"], one["warn"]["max"]) for one in done.envelope["checks"]] == [(value, value) for value in found]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_what_is_no_number_ends_a_c_program(program, text):
    done = ended(subprocess.run([program, "-n", "1", text, "2"], capture_output=True, check=False))
    assert done.envelope
    assert (done.code, done.said) == (1, ("error", f"n: expected a number, got {text}"))
    assert len(done.envelope["checks"]) == 1
