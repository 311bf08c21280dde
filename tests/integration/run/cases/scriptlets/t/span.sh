#!/bin/sh
# From when to when it held what it holds, in milliseconds since 1970.
start=$(date +%s%3N)
sleep "$RACK_PARAM_SECONDS"
printf '{"status": "ok", "outputs": {"t.span_v1": [%s, %s]}}\n' "$start" "$(date +%s%3N)"
