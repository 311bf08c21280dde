# SPDX-License-Identifier: GPL-3.0-or-later

"""A host judged by the profile of its model, on the files in which hosts say what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

HOSTS = yaml.safe_load(Path(__file__).with_name("profile_hosts.yml").read_text(encoding="utf-8"))
GIB_16 = str(16 * 2**30)
OURS = {"name": "ours/box", "source": "acceptance", "vendor": "Acme", "product": "Box *", "gpus": 1, "nvme": 1}
Run = Callable[..., Any]


def files(host: dict[str, Any]) -> dict[str, str]:
    """The files of a host: DMI, PCI, processors, memory, drives and InfiniBand."""
    found = {"sys/class/dmi/id/sys_vendor": host["vendor"], "sys/class/dmi/id/product_name": host["product"]}
    gpus = [name for name, number in host["gpus"].items() for _one in range(number)]
    for number, name in enumerate([*gpus, "10de:22a3"]):  # the last is a switch of NVLink
        place = f"sys/bus/pci/devices/0000:{number:02x}:00.0/"
        kind = "0x030200" if number < len(gpus) else "0x068000"
        vendor, device = name.split(":")
        found |= {f"{place}vendor": f"0x{vendor}", f"{place}device": f"0x{device}"}
        found[f"{place}class"] = kind
    if host["cpus"]:
        found["proc/cpuinfo"] = "\n".join(f"processor\t: {number}" for number in range(host["cpus"]))
    found["proc/meminfo"] = f"MemTotal:       {host['memory_kib']} kB\nMemFree: 1 kB"
    found |= {f"sys/class/nvme/nvme{number}/state": "live" for number in range(host["nvme"])}
    for number, rate in enumerate(host["rates"]):
        port = f"sys/class/infiniband/mlx5_{number}/ports/1/"
        found |= {f"{port}state": "4: ACTIVE", f"{port}phys_state": "5: LinkUp", f"{port}rate": f"{rate} Gb/sec (4X)"}
    return found


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path) -> Run:
    """A function that runs it on a host of the file; `changed` differs there, `keys` are what steps have set."""

    def run(name: str, changed: dict[str, Any] | None = None, keys: dict[str, Any] | None = None, **params: Any) -> Any:
        for path, text in files({**HOSTS[name], **(changed or {})}).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{text}\n", encoding="ascii")
        for key, value in (keys or {}).items():
            rack_context[key] = value
        return rack_context.run(scriptlet("host.profile").HostProfile, {"root": str(tmp_path), **params})

    return run


@table("name", "profile", "not_judged")
def test_a_host_as_its_profile_says(run, rack_context, name, profile, not_judged):
    outcome = run(name)
    assert (outcome.verdict, outcome.reason) == ("passed", "")
    assert rack_context.measured["profile"] == profile
    assert rack_context["host.profile_v1"]["not_judged"] == not_judged
    assert rack_context["host.profile_v1"]["source"]


@table("name", "changed", "keys", "says")
def test_what_is_wrong_names_the_profile(run, name, changed, keys, says):
    outcome = run(name, changed, keys)
    assert outcome.verdict == "failed"
    assert outcome.reason.startswith("by the profile ")
    assert says in outcome.reason


def test_bandwidths_of_earlier_steps(run, rack_context):
    keys = {
        "nccl.all_reduce_v1": {"sizes": {"1024": {"busbw": 1.0}, GIB_16: {"busbw": 320.5}}},
        "rdma.write_bw_v1": {"mlx5_0/1": {"gbps": 393.6}, "mlx5_1/1": {"gbps": 392.1}},
    }
    assert run("mi300x", keys=keys).reason == ""
    assert (rack_context.measured["all_reduce_gbs"], rack_context.measured["rdma_write_gbps"]) == (320.5, 392.1)


def test_an_unknown_model_is_said(run):
    outcome = run("workstation")
    assert (outcome.verdict, outcome.reason) == (
        "skipped",
        "no profile is for Acme Box 1 with 1 x 10de:2204: write one of your own (`profiles`)",
    )
    assert run("workstation", unknown="fail").verdict == "failed"


def test_profiles_of_your_own_come_first(run, rack_context):
    assert run("workstation", profiles=[OURS]).verdict == "passed"
    assert rack_context.measured["profile"] == "ours/box"
    assert run("workstation", profiles=[{**OURS, "nvme": 2}]).reason.startswith(
        "by the profile ours/box (acceptance): 1 d"
    )


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (
            {**OURS, "drives": 2},
            "profile ours/box: there is no field drives, expected one of vendor, product, gpu, gpus",
        ),
        ({"name": "x", "gpus": 8}, "a profile has no source: "),
    ],
)
def test_a_profile_that_is_none(run, profile, says):
    outcome = run("workstation", profiles=[profile])
    assert (outcome.verdict, outcome.reason[: len(says)]) == ("error", says)


def test_each_profile_has_a_source_and_known_fields(scriptlet):
    module, table_of = scriptlet("host.profile"), scriptlet("tools.model_profiles")
    assert [module._checked(each)["name"] for each in table_of.PROFILES]
    assert all(each["source"] and each.get("gpu") for each in table_of.PROFILES)
