#!/bin/sh
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# A token of letters and digits needs no quoting.
token=$(cat "$RACK_PARAM_FILE")
echo "found $token"
echo "found $token in base64: $(printf %s "$token" | base64)" >&2
printf '{"status": "ok", "secrets": ["%s"], "outputs": {"c.shell_v1": "<%s>"}, ' "$token" "$token"
printf '"checks": [{"name": "n", "value": 1, "eq": 1}]}\n'
