#!/bin/sh
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Usage of the file system that holds a path, by POSIX df. See usage.yml.
# shellcheck disable=SC1090
. "$RACK_SH"
path=$(rack_param path)
# The name of a device or of a mount can hold blanks, so the numbers between them are what to look for.
numbers=' \{1,\}\([0-9]\{1,\} \{1,\}[0-9]\{1,\} \{1,\}-\{0,1\}[0-9]\{1,\}\) \{1,\}[0-9-]\{1,\}%\{0,1\} \{1,\}'
{ IFS= read -r device && read -r size used free && IFS= read -r mount; } <<END || rack_error "df knows no file system for $path"
$(LC_ALL=C df -P -k -- "$path" | LC_ALL=C sed -n "1!s/$numbers/\\
\\1\\
/p")
END
# As df rounds: what is reserved for root counts neither as used nor as free.
all=$((used + free > 0 ? used + free : 1)) percent=$(((10000 * used + all / 2) / all))
percent=$((percent / 100)).$((percent / 10 % 10))$((percent % 10))
rack_set_fields disk.usage_v1 path="$path" mount="$mount" device="$device" size_bytes:=$((size * 1024)) \
  used_bytes:=$((used * 1024)) available_bytes:=$((free * 1024)) used_percent:="$percent"
rack_check disk_used "$percent" % max="$(rack_param max_percent)"
