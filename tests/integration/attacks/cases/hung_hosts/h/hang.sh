#!/bin/sh
# From now on whoever logs in to this host waits for ever. The stage goes on.
touch "$HOME/hung"
sleep "${RACK_PARAM_SECONDS:-0}"
echo '{"status": "ok", "outputs": {"h.hang_v1": 1}}'
