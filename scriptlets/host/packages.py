# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether packages are installed, in the expected versions."""

from __future__ import annotations

import shutil
from fnmatch import fnmatchcase

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import completed, run

DPKG = ("dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${db:Status-Status}\n", "--")
RPM = ("rpm", "--query", "--queryformat", "%{NAME}\t%{VERSION}-%{RELEASE}\tinstalled\n", "--")


class HostPackages(Scriptlet):
    """The packages in `wanted` (NAME -> pattern of the version, an empty text for any), and `unwanted` ones.

    Versions are those of `dpkg-query` (Debian and its like), or VERSION-RELEASE of `rpm` (Fedora, SUSE and their
    like).
    """

    options = {
        "wanted": {
            "type": "dict",
            "default": {},
            "description": "NAME -> pattern of the version, an empty text for any",
        },
        "unwanted": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Packages that must not be installed",
        },
    }
    reads = ()
    writes = {"host.packages_v1": "For each package its version, null where it is not installed"}
    needs = ("dpkg or rpm",)
    verdicts = {
        "failed": "a package is missing, has another version, or is not wanted",
        "error": "there is neither dpkg nor rpm, or nothing to check",
    }
    example = """
        - name: packages
          module: host.packages
          args:
            wanted: {openssh-server: "", chrony: "4.*"}
    """

    def validate(self, ctx, params):
        if not params["wanted"] and not params["unwanted"]:
            raise ValueError("nothing to check: say which packages are `wanted` or `unwanted`")

    def run(self, ctx, params):
        names = sorted({*params["wanted"], *params["unwanted"]})
        found = installed(ask(names))
        ctx.set("host.packages_v1", {name: found.get(name) for name in names})
        wrong = [said for name, wanted in params["wanted"].items() for said in _judge(ctx, name, found, wanted)]
        wrong += [said for name in params["unwanted"] for said in _judge_unwanted(ctx, name, found)]
        if wrong:
            raise Failed("; ".join(wrong))


def ask(names):
    """What the host's package manager prints of packages. Raises ValueError where it has neither."""
    if shutil.which("dpkg-query"):
        run(("dpkg-query", "--show", "--", "dpkg"))  # a database that cannot be read is an error, not an empty one
        return completed((*DPKG, *names)).stdout
    return run((*RPM, *names), exit_codes=range(256)) if run(("rpm", "--query", "rpm")) else ""


def installed(text):
    """NAME -> version of each package that is installed; of one that is there more than once, the last."""
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") == 2]
    return {name: version for name, version, status in rows if status == "installed"}


def _judge(ctx, name, found, wanted):
    """Judge one package; yields what is wrong with it."""
    version = found.get(name)
    if ctx.check(f"installed.{name}", version is not None, eq=True) == "failed":
        yield f"{name} is not installed: install it"
    elif wanted and ctx.check(f"version.{name}", fnmatchcase(version, str(wanted)), eq=True) == "failed":
        yield f"{name} has version {version}, expected {wanted}: install that version"


def _judge_unwanted(ctx, name, found):
    if ctx.check(f"not_installed.{name}", name not in found, eq=True) == "failed":
        yield f"{name} is installed ({found[name]}): remove it"
