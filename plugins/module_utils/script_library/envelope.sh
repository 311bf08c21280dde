#!/bin/sh
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs a script that records its results by rack.sh or rack.awk, and prints them as the envelope when it has ended,
# however it ended: by itself, under `set -e`, with traps of its own, or as another program (`exec`).
#
#     sh envelope.sh INTERPRETER SCRIPT
#
# The executor starts every script with the library like this. RACK_OUT is the file of the records, RACK_IN that of the
# parameters and of the context. By hand neither is needed.
folder=$(cd -- "${0%/*}" && pwd) || exit
RACK_SH=$folder/rack.sh RACK_AWK=$folder/rack.awk RACK_WORK=$PWD
export RACK_SH RACK_AWK RACK_WORK
if [ -z "${RACK_OUT-}" ]; then
  RACK_OUT=$(mktemp) || exit
  export RACK_OUT
  trap 'rm -f -- "$RACK_OUT"' EXIT
fi
trap : HUP INT TERM # the script gets the signal as well, and may clean up first

"$@"
code=$?
LC_ALL=C awk -f "$folder/json.awk" -- envelope "$code"
exit "$code"
