#!/bin/sh
while [ ! -e "$RACK_PARAM_PATH" ]; do sleep 0.1; done
echo '{"status": "ok"}'
