# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA's own diagnostics of GPUs, run and judged: `dcgmi diag`."""

from __future__ import annotations

import json

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import completed, last_line
from scriptlets.tools.nvidia_smi import need_gpu

# DCGM 4 has other names than DCGM 3 (nvvs/include/NvvsJsonStrings.h)
ROOTS = ("DCGM Diagnostic", "DCGM GPU Diagnostic")
PASS, FAIL, WARN = "pass", "fail", "warn"


class DcgmDiag(Scriptlet):
    """The tests of `dcgmi diag`, NVIDIA's own diagnostics, each with its result on each GPU.

    All but level 1 take the GPUs for themselves: run them on a node without jobs. A run in which every test was
    skipped is an error.
    """

    options = {
        "level": {
            "type": "int",
            "choices": [1, 2, 3, 4],
            "default": 1,
            "description": ("How long it may take: 1 seconds, 2 minutes, 3 half an hour, 4 more than an hour"),
            "unit": "level",
            "source": "the shortest (NVIDIA, DCGM Diagnostics)",
        },
        "tests": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Names of tests in place of a level, such as memory or pcie",
        },
        "host": {
            "type": "str",
            "default": "localhost",
            "description": "Where DCGM's host engine runs",
        },
        "timeout": {
            "type": "float",
            "default": 7200,
            "description": "A run that has not ended by then is an error",
            "unit": "s",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/"},
    }
    reads = ()
    writes = {
        "dcgm.diag_v1": (
            "A list with category, test, `of` (such as GPU 0), status (pass, fail, warn, skip) and what was said"
        )
    }
    needs = (
        "DCGM (dcgmi) with its host engine",
        "NVIDIA GPUs",
    )
    verdicts = {
        "failed": "a test failed",
        "marginal": "a test warns",
        "skipped": "the host has no GPU (failed with `absent: fail`)",
        "error": "dcgmi ran no test",
    }
    example = """
        - name: diagnostics
          module: dcgm.diag
          args: {level: 2}
          timeout: 900
    """

    def run(self, ctx, params):
        need_gpu(params)
        what = ",".join(params["tests"]) or str(params["level"])
        done = completed(("dcgmi", "diag", "--host", params["host"], "-r", what, "-j"), seconds=params["timeout"])
        found = results(answer(done))
        ctx.set("dcgm.diag_v1", found)
        if not any(each["status"] in (PASS, FAIL, WARN) for each in found):
            told = "; ".join(f"{each['test']}: {each['said'] or each['status']}" for each in found) or last_line(done)
            raise ValueError(f"dcgmi ran no test ({told}): look at the host engine (nvidia-dcgm)")
        wrong = [*_judge(ctx, found)]
        if wrong:
            raise Failed("; ".join(wrong))


def answer(done):
    """The part of dcgmi's answer with the results. Raises ValueError where it has none or could not run."""
    start = done.stdout.find("{")
    try:
        told = json.loads(done.stdout[start:]) if start >= 0 else {}
    except ValueError:
        told = {}
    root = next((told[name] for name in ROOTS if name in told), None)
    if root is None:
        raise ValueError(f"dcgmi diag {end_in_words(done.returncode)}: {last_line(done)}")
    if root.get("runtime_error"):
        raise ValueError(f"dcgmi diag could not run: {root['runtime_error']}")
    return root


def results(root):
    """Each result: category, test, the entity that it is of (GPU 0), status in lower case, and what was said."""
    tests = [
        (category.get("category", ""), test)
        for category in root.get("test_categories") or ()
        for test in category.get("tests") or ()
        if test
    ]
    return [
        {
            "category": category, "test": test.get("name", "?"), "of": _of(result),
            "status": str(result.get("status", "")).lower(), "said": _said(result),
        }
        for category, test in tests
        for result in test.get("results") or ()
    ]  # fmt: skip


def _of(result):
    """What a result is of: an entity (DCGM 4), or the numbers of GPUs."""
    if "entity_group" in result:
        return f"{result['entity_group']} {result.get('entity_id', '?')}"
    return f"GPU {result.get('gpu_id', result.get('gpu_ids', '?'))}"


def _said(result):
    """The warnings of a result, or else what it tells: a text, or a list of texts or of mappings with `warning`."""
    told = result.get("warnings") or result.get("info") or []
    several = told if isinstance(told, list) else [told]
    texts = [each.get("warning", "") if isinstance(each, dict) else str(each) for each in several]
    return " ".join(" ".join(texts).split())[:500]


def _judge(ctx, found):
    """Judge how many tests failed or warn; yields what failed, once for each test and GPU."""
    failed = [each for each in found if each["status"] == FAIL]
    ctx.measure("passed", sum(each["status"] == PASS for each in found), "tests")
    ctx.check("failed", len(failed), "tests", max=0)
    ctx.check("warned", sum(each["status"] == WARN for each in found), "tests", min=0, warn={"max": 0})
    for each in failed:
        yield (
            f"DCGM's test {each['test']} failed on {each['of']} ({each['said'] or 'no reason told'}): drain the node, "
            "reset the GPU and test it again; if it fails again, replace it"
        )
