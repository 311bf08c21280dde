# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> str:
    """What a tool has printed."""
    return (CAPTURED / name).read_text(encoding="utf-8")


@pytest.fixture
def scriptlet(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function that imports a drop-in as a host does."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"scriptlets.{name}")


@pytest.fixture
def prints(scriptlet: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that says what the tools of a module print: a text for each word of their command lines."""

    def say(module: ModuleType, answers: dict[str, str]) -> None:
        def run(argv: list[str], exit_codes: object = (0,), seconds: float | None = None) -> str:
            return next(text for word, text in answers.items() if word in " ".join(argv))

        monkeypatch.setattr(module, "run", run, raising=False)
        monkeypatch.setattr(module, "run_json", lambda *words, **more: json.loads(run(*words, **more)), raising=False)

    return say
