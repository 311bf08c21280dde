#!/bin/sh
printf '{"status": "ok", "outputs": {"t.echo_v1": %s}}\n' "$RACK_PARAM_VALUE"
