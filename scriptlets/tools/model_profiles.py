# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What machines of a model have and reach, as their makers and operators have published it.

`vendor`, `product` and `gpu` choose the profile: patterns of the host's own words, and of VENDOR:DEVICE on the PCI bus
(https://pci-ids.ucw.cz). Of the other fields, each that is there is expected; FIELDS has their units.
"""

from __future__ import annotations

AZURE = "Azure/azurehpc-health-checks at 0e0a1ac, conf/{}.conf"
MLPERF = "mlcommons/inference_results_v3.1, closed/Dell/systems/XE9680_H100_SXM_80GBx8_TRT.json"
BASEPOD = (
    "https://docs.nvidia.com/dgx-basepod/reference-architecture-infrastructure-foundation-enterprise-ai/latest/"
    "core-components.html"
)
CVS = "ROCm/cvs at dbef78e, cvs/input/config_file/rccl/mi300x_rccl_single_node_config.json (AMD's validation guide)"
CLOUD = {"vendor": "Microsoft Corporation", "product": "Virtual Machine"}
V100, A100_40, A100_80, A100_PCIE = "10de:1db5", "10de:20b0", "10de:20b2", "10de:20b5"
H100, H100_NVL, H200, MI200, MI300X = "10de:2330", "10de:2321", "10de:2335", "1002:740c", "1002:74b5"
B200, MI300X_WHOLE = "10de:2901", "1002:74a1"  # the second is no part of a virtual machine
GIB_16, GIB_8 = 16 * 2**30, 8 * 2**30

CHOICE = ("vendor", "product", "gpu")
FIELDS = {
    "gpus": "GPUs",
    "cpus": "processors",
    "memory_kib": "KiB",
    "memory_percent": "%",
    "nvme": "drives",
    "infiniband_ports": "ports",
    "infiniband_gbps": "Gbit/s",
    "all_reduce_gbs": "GB/s",
    "all_reduce_bytes": "bytes",
    "rdma_write_gbps": "Gbit/s",
}
"""memory_percent is by how much memory_kib may differ, all_reduce_bytes the message that all_reduce_gbs is for, and
infiniband_gbps what a port must run at to be counted."""


def _azure(size, gpu, **expected):
    """A machine of Azure; `all_reduce` is its bus bandwidth and the bytes of the message."""
    speed, size_of_message = expected.pop("all_reduce", (None, None))
    more = {} if speed is None else {"all_reduce_gbs": speed, "all_reduce_bytes": size_of_message}
    return {"name": f"azure/{size}", "source": AZURE.format(size), **CLOUD, "gpu": gpu, **expected, **more}


def _dgx(name, gpu, **expected):
    """A DGX, each with eight GPUs and eight ConnectX-7 of 400 Gbit/s."""
    chosen = {"vendor": "NVIDIA*", "product": "DGX*", "gpu": gpu}
    return {
        "name": f"nvidia/{name}", "source": BASEPOD, **chosen, "gpus": 8, "infiniband_ports": 8, "infiniband_gbps": 400,
        **expected,
    }  # fmt: skip


# 2 TB of memory, which is 2000 or 2048 GB; two drives for the system and eight for data.
HOPPER = {"memory_kib": 2050000000, "memory_percent": 7, "nvme": 10}
PROFILES = (
    _azure("nd40rs_v2", V100, gpus=8, cpus=40, memory_kib=693505424, memory_percent=3, infiniband_ports=1,
           infiniband_gbps=100, all_reduce=(110, GIB_8), rdma_write_gbps=78),
    _azure("nd96asr_v4", A100_40, gpus=8, cpus=96, memory_kib=928858388, memory_percent=3, infiniband_ports=8,
           infiniband_gbps=200, all_reduce=(228, GIB_8)),
    _azure("nd96amsr_a100_v4", A100_80, gpus=8, cpus=96, memory_kib=1857830712, memory_percent=3, infiniband_ports=8,
           infiniband_gbps=200, all_reduce=(228, GIB_16)),
    _azure("nc96ads_a100_v4", A100_PCIE, gpus=4, cpus=96, memory_kib=908185720, memory_percent=3,
           all_reduce=(25, GIB_8)),
    _azure("nd96isr_h100_v5", H100, gpus=8, cpus=96, memory_kib=1915071 * 1024, memory_percent=5, nvme=8,
           infiniband_ports=8, infiniband_gbps=400, all_reduce=(460, GIB_16)),
    _azure("nc80adis_h100_v5", H100_NVL, gpus=2, cpus=80, memory_kib=660463936, memory_percent=3,
           all_reduce=(208, GIB_16)),
    _azure("nd96isr_h200_v5", H200, gpus=8, cpus=96, memory_kib=1909409116, memory_percent=3, nvme=8,
           infiniband_ports=8, infiniband_gbps=400, all_reduce=(431, GIB_16)),
    _azure("nd96asr_mi200_v4", MI200, gpus=16, cpus=96, memory_kib=1857801904, memory_percent=3, infiniband_ports=8,
           infiniband_gbps=200, rdma_write_gbps=175),
    _azure("nd96isr_mi300x_v5", MI300X, gpus=8, cpus=96, memory_kib=1915059 * 1024, memory_percent=7,
           infiniband_ports=8, infiniband_gbps=400, all_reduce=(314, GIB_16), rdma_write_gbps=390),
    {"name": "dell/xe9680_h100", "source": MLPERF, "vendor": "Dell Inc.", "product": "PowerEdge XE9680", "gpu": H100,
     "gpus": 8, "infiniband_ports": 8, "infiniband_gbps": 400},
    _dgx("dgx_h100", H100, **HOPPER),
    _dgx("dgx_h200", H200, **HOPPER),
    _dgx("dgx_b200", B200),
    {"name": "amd/mi300x", "source": CVS, "gpu": MI300X_WHOLE, "gpus": 8, "all_reduce_gbs": 304,
     "all_reduce_bytes": GIB_8},
)  # fmt: skip
