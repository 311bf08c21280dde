#!/bin/sh
# Leaves no page free on the disk that a file is on; nothing to do without one.
[ -z "$RACK_PARAM_PATH" ] || cat /dev/zero >"$RACK_PARAM_PATH" 2>/dev/null
echo '{"status": "ok"}'
