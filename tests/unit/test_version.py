# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.rack.recipes.plugins.module_utils import check_library
from rack_recipes.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_code_and_collection_have_one_version():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"] == VERSION
    assert check_library.VERSION == VERSION
    assert f"=={VERSION}\n" in (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8")
