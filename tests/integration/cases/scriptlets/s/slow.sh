#!/bin/sh
sleep 0.15
printf '{"status": "ok", "outputs": {"s.%s_v1": %s}}\n' "$RACK_PARAM_KEY" "$RACK_PARAM_VALUE"
