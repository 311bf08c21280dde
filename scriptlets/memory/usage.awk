# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Memory and swap in use, from /proc/meminfo. See usage.yml.

function field(name) {
    return sprintf("%.0f", kib[name] * 1024)
}

BEGIN {
    path = ENVIRON["RACK_PARAM_PATH"]
    if (path == "")
        path = "/proc/meminfo"
    while ((getline line < path) > 0) {
        split(line, part, /[: ]+/)
        kib[part[1]] = part[2]
    }
    if (!("MemTotal" in kib) || !("MemAvailable" in kib)) {
        printf "{\"status\": \"error\", \"reason\": \"no MemTotal and MemAvailable to read from meminfo\", \"exit_code\": 1}\n"
        exit 1
    }
    used = kib["MemTotal"] - kib["MemAvailable"]
    percent = 100 * used / kib["MemTotal"]
    limit = ENVIRON["RACK_PARAM_MAX_PERCENT"]
    verdict = "\"status\": \"ok\""
    measured = sprintf("{\"name\": \"memory_used\", \"value\": %.2f, \"unit\": \"%%\"", percent)
    measured = limit == "" ? "\"measurements\": [" measured "}]" : sprintf("\"checks\": [%s, \"max\": %.10g}]", measured, limit)
    if (limit != "" && percent > limit + 0)
        verdict = sprintf("\"status\": \"failed\", \"reason\": \"%.2f %% of the memory is in use, more than %s %%\"", percent, limit)
    printf "{%s, \"outputs\": {\"memory.usage_v1\": {\"total_bytes\": %s, \"available_bytes\": %s, \"used_bytes\": %.0f, \"used_percent\": %.2f, \"swap_total_bytes\": %s, \"swap_free_bytes\": %s}}, %s}\n", \
        verdict, field("MemTotal"), field("MemAvailable"), used * 1024, percent, field("SwapTotal"), field("SwapFree"), measured
}
