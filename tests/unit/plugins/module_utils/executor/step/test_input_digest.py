# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of the project a step's inputs have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import _files

DIGESTS = {"checks/a.py": "1", "checks/deep/b.py": "2", "checks_more/c.py": "3"}


@pytest.mark.parametrize(
    ("src", "names"),
    [
        ("checks/a.py", {"checks/a.py"}),
        ("./checks/a.py", {"checks/a.py"}),
        ("checks/", {"checks/a.py", "checks/deep/b.py"}),
        ("./checks/deep/", {"checks/deep/b.py"}),
        ("./", {*DIGESTS}),
        ("checks", set()),
        ("/opt/checks/", set()),
        (None, set()),
    ],
)
def test_a_folder_has_all_its_files(src, names):
    assert _files(SimpleNamespace(digests=DIGESTS), {"src": src}) == {name: DIGESTS[name] for name in names}
