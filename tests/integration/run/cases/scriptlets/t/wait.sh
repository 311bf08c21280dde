#!/bin/sh
sleep "$RACK_PARAM_SECONDS"
echo '{"status": "ok"}'
