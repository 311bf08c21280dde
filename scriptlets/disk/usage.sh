#!/bin/sh
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Usage of the file system that holds a path, by POSIX df. See usage.yml.
LC_ALL=C
export LC_ALL
path=${RACK_PARAM_PATH:-/}

# Where df fails it has told stderr why, and the table lacks its line.
table=$(df -P -k -- "$path") || :

printf '%s\n' "$table" | PATH_ASKED=$path LIMIT=${RACK_PARAM_MAX_PERCENT-} awk '
function quote(text,    i, letter, quoted) {
    for (i = 1; i <= length(text); i++) {
        letter = substr(text, i, 1)
        quoted = quoted (letter ~ /[[:cntrl:]]/ ? "?" : letter == "\\" || letter == "\"" ? "\\" letter : letter)
    }
    return "\"" quoted "\""
}
# The name of a device or of a mount can hold blanks, so the numbers between them are what to look for.
NR > 1 && match($0, / +[0-9]+ +[0-9]+ +-?[0-9]+ +([0-9]+%|-) +/) {
    device = substr($0, 1, RSTART - 1)
    mount = substr($0, RSTART + RLENGTH)
    split(substr($0, RSTART, RLENGTH), blocks, " ")
    found = 1
}
END {
    if (!found) {
        printf "{\"status\": \"error\", \"reason\": %s, \"exit_code\": 1}\n", quote("df knows no file system for " ENVIRON["PATH_ASKED"])
        exit 1
    }
    used = blocks[2]; free = blocks[3]
    # As df rounds: what is reserved for root counts neither as used nor as free.
    percent = used + free > 0 ? 100 * used / (used + free) : 0
    value = sprintf("{\"path\": %s, \"mount\": %s, \"device\": %s, \"size_bytes\": %.0f, \"used_bytes\": %.0f, \"available_bytes\": %.0f, \"used_percent\": %.2f}", \
        quote(ENVIRON["PATH_ASKED"]), quote(mount), quote(device), blocks[1] * 1024, used * 1024, free * 1024, percent)
    limit = ENVIRON["LIMIT"]
    verdict = "\"status\": \"ok\""
    measured = sprintf("{\"name\": \"disk_used\", \"value\": %.2f, \"unit\": \"%%\"", percent)
    measured = limit == "" ? "\"measurements\": [" measured "}]" : sprintf("\"checks\": [%s, \"max\": %.10g}]", measured, limit)
    if (limit != "" && percent > limit + 0)
        verdict = sprintf("\"status\": \"failed\", \"reason\": %s", quote(sprintf("%s is %.2f %% full, more than %s %%", mount, percent, limit)))
    printf "{%s, \"outputs\": {\"disk.usage_v1\": %s}, %s}\n", verdict, value, measured
}'
