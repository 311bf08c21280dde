# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask Apache Otava for the changes of level in the histories of the study, and print its answers as JSON.

Otava pins its own versions of many packages, so its answers are frozen in analysis_data/otava.json. To make them anew:

    python -m venv /tmp/otava && /tmp/otava/bin/pip install apache-otava==0.8.0
    /tmp/otava/bin/python tests/integration/soak/ask_otava.py > tests/integration/soak/analysis_data/otava.json

The window is twice the history: with its default of 50 Otava 0.8.0 ends with a ValueError in most shifted series of 50.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import analysis_worlds

SEED = 1
MAX_PVALUE = 0.001  # Otava's default


def ask(values: list[float]) -> list[int]:
    """The first run of each new level."""
    from otava.analysis import compute_change_points

    changes, _weak = compute_change_points(values, window_len=2 * len(values), max_pvalue=MAX_PVALUE)
    return [int(change.index) for change in changes]


def main() -> None:
    """Print the answers for all noises."""
    answers = {}
    for noise in analysis_worlds.NOISES:
        history = analysis_worlds.shifted(SEED, noise)
        answers[noise] = {"digest": history.digest(), "changes": [ask(row) for row in history.values.tolist()]}
    about = {
        "tool": f"apache-otava {version('apache-otava')}, https://otava.apache.org, Apache License 2.0",
        "made": "tests/integration/soak/ask_otava.py in an environment of its own, as that file says",
        "how": f"otava.analysis.compute_change_points(values, window_len=100, max_pvalue={MAX_PVALUE})",
        "seed": SEED,
    }
    json.dump({**about, "answers": answers}, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
