# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speed of a disk by fio, and whether it gives back the data that were written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run
from scriptlets.tools.limits import amount

MIB = 1 << 20
# profile -> fio's options: pattern, size of a block, how many requests are under way
PROFILES = {
    "random_read": ("--rw=randread", "--bs=4k", "--iodepth=32"),
    "random_write": ("--rw=randwrite", "--bs=4k", "--iodepth=32"),
    "random_mixed": ("--rw=randrw", "--rwmixread=70", "--bs=4k", "--iodepth=32"),
    "sequential_read": ("--rw=read", "--bs=1M", "--iodepth=8"),
    "sequential_write": ("--rw=write", "--bs=1M", "--iodepth=8"),
}
CHECKSUMS = ("--verify=crc32c", "--verify_interval=4096", "--do_verify=0", "--verify_state_save=0")
DIFFERS = errno.EILSEQ  # what fio calls data that do not have their checksum
ADVICE = {
    DIFFERS: "data read back differ from those written: keep no data there, replace the disk",
    errno.ENOSPC: "the disk has no room for a file that has got its room: look at the pool behind it, if it is a thin "
    "volume, else at the kernel's log, then replace the disk",
}
# What is wrong with how fio was called, rather than with the disk.
NOT_THE_DISK = (errno.EINVAL, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.ENOSYS, errno.EFBIG)
EXIT_CODES = (0, 1, 2, 3)  # how many of the three jobs have failed
# fio's percentile -> the key that it is measured by
PERCENTILES = {"50.000000": "p50_us", "99.000000": "p99_us", "99.900000": "p999_us"}


class DiskFio(Scriptlet):
    """IOPS, MB/s and latencies of a profile, and a crc32c of each 4 KiB that was written, checked at the end.

    The file is written once, measured, and read back. It has no name, so it is gone with the step, however that
    ends. Limits count reads and writes together. Latencies are fio's `clat`, from submission to completion, of
    reads or writes, whichever is worse. Without limits the numbers are measured only: what is right is in the
    disk's data sheet.
    """

    options = {
        "folder": {
            "type": "path",
            "required": True,
            "description": "A folder on the disk that is tested",
        },
        "profile": {
            "type": "str",
            "choices": ["random_read", "random_write", "random_mixed", "sequential_read", "sequential_write"],
            "default": "random_mixed",
            "description": (
                "What is measured: 4 KiB blocks with 32 requests under way (random), or 1 MiB with 8 (sequential)"
            ),
        },
        "size_mib": {
            "type": "int",
            "default": 256,
            "description": "The size of the file",
            "unit": "MiB",
        },
        "seconds": {
            "type": "float",
            "default": 10,
            "min": 0,
            "max": 86_400,
            "description": "For how long is measured",
            "unit": "s",
        },
        "direct": {
            "type": "bool",
            "default": True,
            "description": "Whether it goes past the memory of the host",
        },
        "min_iops": {
            "type": "float",
            "description": "The least number of requests a second",
            "unit": "1/s",
        },
        "min_mbytes": {
            "type": "float",
            "description": "The least throughput, in 10^6 bytes a second",
            "unit": "MB/s",
        },
        "max_p50_us": {
            "type": "float",
            "description": "The longest median latency",
            "unit": "us",
        },
        "max_p99_us": {
            "type": "float",
            "description": "The longest latency of 99 in 100 requests",
            "unit": "us",
        },
        "max_p999_us": {
            "type": "float",
            "description": "The longest latency of 999 in 1000 requests",
            "unit": "us",
        },
    }
    reads = ()
    writes = {
        "disk.fio_v1": (
            "profile, fio's version, `errors` by job, read_back_bytes, and for `read` and `write` iops (1/s), "
            "mbytes (MB/s), p50_us, p99_us, p999_us"
        )
    }
    needs = (
        "fio (Debian: fio)",
        "a folder that can be written, with size_mib of room",
    )
    verdicts = {
        "failed": ("data read back differ from those written, the disk gave an error, or a limit is not met"),
        "error": "there is no room, or fio cannot test this folder",
    }
    example = """
        - name: fio
          module: disk.fio
          args: {folder: /var/tmp, profile: random_read, min_iops: 20000}
          timeout: 120
    """

    def validate(self, ctx, params):
        for name in ("size_mib", "seconds"):
            if params[name] <= 0:
                raise ValueError(f"{name}: expected more than 0, got {params[name]:g}")

    def run(self, ctx, params):
        has_room(params["folder"], params["size_mib"])
        with reserved(params["folder"], params["size_mib"]) as file:
            told = decoded(run(argv(f"/proc/{os.getpid()}/fd/{file.fileno()}", params), EXIT_CODES))
        found = read(told)
        ctx.set("disk.fio_v1", {"profile": params["profile"], **found})
        complain(found, params)
        ctx.check("read_back", found["read_back_bytes"], "bytes", eq=params["size_mib"] * MIB)
        wrong = [*judge_ways(ctx, found, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def has_room(folder, size):
    """Raises ValueError where a folder is not there, or has no room for `size` MiB."""
    if not Path(folder).is_dir():
        raise ValueError(f"there is no folder {folder}: make it on the disk that is to be tested")
    free = shutil.disk_usage(folder).free // MIB
    if free <= size:
        raise ValueError(f"{folder} has {free} MiB left, size_mib is {size}: make room, or lower size_mib")


@contextlib.contextmanager
def reserved(folder, size):
    """A file without a name that has room for `size` MiB: one that is too short would be made anew by fio, with a name.

    Raises ValueError where a folder takes no such file.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            os.posix_fallocate(file.fileno(), 0, size * MIB)
        except OSError as error:
            advice = "look whether it is read-only (findmnt) and has inodes (df -i)"
            raise ValueError(f"{folder} takes no file of {size} MiB: {error.strerror}: {advice}") from None
        yield file


def argv(file, params):
    """The command line: the file is written, measured by the profile, and read back, one after the other."""
    # A job that is a process of its own has a session of its own too, and would go on after its step was killed.
    engine = ("--thread=1", "--ioengine=libaio", f"--direct={params['direct']:d}", "--exitall_on_error=1")
    common = ("fio", "--output-format=json", f"--filename={file}", f"--size={params['size_mib']}M", *engine)
    whole = ("--bs=1M", "--iodepth=8")
    profile = PROFILES[params["profile"]]
    sums = () if profile[0] in ("--rw=randread", "--rw=read") else CHECKSUMS
    timed = ("--time_based", f"--runtime={params['seconds'] * 1000:.0f}ms")
    return (
        *common,
        *("--name=write", "--rw=write", *whole, *CHECKSUMS),
        *("--name=measure", "--stonewall", *profile, *timed, *sums),
        *("--name=read_back", "--stonewall", "--rw=read", *whole, *CHECKSUMS, "--verify_fatal=1"),
    )


def decoded(text):
    """The JSON of fio, which notes may stand before. Raises ValueError where there is none."""
    try:
        return json.loads(text[text.index("{") :])
    except ValueError:
        raise ValueError(f"fio printed no JSON: {text[:100]!r}") from None


def read(told):
    """What was measured in each direction, what was read back, and the number of each job's error, 0 for none."""
    jobs = {job["jobname"]: job for job in told["jobs"]}
    measured = {way: jobs.get("measure", {}).get(way, {}) for way in ("read", "write")}
    ways = {way: _way(own) for way, own in measured.items() if "percentile" in own.get("clat_ns", ())}
    return {
        "version": told["fio version"],
        "errors": {name: job["error"] for name, job in jobs.items()},
        "read_back_bytes": jobs.get("read_back", {}).get("read", {}).get("io_bytes", 0),
        **ways,
    }


def _way(told):
    """Numbers of one direction that has some requests without an error. The percentiles are in ns since fio 3."""
    percentiles = told["clat_ns"]["percentile"]
    latencies = {key: round(percentiles[name] / 1000, 1) for name, key in PERCENTILES.items()}
    return {"iops": round(told["iops"], 1), "mbytes": round(told["bw_bytes"] / 1e6, 1), **latencies}


def complain(found, params):
    """Raises Failed for an error of the disk, ValueError for one of the test.

    The error of the first job counts: what could not be written does not have its checksum later on.
    """
    folder, number = params["folder"], next((number for number in found["errors"].values() if number), 0)
    said = os.strerror(number)
    if number in NOT_THE_DISK:
        raise ValueError(f"fio cannot test {folder}: {said}: try direct=false, look at rights, quota and room")
    if number:
        advice = ADVICE.get(number, f"{said}: look at the kernel's log, then replace the disk")
        raise Failed(f"{folder}: {advice}")


def judge_ways(ctx, found, params):
    """Measure both directions and judge them together; yields what is wrong."""
    ways = [found[way] for way in ("read", "write") if way in found]
    if not ways:
        raise ValueError("fio has measured nothing: give it more seconds")
    for key, unit, total, word in (
        ("iops", "1/s", sum, "min"),
        ("mbytes", "MB/s", sum, "min"),
        ("p50_us", "us", max, "max"),
        ("p99_us", "us", max, "max"),
        ("p999_us", "us", max, "max"),
    ):
        value, bound = round(total(way[key] for way in ways), 1), params[f"{word}_{key}"]
        if bound is None:
            ctx.measure(key, value, unit)
        elif ctx.check(key, value, unit, **{word: bound}) == "failed":
            yield (
                f"{params['folder']}: {key} {amount(value)} {unit}, {word} {amount(bound)}: look what else uses the "
                "disk, compare firmware and link speed with a good one"
            )
