# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the kernel is the expected one: release, command line, settings (sysctl), modules with their versions."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

from rack_recipes import Failed, Scriptlet

LIMITS = ("min", "max")
SYSFS = "/sys/"
CHOSEN = re.compile(r"\[([^\]]+)\]")
SET = "set it in /etc/sysctl.d, and run `sysctl --system`"
SET_IN_SYSFS = "set it at each start, by systemd-tmpfiles or on the kernel's command line"


class HostKernel(Scriptlet):
    """The kernel's release, command line, settings and modules, as far as the step says what they must be."""

    options = {
        "release": {
            "type": "str",
            "description": 'A pattern of the kernel\'s release, such as "6.8.0-*"',
        },
        "arguments": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": (
                "Words of the kernel's command line that must be there: `iommu=pt`, or a name alone for any value"
            ),
        },
        "no_arguments": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Words that must not be there",
        },
        "settings": {
            "type": "dict",
            "default": {},
            "description": (
                "Those of sysctl(8): NAME -> VALUE, or `min` and `max`; or a file below /sys, such as those of huge "
                "pages, SELinux or AppArmor: PATH -> VALUE, of several the one in brackets"
            ),
        },
        "modules": {
            "type": "dict",
            "default": {},
            "description": ("Modules that must be loaded: NAME -> pattern of the version, an empty text for any"),
        },
        "no_modules": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Modules that must not be loaded",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /proc and /sys; another one for tests",
        },
    }
    reads = ()
    writes = {
        "host.kernel_v1": (
            "release, `arguments` of the command line, `settings` by name, and the version of each module in "
            "`modules`, null where it is not loaded"
        )
    }
    needs = ()
    verdicts = {
        "failed": "something is not as the step says",
        "error": "the kernel does not show its files",
    }
    example = """
        - name: kernel
          module: host.kernel
          args:
            release: "6.*"
            settings:
              net.core.rmem_max: {min: 212992}
              /sys/kernel/mm/transparent_hugepage/enabled: madvise
    """

    def run(self, ctx, params):
        root = Path(params["root"])
        words = arguments((root / "proc/cmdline").read_text(encoding="utf-8", errors="backslashreplace"))
        found = {
            "release": (root / "proc/sys/kernel/osrelease").read_text(encoding="ascii").strip(),
            "arguments": words,
            "settings": {name: setting(root, name) for name in params["settings"]},
            "modules": {name: version(root, name) for name in [*params["modules"], *params["no_modules"]]},
        }
        ctx.set("host.kernel_v1", found)
        wrong = [*_release(ctx, found, params), *_arguments(ctx, words, params)]
        wrong += [*_settings(ctx, found["settings"], params), *_modules(ctx, found["modules"], params)]
        if wrong:
            raise Failed("; ".join(wrong))


def arguments(line):
    """The words of a command line; quotation marks hold one together (Linux, admin-guide/kernel-parameters.rst)."""
    try:
        return shlex.split(line)
    except ValueError:  # a quotation mark that does not end
        return line.split()


def setting(root, name):
    """The value of a setting, with single spaces; None where the kernel does not have it.

    A dot in a name is a slash in the path, except where the name has slashes itself (sysctl(8)). One that begins with
    /sys/ is a path; of several choices there the one in brackets is in force. Raises ValueError if it is not told.
    """
    in_proc = root / "proc/sys" / (name if "/" in name else name.replace(".", "/"))
    path = root / name[1:] if name.startswith(SYSFS) else in_proc
    try:
        text = " ".join(path.read_text(encoding="utf-8", errors="backslashreplace").split())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror}): run this step with `become`") from None
    chosen = CHOSEN.search(text) if name.startswith(SYSFS) else None
    return chosen[1] if chosen else text


def version(root, name):
    """The version of a module that is loaded, an empty text where it tells none; None for one that is not."""
    folder = root / "sys/module" / name.replace("-", "_")
    try:
        return (folder / "version").read_text(encoding="utf-8", errors="backslashreplace").strip()
    except OSError:
        return "" if folder.is_dir() else None


def _release(ctx, found, params):
    wanted, release = params["release"], found["release"]
    if wanted is None:
        return
    if ctx.check("release", fnmatchcase(release, wanted), eq=True) == "failed":
        yield f"the kernel is {release}, expected {wanted}: install that kernel and restart the host"


def _arguments(ctx, words, params):
    """Judge the command line; yields what is wrong. A word without `=` stands for any value."""
    there = {*words, *(word.partition("=")[0] for word in words)}
    lacks = [word for word in params["arguments"] if word not in there]
    extra = [word for word in params["no_arguments"] if word in there]
    if params["arguments"] and ctx.check("missing_arguments", len(lacks), "words", max=0) == "failed":
        yield f"the kernel was started without {' '.join(lacks)}: add it to the boot loader, and restart the host"
    if params["no_arguments"] and ctx.check("unwanted_arguments", len(extra), "words", max=0) == "failed":
        yield f"the kernel was started with {' '.join(extra)}: take it out of the boot loader, and restart the host"


def _settings(ctx, found, params):
    """Judge the settings; yields what is wrong."""
    for name, wanted in params["settings"].items():
        value, action = found[name], SET_IN_SYSFS if name.startswith(SYSFS) else SET
        if value is None:
            ctx.check(f"setting.{name}", "", ne="")
            yield f"the kernel has no setting {name}: load the module that has it, or correct the name"
        elif isinstance(wanted, dict):
            limits = {word: wanted[word] for word in LIMITS if word in wanted}
            if ctx.check(f"setting.{name}", _number(name, value), **limits) == "failed":
                told = ", ".join(f"{word} {limit}" for word, limit in limits.items())
                yield f"{name} is {value}, expected {told}: {action}"
        elif ctx.check(f"setting.{name}", value, eq=" ".join(str(wanted).split())) == "failed":
            yield f"{name} is {value}, expected {wanted}: {action}"


def _number(name, value):
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r}, and no number that `min` and `max` could judge") from None


def _modules(ctx, found, params):
    """Judge the modules; yields what is wrong."""
    for name, wanted in params["modules"].items():
        told = found[name]
        if ctx.check(f"module.{name}", told is not None, eq=True) == "failed":
            yield f"the module {name} is not loaded: `modprobe {name}`, and read the kernel's log"
        elif wanted and ctx.check(f"version.{name}", fnmatchcase(told, wanted), eq=True) == "failed":
            yield f"the module {name} has version {told or '(none)'}, expected {wanted}: install that driver"
    for name in params["no_modules"]:
        if ctx.check(f"no_module.{name}", found[name] is None, eq=True) == "failed":
            yield f"the module {name} is loaded: `modprobe -r {name}`, and keep it out in /etc/modprobe.d"
