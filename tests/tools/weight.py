# SPDX-License-Identifier: GPL-3.0-or-later

"""What the project weighs, beside the bounds in weight_bounds.yml; ends with exit code 1 where one is passed.

python tests/tools/weight.py [ROOT]
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BOUNDS = Path(__file__).with_name("weight_bounds.yml")
FENCED = re.compile(r"^( *)(`{3,}).*?^\1\2`*$", re.DOTALL | re.MULTILINE)
WORD = re.compile(r"\S*\w\S*")


def count_words(text: str) -> int:
    """The words that somebody wrote for readers: what stands in blocks of code is left out."""
    return len(WORD.findall(FENCED.sub("", text)))


def count_lines(text: str) -> int:
    """The lines of a file, as `wc -l` counts them."""
    return text.count("\n")


COUNTED: Mapping[str, Callable[[str], int]] = {"lines": count_lines, "words": count_words}


def tracked(root: Path, patterns: Sequence[str], without: Sequence[str] = ()) -> list[Path]:
    """The files of a checkout that git knows under these patterns, in which `*` also stands for folders."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=root, capture_output=True, text=True, check=True)
    names = filter(None, listed.stdout.split("\0"))
    return [root / name for name in names if not any(fnmatch(name, pattern) for pattern in without)]


def weigh(root: Path, bounds: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[tuple[str, str, int, int]]:
    """For each part its name, its unit, how many it has and may have. A file that was just deleted weighs nothing."""
    return [
        (part, unit, sum(COUNTED[unit](path.read_text()) for path in files if path.exists()), said["at_most"])
        for unit, parts in bounds.items()
        for part, said in parts.items()
        for files in [tracked(root, said["of"], said.get("without", ()))]
    ]


def main(arguments: Sequence[str]) -> int:
    """Print a line for each part; the exit code."""
    root = Path(arguments[0]) if arguments else ROOT
    weights = weigh(root, yaml.safe_load(BOUNDS.read_text()))
    for part, unit, weight, bound in weights:
        over = f", {weight - bound:,} too many: something else has to go" if weight > bound else ""
        print(f"{part}: {weight:,} {unit} of {bound:,}{over}")
    return int(any(weight > bound for _part, _unit, weight, bound in weights))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
