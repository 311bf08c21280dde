#!/bin/sh
# Gives the number that it is asked for, after a while.
echo "this is the log" >&2
echo "gives $RACK_PARAM_VALUE"
sleep "$RACK_PARAM_SLEEP"
printf '{"status": "ok", "outputs": {"t.value_v1": %s}}\n' "$RACK_PARAM_VALUE"
