# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for all tests: real hosts and servers, started when the first test needs them, and golden files.

A golden file has what a test expects, and lies beside its case. `--update` writes it anew. Unit tests of module_utils
load this file in Python 3.9, so tests/rack (3.12) is imported inside the fixtures.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from database_servers import MariaDB, PostgreSQL
    from ssh_hosts import Rack

sys.path += [str(Path(__file__).with_name(name)) for name in ("rack", "tools")]
import own_world
import repeated_tests
import slowest_tests
import time_limit

# Before any test module is imported: Ansible reads its settings when it is.
own_world.set_process()
HAS_OWN_ENVIRONMENT = "ANSIBLE_CONTROLLER_MIN_PYTHON_VERSION" in os.environ  # ansible-test's
HOME = None if HAS_OWN_ENVIRONMENT else own_world.enter_environment()

with contextlib.suppress(ImportError):  # not everywhere that targets' Pythons are tested
    from hypothesis import settings

    # A loaded machine is no fault, so nothing is timed; the same examples each time, others in the soak tests. A
    # few of them show whether another Python knows what we use.
    settings.register_profile("rack", deadline=None, derandomize="RACK_SOAK" not in os.environ)
    settings.register_profile("other Pythons", parent=settings.get_profile("rack"), max_examples=25)
    settings.load_profile("other Pythons" if HAS_OWN_ENVIRONMENT else "rack")

ANSIBLE_CFG = """\
[defaults]
callbacks_enabled = rack.recipes.recorder
inject_facts_as_vars = false
host_key_checking = false
"""


@pytest.fixture(scope="session")
def rack() -> Iterator[Rack]:
    """Eight SSH hosts, each version of Python that the machine has in turn. Revive the hosts that you kill."""
    from ssh_hosts import Rack

    with Rack(8) as started:
        yield started


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB with an empty database `rack`; leave it empty and alive."""
    from database_servers import MariaDB

    with MariaDB() as started:
        yield started


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL with an empty database `rack`; leave it empty and alive."""
    from database_servers import PostgreSQL

    with PostgreSQL() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is also the working folder."""
    (tmp_path / "ansible.cfg").write_text(ANSIBLE_CFG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is also the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing with them")
    parser.addoption("--times", type=Path, metavar="FILE", help="write how long each test took, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", repeated_tests.MARK)
    config.pluginmanager.register(time_limit.limit_of_this_run())
    config.pluginmanager.register(slowest_tests.SlowestTests(config.getoption("--times")))
    # ansible-test runs each test in a fork, which takes longer than most tests. They need none elsewhere.
    config.pluginmanager.unregister(name="ansible_forked")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    repeated_tests.leave_out(config, items, is_other_python=HAS_OWN_ENVIRONMENT)


def pytest_collection_finish() -> None:
    """Leave what was collected out of each search for garbage, which would also copy its memory in each fork."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    if HOME:
        shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with the golden file at a path."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.is_file(), f"{path.name} is missing: read what the test says now, then write it with --update"
        is_same = path.read_bytes().decode() == text
        assert is_same or path.read_bytes().decode() == text, (
            f"{path}: read the difference; --update writes what is new"
        )

    return compare
