#!/bin/sh
echo "$RACK_PARAM_TEXT" >> "$RACK_PARAM_PATH"
echo '{"status": "ok"}'
