# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Memory and swap in use, from /proc/meminfo. See usage.yml.

function set(name, bytes) {
    rack_field_number("memory.usage_v1", name, bytes)
}

BEGIN {
    path = rack_param("path", "/proc/meminfo")
    while ((getline line < path) > 0) {
        split(line, part, /[: ]+/)
        bytes[part[1]] = part[2] * 1024
    }
    if (!("MemTotal" in bytes) || !("MemAvailable" in bytes))
        rack_error("no MemTotal and MemAvailable to read from meminfo")
    used = bytes["MemTotal"] - bytes["MemAvailable"]
    percent = rack_percent(used, bytes["MemTotal"])
    limit = rack_param("max_percent")
    set("total_bytes", bytes["MemTotal"])
    set("available_bytes", bytes["MemAvailable"])
    set("used_bytes", used)
    set("used_percent", percent)
    set("swap_total_bytes", bytes["SwapTotal"])
    set("swap_free_bytes", bytes["SwapFree"])
    rack_check("memory_used", percent, "%", "max=" limit)
    if (limit != "" && percent + 0 > limit + 0)
        rack_fail(sprintf("%.2f %% of the memory is in use, more than %s %%", percent, limit))
}
