# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from rack_recipes.cli.running.param_options import params_from_options, read_mapping
from rack_recipes.errors import UsageError

pytestmark = pytest.mark.usefixtures("own_folder")


def test_words_win_over_files_and_later_files_over_earlier():
    Path("a.yml").write_text("vlan: 1\nports: [eth0]\nmtu: 9000\n")
    Path("b.json").write_text('{"vlan": 2, "mtu": 1500}')
    found = params_from_options(["a.yml", "b.json"], ["mtu=100", "name=a=b", "empty="])
    assert found.values == {"vlan": 2, "ports": ["eth0"], "mtu": "100", "name": "a=b", "empty": ""}


def test_a_file_is_read_once_as_it_may_be_a_pipe():
    os.mkfifo("pipe")
    writer = Thread(target=Path("pipe").write_text, args=("a: &b {x: 1}\nc: *b\n",))
    writer.start()
    found = params_from_options(["pipe"], ["d=1"])
    writer.join()
    assert [found.place(name) for name in "acd"] == ["--param-file: pipe:1:1: ", "--param-file: pipe:2:1: ", ""]


def test_names_that_are_merged_in_have_a_place(tmp_path: Path):
    Path("p.yml").write_text("base: &b {a: 1}\n<<: *b\n")
    found = params_from_options(["p.yml"], [])
    assert (found.values["a"], found.place("a")) == (1, "--param-file: p.yml:1:11: ")


def test_nothing_is_given():
    assert params_from_options([], []) == ({}, {})


@pytest.mark.parametrize("word", ["vlan", "=3", " =3", ""])
def test_a_word_that_is_no_param(word: str):
    with pytest.raises(UsageError, match=r"^--param: expected NAME=VALUE, got "):
        params_from_options([], [word])


def test_a_file_is_read_as_a_recipe_is():
    Path("p.yml").write_text(
        "l: [NO, 010, 1:30, 0x1F, 1_000, 2026-11-25, '4.20', 4.2]\nbase: &b {a: 1}\nmore: {<<: *b}\n"
    )
    assert params_from_options(["p.yml"], []).values == {
        "l": ["NO", "010", "1:30", "0x1F", "1_000", "2026-11-25", "4.20", 4.2],
        "base": {"a": 1},
        "more": {"a": 1},
    }


def test_json_may_hold_what_other_programs_write():
    Path("p.json").write_text('{"face": "\\ud83d\\ude00", "rate": 4.20,\n\t"path": "a\\/b"}')
    assert params_from_options(["p.json"], []).values == {"face": "\U0001f600", "rate": 4.2, "path": "a/b"}


WORD = "text in quotes, since it starts with"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.yml", "- secret\n", "p.yml:1:1: expected names with values"),
        ("p.yml", "", "p.yml:1:1: expected names with values"),
        ("p.yml", "secret", "p.yml:1:1: expected names with values"),
        ("p.yml", "a: secret\nb: [secret\n", "p.yml:2:4: expected a ']'"),
        ("p.yml", "a: 'secret\n", "p.yml:1:4: expected a '"),
        ("p.yml", 'a: "secret" secret\n', "p.yml:1:13: expected nothing after the closing quote"),
        ("p.yml", 'a: "\\secret"\n', r"p.yml:1:5: expected an escape such as \n or \\"),
        ("p.yml", "a: %secret\n", f"p.yml:1:4: expected {WORD} '%'"),
        ("p.yml", "a: secret: secret\n", "p.yml:1:4: expected text in quotes, since it holds a colon and a space"),
        ("p.yml", "a: *secret\n", "p.yml:1:4: expected the alias of an anchor above, or text in quotes"),
        ("p.yml", "a: !vault secret", "p.yml:1:4: expected a value without a tag"),
        ("p.yml", "a: !!python/x secret", "p.yml:1:4: expected a value without a tag"),
        ("p.yml", b"a: \xff", "p.yml:1:4: expected a file in UTF-8"),
        ("p.yml", "pin: 47.110\n", "p.yml:1:6: expected text in quotes, or a number without zeros at its end"),
        ("p.yml", "pin: 47119223372036854775808\n", "p.yml:1:6: expected a number that fits into 64 bits"),
        ("p.yml", "a: secret\na: secret\n", "p.yml:2:1: expected each key once"),
        ("p.yml", "1: secret\n", "p.yml:1:1: expected a key that is text"),
        ("p.json", '{"a": secret}', "p.json:1:7: cannot be read: Expecting value"),
        ("p.json", '{"a": "secret", "a": 1}', "p.json: cannot be read: expected each name once, got 'a' again"),
        ("p.json", '["secret"]', "p.json: expected names with values, got a list"),
        ("p.json", "null", "p.json: expected names with values, got nothing"),
        ("p.json", '"secret"', "p.json: expected names with values, got a text"),
        ("p.json", "4711", "p.json: expected names with values, got a number"),
        ("p.json", b'{"a": "\xff"}', "p.json: cannot be read: invalid start byte"),
        ("p.json", "[" * 100_000, "p.json: cannot be read: nested too deeply"),
    ],
)
def test_a_file_that_holds_no_params(name: str, text: str | bytes, told: str):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as refused:
        read_mapping("--param-file", name)
    assert str(refused.value).startswith(f"--param-file: {told}")
    assert "secret" not in str(refused.value)
    assert "4711" not in str(refused.value).replace("47.11", "4711")


def test_all_that_is_wrong_in_a_file():
    Path("p.yml").write_text("a: 1.20\na: .nan\n")
    with pytest.raises(UsageError) as refused:
        params_from_options(["p.yml"], [])
    assert str(refused.value).splitlines() == [
        "--param-file: p.yml:1:4: expected text in quotes, or a number without zeros at its end",
        "--param-file: p.yml:2:1: expected each key once",
        "--param-file: p.yml:2:4: expected a finite number, or text in quotes",
    ]


def test_a_file_without_an_end():
    with pytest.raises(UsageError, match=r"^--param-file: /dev/zero: expected at most 16 MiB, got more$"):
        params_from_options(["/dev/zero"], [])


def test_a_file_that_is_not_there():
    with pytest.raises(UsageError) as refused:
        params_from_options(["absent.yml"], [])
    assert str(refused.value) == "--param-file: absent.yml: No such file or directory"
