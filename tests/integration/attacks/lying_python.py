# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's Python that was taken over: it runs the stage, and changes what it answers.

    python lying_python.py CASE PYTHON ARGUMENTS...

CASE is a JSON list of changes, each an object with one word of `CHANGES` and what it needs. Where a value is
`{"json": TEXT}`, that text stands in the answer as it is: also what is no JSON.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from zlib import crc32

DEEP = 3000
RAW = {
    "deep": "[" * DEEP + "]" * DEEP,
    "deep_object": '{"a":' * DEEP + "1" + "}" * DEEP,
    "large": '"' + "x" * 1_000_000 + '"',
    "huge": "1" + "0" * 400,
    "digits": "1" * 5000,
}
VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1", "0", "1", "0.5", "-0.5", "9223372036854775808", "1e308"),
    *("null", "true", "false", '""', '"x"', '"passed"', '"run"', '"r\\u0000x"', '"\\ud800"', '"\\u001b[2J\\n"'),
    *("[]", "{}", "[[]]", '{"":{}}', "[null]", '{"a":[NaN]}', '"2026-02-30T00:00:00Z"', '"../../x"', *RAW.values()),
]
KINDS = ("run", "end", "merge", "warning", "transfer", "clock", "log", "step", "delta", "artifact", "piece", "x", "")


def encoded(record, raw):
    text = json.dumps(record, ensure_ascii=False)
    for name, value in raw.items():
        text = text.replace(f'"{name}"', value)
    rest = text[1:].encode("utf-8", "surrogatepass")
    return b'\n{"_":"%08x%08x",%b\n' % (len(rest), crc32(rest), rest)


class Answer:
    """What the stage has answered: the records, and the status in the last line."""

    def __init__(self, stdout):
        head, self.mark, rest = re.split(rb"(rack\.recipes answer [^\n]*\n)", stdout, maxsplit=1)
        self.head = head
        lines = [line for line in rest.split(b"\n") if line]
        self.status = json.loads(lines.pop())
        self.records = [json.loads(line) for line in lines]
        for record in self.records:
            record.pop("_")
        self.raw = {}
        self.before, self.after = b"", b""

    def value(self, given):
        if isinstance(given, dict) and given.keys() == {"json"}:
            name = f"raw-{len(self.raw)}"
            self.raw[name] = RAW.get(given["json"], given["json"])
            return name
        return given

    def of(self, kind):
        return [record for record in self.records if record["kind"] == kind]

    def set(self, kind, path, value):
        for record in self.of(kind):
            place = record
            for part in path[:-1]:
                place = place[part]
            place[path[-1]] = self.value(value)

    def add(self, record):
        like = next((each for each in self.records if each["kind"] == record.get("like")), {})
        more = {name: self.value(value) for name, value in record.items() if name != "like"}
        self.records.insert(len(self.records) // 2, {**like, **more})

    def drop(self, kind):
        self.records = [record for record in self.records if record["kind"] != kind]

    def repeat(self, times):
        self.records *= times

    def reverse(self, _given):
        self.records.reverse()

    def say(self, status):
        self.status.update({name: self.value(value) for name, value in status.items()})

    def print(self, text):
        self.before += text.encode("latin-1")

    def cut(self, size):
        self.after = b"cut %d" % size

    def seed(self, number):
        """Some changes by chance; the same for the same number."""
        chance = random.Random(number)
        for _change in range(chance.randint(1, 3)):
            which = chance.random()
            record = chance.choice(self.records or [{}])
            if which < 0.6:
                path = chance.choice([path for path in places(record) if path] or [("kind",)])
                place = record
                for part in path[:-1]:
                    place = place[part]
                place[path[-1]] = self.value({"json": chance.choice(VALUES)})
            elif which < 0.7:
                self.add({**record, "kind": chance.choice(KINDS), "n": chance.randint(0, 99)})
            elif which < 0.75:
                chance.shuffle(self.records)
            elif which < 0.8:
                self.repeat(2)
            elif which < 0.85:
                self.records = [each for each in self.records if each is not record]
            elif which < 0.9:
                self.print(chance.choice(["\x00\xff\xfe\n", '\n{"state":1,"offset":[],"boot_id":0}\n', "x" * 100000]))
            elif which < 0.97:
                name = chance.choice(["offset", "boot_id", "clock", "reason", "concealed", "lost"])
                self.say({name: {"json": chance.choice(VALUES)}})
            else:
                self.cut(chance.randint(0, 2000))

    def text(self):
        records = b"".join(encoded(record, self.raw) for record in self.records)
        status = json.dumps(self.status)
        for name, value in self.raw.items():
            status = status.replace(f'"{name}"', value)
        whole = self.head + self.mark + self.before + records + b"\n" + status.encode() + b"\n"
        return whole[: len(whole) - int(self.after.split()[1])] if self.after else whole


def places(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, each in items for found in places(each, (*path, name)))]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123
        changes = json.load(file)
    request = sys.stdin.buffer.read()
    done = subprocess.run(sys.argv[2:], input=request, capture_output=True, check=False)
    sys.stderr.buffer.write(done.stderr)
    stdout = done.stdout
    if b"rack.recipes answer " in stdout:
        answer = Answer(stdout)
        for change in changes:
            for word, given in change.items():
                getattr(answer, word)(*given) if isinstance(given, list) else getattr(answer, word)(given)
        stdout = answer.text()
    sys.stdout.buffer.write(stdout)
    sys.stdout.flush()
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
