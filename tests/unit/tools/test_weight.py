# SPDX-License-Identifier: GPL-3.0-or-later

"""A part that weighs more than its bound is told, with by how much."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import weight

TEXT = "# One title\n\n| a | b |\n| --- | --- |\n\n```console\n$ no word of these\n```\n\nThree more `words`.\n"


def test_words_for_readers_are_counted() -> None:
    assert weight.count_words(TEXT) == len(["One", "title", "a", "b", "Three", "more", "`words`."])


@pytest.mark.parametrize(
    ("bound", "code", "said"),
    [(3, 0, "library: 3 lines of 3\n"), (2, 1, "library: 3 lines of 2, 1 too many: something else has to go\n")],
)
def test_a_bound_that_is_passed_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bound: int,
    code: int,
    said: str,
) -> None:
    for name, text in {
        "lib/a.py": "1\n2\n",
        "lib/deep/b.py": "3\n",
        "lib/made.py": "4\n",
        "lib/text.md": "5\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    bounds = tmp_path / "bounds.yml"
    bounds.write_text(f"lines: {{library: {{of: ['lib/*.py'], without: [lib/made.py], at_most: {bound}}}}}\n")
    monkeypatch.setattr(weight, "BOUNDS", bounds)
    assert weight.main([str(tmp_path)]) == code
    assert capsys.readouterr().out == said
