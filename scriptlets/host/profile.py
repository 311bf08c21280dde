# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host has and reaches what machines of its model do."""

from __future__ import annotations

from fnmatch import fnmatchcase

from rack_recipes import Failed, HostFiles, Scriptlet, Skipped
from scriptlets.infiniband.ports import ACTIVE, ports
from scriptlets.tools.limits import amount, judge
from scriptlets.tools.model_profiles import CHOICE, FIELDS, PROFILES
from scriptlets.tools.pci_devices import devices

DMI = "sys/class/dmi/id/"
GPU_CLASSES = ("0x03", "0x12")  # displays and accelerators, in the PCI Code and ID Assignment Specification
GPU_MAKERS = ("10de:", "1002:")
ADVICE = {
    "gpus": "power the node off and on, then reseat or replace the GPU",
    "cpus": "look at the processors in the firmware's set-up",
    "memory_kib": "reseat the modules that are missing (host.hardware names them)",
    "nvme": "reseat the drive that is missing",
    "infiniband_ports": "reseat or replace the cables of ports that are slow or down (infiniband.ports names them)",
    "all_reduce_gbs": "look at dcgm.nvlink and gpu.health",
    "rdma_write_gbps": "test the cables of the slow rail",
}


MEASURED = ("all_reduce_gbs", "rdma_write_gbps")  # by earlier steps


class HostProfile(Scriptlet):
    """Judges a host by the profile of its model: what its makers or operators say that such a machine has and reaches.

    The host says itself what it is (DMI, PCI). GPUs, processors, memory, drives and InfiniBand are looked at here;
    bandwidths are those of earlier steps (`nccl.all_reduce`, `rdma.write_bw`), and judged where these have run.
    """

    options = {
        "profiles": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "description": "Profiles of your own, which come before ours (scriptlets/tools/model_profiles.py)",
        },
        "unknown": {
            "type": "str",
            "choices": ["skip", "fail"],
            "default": "skip",
            "description": "What the step is on a host that no profile is for: skipped, or failed",
        },
        "root": {"type": "path", "default": "/"},
    }
    reads = ("nccl.all_reduce_v1", "rdma.write_bw_v1")
    writes = {
        "host.profile_v1": (
            "`name` and `source` of the profile, `expected` and `found` by field, and `not_judged`: what the profile "
            "says and nobody has measured"
        )
    }
    needs = ()
    verdicts = {
        "failed": "the host has or reaches less than its profile says, which the reason names",
        "skipped": "no profile is for such a host (failed with `unknown: fail`)",
        "error": "a profile of your own has an unknown field",
    }
    example = """
        - name: profile
          module: host.profile
          args:
            unknown: fail
            profiles:
              - {name: ours/x1, source: acceptance of 2026-05, vendor: "Dell*", product: "*XE9680*", gpus: 8, nvme: 10}
    """

    def run(self, ctx, params):
        """Choose the profile, and judge all of it that is known."""
        tree = HostFiles(params["root"])
        own = identity(tree, devices(params["root"]))
        profile = choose([*map(_checked, params["profiles"]), *PROFILES], own)
        if profile is None:
            said = f"no profile is for {in_words(own)}: write one of your own (`profiles`)"
            raise (Failed(said) if params["unknown"] == "fail" else Skipped(said))
        found = {**there(tree, own, profile), **measured(ctx, profile)}
        expected = {field: profile[field] for field in FIELDS if profile.get(field) is not None}
        left = [field for field in MEASURED if field in expected and found[field] is None]
        ctx.set(
            "host.profile_v1",
            {
                "name": profile["name"],
                "source": profile["source"],
                "expected": expected,
                "found": found,
                "not_judged": left,
            },
        )
        ctx.measure("profile", profile["name"])
        if wrong := [*judged(ctx, expected, found)]:
            raise Failed(f"by the profile {profile['name']} ({profile['source']}): {'; '.join(wrong)}")


def _checked(profile):
    """A profile of the recipe's author. Raises ValueError where a field is missing or unknown."""
    if missing := [field for field in ("name", "source") if not isinstance(profile.get(field), str)]:
        raise ValueError(f"a profile has no {' and no '.join(missing)}: {profile}")
    if unknown := [*(profile.keys() - {"name", "source", *CHOICE, *FIELDS})]:
        expected = ", ".join((*CHOICE, *FIELDS))
        raise ValueError(f"profile {profile['name']}: there is no field {unknown[0]}, expected one of {expected}")
    return profile


def identity(tree, found):
    """What a host says of itself: vendor, product, and of each kind of GPU how many there are."""
    gpus = {}
    for device in found.values():
        kind = (tree.text(device["folder"] + "class") or GPU_CLASSES[0])[:4]
        if device["id"].startswith(GPU_MAKERS) and kind in GPU_CLASSES:
            gpus[device["id"]] = gpus.get(device["id"], 0) + 1
    return {
        "vendor": tree.text(DMI + "sys_vendor") or "",
        "product": tree.text(DMI + "product_name") or "",
        "gpus": gpus,
    }


def in_words(own):
    """A host for people: `Dell Inc. PowerEdge XE9680 with 8 x 10de:2330`."""
    gpus = " and ".join(f"{number} x {name}" for name, number in own["gpus"].items()) or "no GPU"
    return f"{own['vendor'] or '?'} {own['product'] or '?'} with {gpus}"


def choose(profiles, own):
    """The profile of a host. Of several it is the smallest with at least as many GPUs as are seen: some may be lost."""
    found = [each for each in profiles if fits(each, own)]
    seen = sum(own["gpus"].values())
    enough = [each for each in found if each.get("gpus", 0) >= seen]
    return min(enough, key=lambda each: each.get("gpus", 0)) if enough else next(iter(found), None)


def fits(profile, own):
    """Whether a profile is for such a host; what it does not name does not count."""
    said = {"vendor": [own["vendor"]], "product": [own["product"]], "gpu": [*own["gpus"]]}
    return all(any(fnmatchcase(word, profile[field]) for word in said[field]) for field in CHOICE if profile.get(field))


def there(tree, own, profile):
    """What the host has, by the fields of a profile; None for what it does not tell."""
    total = next((line for line in (tree.text("proc/meminfo") or "").splitlines() if line.startswith("MemTotal:")), "")
    rates = [port["gbps"] or 0 for port in ports(tree, []).values() if port["state"] == ACTIVE]
    return {
        "gpus": sum(own["gpus"].values()),
        "cpus": sum(line.startswith("processor") for line in (tree.text("proc/cpuinfo") or "").splitlines()) or None,
        "memory_kib": int(total.split()[1]) if total else None,
        "nvme": len(tree.names("sys/class/nvme/")),
        "infiniband_ports": sum(rate >= profile.get("infiniband_gbps", 0) for rate in rates),
    }


def measured(ctx, profile):
    """What earlier steps have measured; None where they have not, or with shorter messages than the profile is for."""
    sizes = (ctx.get("nccl.all_reduce_v1") or {}).get("sizes") or {}
    long = [told["busbw"] for size, told in sizes.items() if int(size) >= profile.get("all_reduce_bytes", 0)]
    rails = [told["gbps"] for told in (ctx.get("rdma.write_bw_v1") or {}).values()]
    return {
        "all_reduce_gbs": None if not long or None in long else min(long),
        "rdma_write_gbps": None if not rails or None in rails else min(rails),
    }


def judged(ctx, expected, found):
    """Judge each field; yields what is wrong with it. What the host itself does not tell is wrong."""
    for field, advice in ADVICE.items():
        value, wanted = found.get(field), expected.get(field)
        if wanted is None or (value is None and field in MEASURED):
            continue
        limits = bounds(field, wanted, expected)
        words = " and ".join(f"{word} {amount(limit)}" for word, limit in limits.items())
        if value is None:
            ctx.check(f"told.{field}", False, eq=True)
            yield f"the host does not tell {field}, {words}: {advice}"
        elif judge(ctx, field, value, FIELDS[field], **limits) == "failed":
            yield f"{amount(value)} {FIELDS[field]} ({field}), {words}: {advice}"


def bounds(field, wanted, expected):
    """The limits of a field: GPUs and processors are counted, memory has a range, and the rest may be more."""
    if field == "memory_kib":
        share = expected.get("memory_percent", 0) / 100
        return {"min": wanted * (1 - share), "max": wanted * (1 + share)}
    return {"eq": wanted} if field in ("gpus", "cpus") else {"min": wanted}
