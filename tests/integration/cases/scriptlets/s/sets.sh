#!/bin/sh
printf '{"status": "ok", "outputs": {"s.%s_v1": %s}}\n' "$RACK_PARAM_KEY" "$RACK_PARAM_VALUE"
