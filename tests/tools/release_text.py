# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user reads of a release: what it brings, what to do before an upgrade, and where the rest is said.

    .venv/bin/python tests/tools/release_text.py [VERSION] [FOLDER]

Prints Markdown, made of what `antsibull-changelog release` has put into changelogs/changelog.yaml (in FOLDER), or
before that of the fragments. Of small changes it says only how many concern what: CHANGELOG.rst has each.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = "release_summary"
BEFORE = ("breaking_changes", "removed_features", "deprecated_features")
SMALL = ("minor_changes", "bugfixes")
AREA = re.compile(r"(?:rack-recipes )?(?P<area>[\w.,() -]{1,40}?) - ")
MOST_AREAS = 12

Changes = Mapping[str, list[str]]


def main(version: str = "", folder: str = "") -> None:
    """Print the text of a version; without one, of what is to be released."""
    print("\n".join(release_text(Path(folder or ROOT / "changelogs"), version)))


def release_text(folder: Path, version: str = "") -> Iterator[str]:
    """The lines of the text. Nobody upgrades to a first version, so it says nothing of what was mended on the way."""
    released = yaml.safe_load((folder / "changelog.yaml").read_text())["releases"]
    changes = released[version]["changes"] if version in released else of_fragments(folder / "fragments")
    is_first = not [other for other in released if other != version]
    summary = changes.get(SUMMARY, "")
    yield from (str(summary).strip().replace("``", "`"), "")
    if not is_first:
        yield from _chapter("Before you upgrade", [line for name in BEFORE for line in changes.get(name, ())])
        yield from _chapter("Security", changes.get("security_fixes", ()))
    yield from _chapter("What is new", changes.get("major_changes", ()))
    small = [line for name in SMALL[: 1 if is_first else 2] for line in changes.get(name, ())]
    if small:
        counted = Counter(found["area"] for line in small if (found := AREA.match(line)))
        areas = ", ".join(f"{area} ({number})" for area, number in counted.most_common(MOST_AREAS))
        yield f"And {len(small)} smaller changes, most of {areas}: CHANGELOG.rst has each."


def of_fragments(folder: Path) -> Changes:
    """The changes of all fragments, by section."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.y*ml")):
        for section, lines in yaml.safe_load(path.read_text()).items():
            if section == SUMMARY:
                found[section] = lines
            else:
                found.setdefault(section, []).extend(lines)
    return found


def _chapter(title: str, lines: list[str] | tuple[()]) -> Iterator[str]:
    if lines:
        yield from (f"## {title}", "", *(f"- {' '.join(line.replace('``', '`').split())}" for line in lines), "")


if __name__ == "__main__":
    main(*sys.argv[1:])
