#!/bin/sh
# Characters of three bytes behind so many of one, so that a cut of any place falls into the middle of one.
printf 'aaa' | head -c "$RACK_PARAM_BEFORE"
yes '€€€€€€€€€€€€€€€€€€€€' | tr -d '\n' | head -c 300000
printf 'aaa\n' | tail -c "$((4 - RACK_PARAM_BEFORE))"
echo '{"status": "ok"}'
