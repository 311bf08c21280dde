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
{ IFS= read -r device && read -r size used free && IFS= read -r mount; } <<END || rack_error "df knows no file system for $path"
$(LC_ALL=C df -P -k -- "$path" | LC_ALL=C sed -nE "1!s/ +([0-9]+ +[0-9]+ +-?[0-9]+) +[0-9-]+%? +/\\
\\1\\
/p")
END
percent=$(rack_percent "$used" $((used + free))) # as df has it: what is reserved for root is neither used nor free
rack_set_fields disk.usage_v1 path="$path" mount="$mount" device="$device" size_bytes:=$((size * 1024)) \
  used_bytes:=$((used * 1024)) available_bytes:=$((free * 1024)) used_percent:="$percent"
rack_check disk_used "$percent" % max="$(rack_param max_percent)"
