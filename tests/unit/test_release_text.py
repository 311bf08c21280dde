# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a release, and that each fragment can be a part of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from release_text import ROOT, of_fragments, release_text

OLDER = {"release_summary": "First version."}
NEWER = {
    "release_summary": "Runs are watched from a phone.",
    "major_changes": ["pages - ``/runs`` fits a phone,\n  with cards."],
    "breaking_changes": ["run - ``--forks`` limits connections."],
    "security_fixes": ["pages - a token sees its own runs only."],
    "minor_changes": ["run - a.", "rack-recipes run - b.", "trend - c."],
    "bugfixes": ["run - d."],
}
TEXT = """\
Runs are watched from a phone.

## Before you upgrade

- run - `--forks` limits connections.

## Security

- pages - a token sees its own runs only.

## What is new

- pages - `/runs` fits a phone, with cards.

And 4 smaller changes, most of run (3), trend (1): CHANGELOG.rst has each."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fragments").mkdir()
    releases = {"0.1.0": {"changes": OLDER}, "0.2.0": {"changes": NEWER}}
    (tmp_path / "changelog.yaml").write_text(json.dumps({"ancestor": None, "releases": releases}))
    return tmp_path


def test_a_release(folder: Path) -> None:
    assert "\n".join(release_text(folder, "0.2.0")) == TEXT


def test_what_is_to_be_released(folder: Path) -> None:
    (folder / "fragments" / "a.yml").write_text(json.dumps({"bugfixes": ["x - y."], "release_summary": "Soon."}))
    (folder / "fragments" / "b.yml").write_text(json.dumps({"bugfixes": ["x - z."]}))
    assert [*release_text(folder)] == ["Soon.", "", "And 2 smaller changes, most of x (2): CHANGELOG.rst has each."]


def test_the_first_release_says_nothing_of_what_nobody_had(folder: Path) -> None:
    (folder / "changelog.yaml").write_text(json.dumps({"releases": {"0.1.0": {"changes": {**NEWER, **OLDER}}}}))
    text = "\n".join(release_text(folder, "0.1.0"))
    assert text.startswith("First version.\n\n## What is new\n")
    assert "forks" not in text
    assert "And 3 smaller changes" in text


def test_the_next_release_can_be_read(pytestconfig: pytest.Config) -> None:
    """In three minutes: its summary is written by a person, and the rest is short."""
    text = "\n".join(release_text(ROOT / "changelogs"))
    assert len(str(of_fragments(ROOT / "changelogs" / "fragments")["release_summary"]).split()) > 60
    assert len(text.split()) < 800
