# SPDX-License-Identifier: GPL-3.0-or-later

"""Run tests on a changed program: one line of one module is another one. No file is changed.

    python tests/tools/run_mutant.py MODULE LINE BECOMES TEST...

ends as pytest does: 0 if the tests do not notice, 1 if they do. What it writes last is the list of the tests that
failed, as JSON: an id of pytest may hold spaces.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest


class Changed(SourceFileLoader):
    """Loads a module of which a part is replaced. What was compiled before is not used."""

    def __init__(self, name: str, path: str, line: str, becomes: str) -> None:
        super().__init__(name, path)
        self._change = line, becomes

    def get_code(self, fullname: str) -> CodeType:
        """Compile the changed source. Raises ValueError if the line is not there once."""
        return self.source_to_code(changed(self.get_data(self.path).decode(), *self._change), self.path)


def changed(source: str, line: str, becomes: str) -> str:
    """Replace a part of a source that is in it once. Raises ValueError if it is not."""
    if source.count(line) != 1:
        raise ValueError(f"{line!r} is there {source.count(line)} times")
    return source.replace(line, becomes)


class Finder(MetaPathFinder):
    """Finds the one module that is changed, and keeps which tests fail."""

    def __init__(self, module: str, line: str, becomes: str) -> None:
        self._module, self._line, self._becomes = module, line, becomes
        self.failed: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module as always, with another loader."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == self._module else None
        if spec and spec.origin:
            spec.loader = Changed(fullname, spec.origin, self._line, self._becomes)
        return spec

    def pytest_load_initial_conftests(self) -> None:
        """Be asked before pytest, which looks for modules of packages with plugins by itself."""
        sys.meta_path.remove(self)
        sys.meta_path.insert(0, self)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the id of a test that fails."""
        if report.failed:
            self.failed.append(report.nodeid)


if __name__ == "__main__":
    options = ("--exitfirst", "--quiet", "-p", "no:cacheprovider")
    sys.path[0] = str(Path.cwd())  # as `python -m pytest` has it: the tests find the tools of their own checkout
    finder = Finder(*sys.argv[1:4])
    sys.meta_path.insert(0, finder)  # pytest loads our plugin before it asks for anything
    code = pytest.main([*options, *sys.argv[4:]], plugins=[finder])
    print(f"\n{json.dumps(finder.failed)}", flush=True)
    sys.exit(code)
