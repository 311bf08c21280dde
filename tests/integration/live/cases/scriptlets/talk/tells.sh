#!/bin/sh
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck disable=SC1090
. "$RACK_SH"
rack_live sync both "$RACK_HOST" "$(rack_param other)" --timeout 100 >/dev/null
rack_live set seen.text_v1 "hello  $RACK_HOST"
rack_live lock port && rack_live increment uses_v1 --run >/dev/null && rack_live unlock port
rack_live send "done" "$RACK_HOST"
rack_live wait "done" --host "$(rack_param other)"
rack_set got.text_v1 "$(rack_live get seen.text_v1 --host "$(rack_param other)")"
rack_live once first && rack_set first.host_v1 "$RACK_HOST"
exit 0
