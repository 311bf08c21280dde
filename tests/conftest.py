# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real hosts and servers for all tests, started when the first test asks for them.

Unit tests of module_utils load this file in Python 3.9, so tests/rack (3.12) is imported inside the fixtures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from database import MariaDB
    from hosts import Rack

sys.path.append(str(Path(__file__).with_name("rack")))

ANSIBLE_CFG = """\
[defaults]
callbacks_enabled = rack.recipes.recorder
inject_facts_as_vars = false
host_key_checking = false
"""


@pytest.fixture(scope="session")
def rack() -> Iterator[Rack]:
    """Eight SSH hosts, each version of Python that the machine has in turn. Revive the hosts that you kill."""
    from hosts import Rack

    with Rack(8) as started:
        yield started


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB with an empty database `rack`; leave it empty and alive."""
    from database import MariaDB

    with MariaDB() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is also the working folder."""
    (tmp_path / "ansible.cfg").write_text(ANSIBLE_CFG)
    monkeypatch.chdir(tmp_path)
    return tmp_path
