# SPDX-License-Identifier: GPL-3.0-or-later

"""Put a playbook of many hosts and tasks into ARA's database, by ARA's own models; ARA's Python runs this.

    ARA_BASE_DIR=FOLDER python ara_results.py HOSTS TASKS

Every fiftieth result has failed, as in `many_results.py`. What a task returned is as short as that of our steps.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

LINES = [f"line {number} of what the command has printed" for number in range(3)]


def packed(value: Any) -> bytes:
    """A value as ARA keeps it."""
    return zlib.compress(json.dumps(value).encode())


def fill(hosts: int, tasks: int) -> None:
    """Make the tables and fill them."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "ara.server.settings"
    django.setup()
    from ara.api import models
    from django.core.management import call_command
    from django.utils import timezone

    call_command("migrate", verbosity=0)
    began, empty = timezone.now(), packed({})
    when = {"started": began, "ended": began + timedelta(seconds=1), "duration": timedelta(seconds=1)}
    book = models.Playbook.objects.create(
        ansible_version="2.20", status="failed", path="/srv/bench.yml", arguments=empty, **when
    )
    content = models.FileContent.objects.create(sha1="0" * 40, contents=zlib.compress(b"- hosts: all"))
    file = models.File.objects.create(path="/srv/bench.yml", content=content, playbook=book)
    play = models.Play.objects.create(name="Bench", uuid=uuid4(), status="completed", playbook=book, **when)
    make = models.Host.objects.bulk_create
    found = make([models.Host(name=f"rack-{number:04}", facts=empty, playbook=book) for number in range(hosts)])
    common = {"action": "command", "lineno": 1, "tags": packed([]), "handler": False, "status": "completed", **when}
    steps = models.Task.objects.bulk_create(
        models.Task(name=f"step{number}", play=play, file=file, playbook=book, **common) for number in range(tasks)
    )
    returned = packed({"changed": True, "rc": 0, "stdout": "\n".join(LINES), "stdout_lines": LINES})
    place = {"play": play, "playbook": book, "content": returned, "changed": True, **when}
    models.Result.objects.bulk_create(
        (
            models.Result(host=host, task=task, status="ok" if (at + number) % 50 else "failed", **place)
            for at, host in enumerate(found)
            for number, task in enumerate(steps)
        ),
        batch_size=5000,
    )


if __name__ == "__main__":
    fill(*map(int, sys.argv[1:]))
