# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NVIDIA's driver says of each GPU, by `nvidia-smi -q -x`.

Its XML has versions (nvsmi_device_v11.dtd to v13 were looked at) that differ in names: a field has all of them here.
A GPU that lacks a field, or does not support it, has None for it.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import completed, last_line
from scriptlets.tools.pci_devices import devices

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {"timeout": {"description": "How long nvidia-smi may take", "unit": "s"}}
QUERY = ("nvidia-smi", "-q", "-x")
VENDOR = "10de:"
NOT_TOLD = ("", "N/A", "[N/A]", "Not Supported", "Requested functionality has been deprecated")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
LOST = re.compile(r"GPU is lost|fallen off the bus", re.IGNORECASE)


def need_gpu(params):
    """End the step where the PCI bus has no GPU of NVIDIA; the driver need not be there."""
    if not any(device["id"].startswith(VENDOR) for device in devices(params["root"]).values()):
        is_missing("a GPU of NVIDIA", params)


def gpus(params):
    """The GPUs by the address on the PCI bus, each as an element. Ends the step where there is none or one is lost.

    Raises ValueError where nvidia-smi cannot be read.
    """
    need_gpu(params)
    done = completed(QUERY, seconds=params["timeout"])
    said = last_line(done)
    if LOST.search(said):
        raise Failed(f"{said}: drain the node, power it off and on, reseat the GPU; if it comes back, replace it")
    if done.returncode:
        raise ValueError(f"nvidia-smi {end_in_words(done.returncode)}: {said}: look at the driver")
    return parsed(done.stdout)


def parsed(text):
    """ADDRESS -> the element of each GPU. Raises ValueError where the text is no answer of nvidia-smi."""
    try:
        log = ET.fromstring(text)  # noqa: S314 - the answer of a tool of the host
    except ET.ParseError as error:
        raise ValueError(f"nvidia-smi printed no XML: {error}") from None
    found = {gpu.get("id", "?").lower(): gpu for gpu in log.iter("gpu")}
    for gpu in found.values():
        ET.SubElement(gpu, "driver_version").text = log.findtext("driver_version")
    return found


def field(gpu, *paths):
    """The text of the first of several fields that a GPU tells; None where it tells none."""
    told = (" ".join((gpu.findtext(path) or "").split()) for path in paths)
    return next((text for text in told if text not in NOT_TOLD), None)


def number(gpu, *paths):
    """The number of the first of several fields, without its unit; None where the GPU tells none."""
    found = NUMBER.match(field(gpu, *paths) or "")
    return float(found[0]) if found else None
