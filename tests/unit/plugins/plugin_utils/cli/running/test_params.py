# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.running.params import given_params, read_mapping
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_words_win_over_files_and_later_files_over_earlier():
    Path("a.yml").write_text("vlan: 1\nports: [eth0]\nmtu: 9000\n")
    Path("b.json").write_text('{"vlan": 2, "mtu": 1500}')
    found = given_params(["a.yml", "b.json"], ["mtu=100", "name=a=b", "empty="])
    assert found == {"vlan": 2, "ports": ["eth0"], "mtu": "100", "name": "a=b", "empty": ""}


def test_nothing_is_given():
    assert given_params([], []) == {}


@pytest.mark.parametrize("word", ["vlan", "=3", " =3", ""])
def test_a_word_that_is_no_param(word: str):
    with pytest.raises(UsageError, match=r"^--param: expected NAME=VALUE, got "):
        given_params([], [word])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.yml", "- secret\n", "p.yml: expected names with values, got a list"),
        ("p.yml", "", "p.yml: expected names with values, got nothing"),
        ("p.yml", "secret", "p.yml: expected names with values, got a text"),
        ("p.yml", "7", "p.yml: expected names with values, got a number"),
        ("p.yml", "2026-11-25", "p.yml: expected names with values, got something else"),
        ("p.yml", "a: secret\nb: [secret\n", "p.yml:3:1: cannot be read: expected ',' or ']', but got '<stream end>'"),
        ("p.yml", "a: !!python/x secret", "p.yml:1:4: cannot be read: could not determine a constructor for the tag"),
        ("p.yml", b"a: \xff", "p.yml: cannot be read: invalid start byte"),
        ("p.json", '{"a": secret}', "p.json:1:7: cannot be read: Expecting value"),
        ("p.json", "[" * 100_000, "p.json: cannot be read: nested too deeply"),
    ],
)
def test_a_file_that_holds_no_params(name: str, text: str | bytes, told: str):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as refused:
        read_mapping("--param-file", name)
    assert str(refused.value).startswith(f"--param-file: {told}")
    assert "secret" not in str(refused.value)


def test_a_file_that_is_not_there():
    with pytest.raises(UsageError) as refused:
        given_params(["absent.yml"], [])
    assert str(refused.value) == "--param-file: absent.yml: No such file or directory"
