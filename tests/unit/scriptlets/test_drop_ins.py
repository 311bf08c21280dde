# SPDX-License-Identifier: GPL-3.0-or-later

"""The drop-ins that we ship, run as programs, by every shell and awk that this machine has."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete_arguments
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

ROOT = Path(__file__).resolve().parents[3] / "scriptlets"
LIBRARY = ROOT.parent / "plugins/module_utils/script_library"
SHELLS = [[name] for name in ("sh", "dash", "bash", "ksh", "yash") if shutil.which(name)]
AWKS = [[name, "-f"] for name in ("awk", "gawk", "mawk", "original-awk") if shutil.which(name)]
if shutil.which("busybox"):
    SHELLS.append(["busybox", "sh"])
    AWKS.append(["busybox", "awk", "-f"])
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
KERNELS = ("copy", "scale", "add", "triad")
PATTERNS = ("walking_ones", "own_address", "moving_inversions")
MEMINFO = """\
MemTotal:           1000 kB
MemFree:             100 kB
MemAvailable:        250 kB
SwapTotal:       8388608 kB
SwapFree:              4 kB
"""
TABLE = """\
Filesystem 1024-blocks Used Available Capacity Mounted on
//nas/my share 2000 500 1500 25% /mnt/a  b 7 8
"""


def by_library(command: list[str]) -> list[str]:
    """The command that runs a shell or awk script as the executor does, with the library for such scripts."""
    is_awk = str(command[-1]).endswith(".awk")
    return ["sh", str(LIBRARY / "envelope.sh"), *command, *(["-f", str(LIBRARY / "rack.awk")] if is_awk else [])]


def envelope(command: list[str], tmp_path: Path, **params: Any) -> dict[str, Any]:
    """The last line that a program prints; it gets its parameters as the executor gives them."""
    source, given = Path(command[-1]), params
    if source.suffix in (".sh", ".awk"):
        options = yaml.safe_load(source.with_suffix(".yml").read_text())["options"]
        command = by_library(command)
        given = {**{name: spec.get("default") for name, spec in options.items()}, **params}
    env = {"RACK_PARAM_" + name.upper(): str(value) for name, value in given.items() if value is not None}
    stdin = tmp_path / "stdin.json"
    stdin.write_text(json.dumps({"params": given, "context": {}, "run": "", "step": "", "host": ""}))
    env["RACK_IN"] = str(stdin)
    done = subprocess.run(command, env={**os.environ, **env}, cwd=tmp_path, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == found.get("exit_code", 0)
    return found


def compiled(name: str, folder: Path) -> list[str]:
    """The program of a C scriptlet, compiled with its own flags and all warnings."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    program, source = str(folder / Path(name).name), ROOT / name
    flags = yaml.safe_load(source.with_suffix(".yml").read_text())["flags"]
    subprocess.run(["cc", *STRICT, *flags, "-I", LIBRARY, "-o", program, source.with_suffix(".c")], check=True)
    return [program]


@pytest.fixture(scope="session")
def jitter(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return compiled("clock/jitter", tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def bandwidth(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return compiled("memory/bandwidth", tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return compiled("memory/pattern", tmp_path_factory.mktemp("programs"))


def module_of(path: str) -> ModuleType:
    """A Python scriptlet, imported from its file."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def link_errors() -> ModuleType:
    return module_of("link/errors.py")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
class TestDiskUsage:
    def test_a_file_system(self, shell, tmp_path):
        found = envelope([*shell, ROOT / "disk/usage.sh"], tmp_path, path=str(tmp_path))
        value = found["outputs"]["disk.usage_v1"]
        total = os.statvfs(tmp_path)
        assert found["status"] == "ok"
        assert value["path"] == str(tmp_path)
        assert value["size_bytes"] == pytest.approx(total.f_blocks * total.f_frsize, rel=0.01)
        assert os.path.ismount(value["mount"])
        assert 0 <= value["used_percent"] <= 100
        assert found["measurements"] == [{"name": "disk_used", "value": value["used_percent"], "unit": "%"}]

    def test_without_parameters_it_is_the_root(self, shell, tmp_path):
        assert envelope([*shell, ROOT / "disk/usage.sh"], tmp_path)["outputs"]["disk.usage_v1"]["mount"] == "/"

    def test_more_than_the_limit_fails(self, shell, tmp_path):
        found = envelope([*shell, ROOT / "disk/usage.sh"], tmp_path, path=str(tmp_path), max_percent=0.0)
        assert found["status"] == "ok"  # the check decides the verdict
        used = found["outputs"]["disk.usage_v1"]["used_percent"]
        assert found["checks"] == [{"name": "disk_used", "value": used, "unit": "%", "max": 0}]
        assert "disk.usage_v1" in found["outputs"]

    @pytest.mark.parametrize("name", ['a "b" \\c', "tab\there", "%s %d", "-k", "$(id)", "é"])
    def test_odd_names_stay_what_they_are(self, shell, name, tmp_path):
        (tmp_path / name).mkdir()
        value = envelope([*shell, ROOT / "disk/usage.sh"], tmp_path, path=name)["outputs"]["disk.usage_v1"]
        assert value["path"] == name

    def test_a_missing_path_is_an_error(self, shell, tmp_path):
        found = envelope([*shell, ROOT / "disk/usage.sh"], tmp_path, path="absent")
        assert found == {"status": "error", "reason": "df knows no file system for absent", "exit_code": 1}

    def test_names_with_blanks_in_the_table(self, shell, tmp_path):
        (tmp_path / "df").write_text(f"#!/bin/sh\ncat <<'END'\n{TABLE}END\n")
        (tmp_path / "df").chmod(0o755)
        script = ["/usr/bin/env", f"PATH={tmp_path}:{os.environ['PATH']}", *shell, ROOT / "disk/usage.sh"]
        value = envelope(script, tmp_path)["outputs"]["disk.usage_v1"]
        assert (value["device"], value["mount"], value["used_percent"]) == ("//nas/my share", "/mnt/a  b 7 8", 25)


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
class TestMemoryUsage:
    def test_a_captured_file(self, awk, tmp_path):
        (tmp_path / "meminfo").write_text(MEMINFO)
        found = envelope([*awk, ROOT / "memory/usage.awk"], tmp_path, path="meminfo")
        assert found["status"] == "ok"
        assert found["outputs"]["memory.usage_v1"] == {
            "total_bytes": 1024000,
            "available_bytes": 256000,
            "used_bytes": 768000,
            "used_percent": 75,
            "swap_total_bytes": 2**33,
            "swap_free_bytes": 4096,
        }
        assert found["measurements"] == [{"name": "memory_used", "value": 75, "unit": "%"}]

    def test_this_machine(self, awk, tmp_path):
        value = envelope([*awk, ROOT / "memory/usage.awk"], tmp_path)["outputs"]["memory.usage_v1"]
        assert value["total_bytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def test_more_than_the_limit_fails(self, awk, tmp_path):
        (tmp_path / "meminfo").write_text(MEMINFO)
        found = envelope([*awk, ROOT / "memory/usage.awk"], tmp_path, path="meminfo", max_percent=74.5)
        assert (found["status"], found["reason"]) == ("failed", "75.00 % of the memory is in use, more than 74.5 %")
        assert found["checks"] == [{"name": "memory_used", "value": 75, "unit": "%", "max": 74.5}]

    def test_the_limit_itself_passes(self, awk, tmp_path):
        (tmp_path / "meminfo").write_text(MEMINFO)
        found = envelope([*awk, ROOT / "memory/usage.awk"], tmp_path, path="meminfo", max_percent=75.0)
        assert (found["status"], found["checks"][0]["max"]) == ("ok", 75)

    @pytest.mark.parametrize("text", ["", "MemTotal: 1 kB\n", "\xff\n"])
    def test_what_is_no_meminfo_is_an_error(self, awk, text, tmp_path):
        (tmp_path / "meminfo").write_text(text, encoding="latin-1")
        assert envelope([*awk, ROOT / "memory/usage.awk"], tmp_path, path="meminfo")["status"] == "error"

    def test_a_missing_file_is_an_error(self, awk, tmp_path):
        assert envelope([*awk, ROOT / "memory/usage.awk"], tmp_path, path="absent")["status"] == "error"


class TestClockJitter:
    def test_a_short_run(self, jitter, tmp_path):
        found = envelope(jitter, tmp_path, samples=100, interval_us=100)
        value = found["outputs"]["clock.jitter_v1"]
        assert found["status"] == "ok"
        assert (value["samples"], value["interval_us"]) == (100, 100)
        assert 0 <= value["min_us"] <= value["mean_us"] <= value["max_us"]
        assert value["min_us"] <= value["p99_us"] <= value["max_us"]
        assert {(one["name"], one["unit"]) for one in found["measurements"]} == {
            ("jitter_min", "us"),
            ("jitter_mean", "us"),
            ("jitter_p99", "us"),
        }

    def test_more_than_the_limit_fails(self, jitter, tmp_path):
        found = envelope(jitter, tmp_path, samples=100, interval_us=100, max_us=0.0)
        assert found["status"] == "failed"
        assert found["reason"].endswith("us late or more, the limit is 0 us")
        (check,) = found["checks"]
        assert check == {
            "name": "jitter_p99",
            "value": found["outputs"]["clock.jitter_v1"]["p99_us"],
            "unit": "us",
            "max": 0,
        }
        assert [one["name"] for one in found["measurements"]] == ["jitter_min", "jitter_mean"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("samples", 99),
            ("samples", 1000001),
            ("samples", "many"),
            ("samples", "100x"),
            ("samples", 10**30),
            ("interval_us", 0),
        ],
    )
    def test_what_is_out_of_range_is_an_error(self, jitter, name, value, tmp_path):
        found = envelope(jitter, tmp_path, **{name: value})
        assert found["status"] == "error"
        assert found["reason"].startswith(name + ": expected a whole number from")


class TestMemoryBandwidth:
    def test_a_short_run(self, bandwidth, tmp_path):
        found = envelope(bandwidth, tmp_path, array_mib=1, runs=2, threads=1)
        value = found["outputs"]["memory.bandwidth_v1"]
        assert found["status"] == "ok"
        assert (value["threads"], value["array_bytes"], value["runs"], value["wrong_elements"]) == (1, 2**20, 2, 0)
        assert [(one["name"], one["unit"]) for one in found["measurements"]] == [
            (f"bandwidth_{kernel}", "MB/s") for kernel in KERNELS
        ]
        assert all(
            0 < value[f"{kernel}_mb_s"] == found["measurements"][at]["value"] for at, kernel in enumerate(KERNELS)
        )

    def test_without_parameters_it_takes_every_core_that_it_may_use(self, bandwidth, tmp_path):
        value = envelope(bandwidth, tmp_path)["outputs"]["memory.bandwidth_v1"]
        assert (value["threads"], value["array_bytes"]) == (len(os.sched_getaffinity(0)), 64 * 2**20)

    @pytest.mark.parametrize("kernel", KERNELS)
    def test_less_than_the_limit_fails(self, bandwidth, kernel, tmp_path):
        found = envelope(bandwidth, tmp_path, array_mib=1, runs=2, threads=1, **{f"min_{kernel}_mb_s": 1e12})
        reached = found["outputs"]["memory.bandwidth_v1"][f"{kernel}_mb_s"]
        assert found["status"] == "failed"
        assert found["reason"] == (
            f"{kernel} reaches {reached:.1f} MB/s, the limit is 1e+12 MB/s: look for missing or slow memory modules, "
            "and for what else runs"
        )
        assert found["checks"][1] == {
            "name": f"bandwidth_{kernel}", "value": reached, "unit": "MB/s", "min": 1e12,
        }  # fmt: skip

    def test_more_than_the_limits_passes(self, bandwidth, tmp_path):
        limits = {f"min_{kernel}_mb_s": 0.5 for kernel in KERNELS}
        found = envelope(bandwidth, tmp_path, array_mib=1, runs=2, threads=1, **limits)
        assert (found["status"], len(found["checks"]), found.get("measurements")) == ("ok", 5, None)

    @pytest.mark.parametrize("element", [0, 77, 2**17 - 1])
    def test_a_wrong_result_is_named(self, bandwidth, element, tmp_path):
        found = envelope(bandwidth, tmp_path, array_mib=1, runs=2, threads=1, spoil_element=element, min_add_mb_s=1e12)
        assert found["status"] == "failed"
        assert found["reason"].startswith(f"wrong results: 1, the first is element {element} of array b: the memory or")
        assert "; add reaches" in found["reason"]
        assert found["checks"][0] == {"name": "wrong_elements", "value": 1, "unit": "elements", "max": 0}

    @pytest.mark.parametrize(
        ("name", "value"),
        [("array_mib", 0), ("array_mib", "1x"), ("runs", 1), ("threads", -1), ("spoil_element", 2**17)],
    )
    def test_what_is_out_of_range_is_an_error(self, bandwidth, name, value, tmp_path):
        found = envelope(bandwidth, tmp_path, **{"array_mib": 1, name: value})
        assert (found["status"], found["reason"].partition(":")[0]) == ("error", name)

    def test_more_than_there_can_be_is_an_error(self, bandwidth, tmp_path):
        limited = ["sh", "-c", 'ulimit -v 400000; exec "$@"', "sh", *bandwidth]
        found = envelope(limited, tmp_path, array_mib=1000, runs=2, threads=1)
        assert found["reason"] == "no memory for three arrays of this size: make array_mib smaller"


class TestMemoryPattern:
    def test_a_memory_that_keeps_everything(self, pattern, tmp_path):
        found = envelope(pattern, tmp_path, mib=1)
        value = found["outputs"]["memory.pattern_v1"]
        assert (found["status"], value["tested_mib"], value["wrong_words"]) == ("ok", 1, 0)
        assert value["first_wrong_offset_bytes"] is None
        assert found["checks"] == [{"name": "wrong_words", "value": 0, "unit": "words", "max": 0}]

    @pytest.mark.parametrize("offset", [0, 1001, 2**20 - 1])
    def test_each_pattern_finds_a_flipped_bit(self, pattern, offset, tmp_path):
        found = envelope(pattern, tmp_path, mib=1, spoil_offset=offset)
        value = found["outputs"]["memory.pattern_v1"]
        assert [value[f"{name}_wrong_words"] for name in PATTERNS] == [1, 1, 1]
        assert (value["wrong_words"], value["first_wrong_offset_bytes"]) == (3, offset - offset % 8)

    def test_the_first_wrong_word_is_told(self, pattern, tmp_path):
        assert envelope(pattern, tmp_path, mib=1, spoil_offset=16)["reason"] == (
            "wrong words: 3, the first by walking_ones at offset 16 of 1 MiB: expected 0x0000000000000004, found "
            "0x0000000000000005; look in the kernel's log for the memory module, replace it and test again"
        )

    @pytest.mark.parametrize(("name", "value"), [("mib", 0), ("mib", "all"), ("spoil_offset", 2**20)])
    def test_what_is_out_of_range_is_an_error(self, pattern, name, value, tmp_path):
        found = envelope(pattern, tmp_path, **{"mib": 1, name: value})
        assert (found["status"], found["reason"].partition(":")[0]) == ("error", name)

    def test_more_than_there_can_be_is_an_error(self, pattern, tmp_path):
        limited = ["sh", "-c", 'ulimit -v 400000; exec "$@"', "sh", *pattern]
        assert envelope(limited, tmp_path, mib=1000)["reason"] == "no memory of this size: make mib smaller"


class TestLinkErrors:
    @pytest.fixture
    def run(self, link_errors, tmp_path):
        for name in ("lo", "eth0", "eth1"):
            folder = tmp_path / "sys/class/net" / name / "statistics"
            folder.mkdir(parents=True)
            for counter in link_errors.COUNTERS[:-1]:
                (folder / counter).write_text("7\n" if (name, counter) == ("eth1", "rx_errors") else "0\n")

        def run(**params):
            events: list[dict[str, Any]] = []
            given = complete_arguments(link_errors.LinkErrors.options, {"root": str(tmp_path), **params})
            link_errors.LinkErrors().run(ContextView("step", "r1", "host", {}, {}, {}, events.append), given)
            return events

        return run

    def test_the_counters_of_all_links_but_the_loopback(self, run):
        delta, measured = run()
        assert sorted(delta["after"]) == ["eth0", "eth1"]
        assert delta["after"]["eth1"]["rx_errors"] == 7
        assert delta["after"]["eth0"]["collisions"] is None
        assert (measured["name"], measured["value"], measured["unit"]) == ("link_errors", 7, "frames")

    def test_the_links_that_are_named(self, run):
        assert list(run(names=["lo"], max_errors=0)[0]["after"]) == ["lo"]

    def test_more_than_the_limit_fails(self, run):
        with pytest.raises(Failed, match=r"more than 6 errors on eth1 \(7\)"):
            run(max_errors=6)
        checked = [(event["name"], event["verdict"], event["distance"]) for event in run(max_errors=7)[2:]]
        assert checked == [("link_errors.eth0", "passed", 7), ("link_errors.eth1", "passed", 0)]

    def test_a_missing_link_fails(self, run):
        with pytest.raises(Failed, match="no such link: eth9"):
            run(names=["eth0", "eth9"])


@table("name", "function", "key", "value")
def test_the_steps_of_the_first_proposal(name, function, key, value, tmp_path):
    (tmp_path / "numbers.csv").write_text("10\n20\n30\n40\n")
    events: list[dict[str, Any]] = []
    scriptlet = getattr(module_of(f"steps/{name}.py"), function)()
    context, params = ContextView("step", "r1", "host", {}, {}, {}, events.append), {"src": f"{tmp_path}/numbers.csv"}
    scriptlet.run(context, params)
    assert [(event["key"], event["after"]) for event in events] == [(key, value)]
    (tmp_path / "numbers.csv").write_text("10\nten\n")
    with pytest.raises(ValueError, match=r"numbers\.csv:2: expected a number"):
        scriptlet.run(context, params)


def test_every_drop_in_is_in_the_catalog():
    from rack_recipes.recipe.catalog.find_scriptlet import list_scriptlets, load_errors

    helpers = ROOT / "tools"  # what several scriptlets import
    files = (path for path in ROOT.rglob("*.*") if path.suffix in {".py", ".sh", ".awk", ".c"})
    sources = {path for path in files if helpers not in path.parents}
    found = {entry.path.resolve() for entry in list_scriptlets([ROOT])}
    assert sources <= found
    sidecars = set(ROOT.rglob("*.yml"))
    assert {path.with_suffix("") for path in sidecars} <= {path.with_suffix("") for path in sources}
    assert load_errors([ROOT]) == ()
