#!/bin/sh
echo "the first line"
yes "$(printf 'x%.0s' $(seq 200))" | head -c "$((RACK_PARAM_MB * 1000000))"
echo
echo "the line before the last"
echo '{"status": "ok"}'
