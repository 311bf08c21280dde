#!/bin/sh
# shellcheck disable=SC1090
. "$RACK_SH"
rack_set_json lib.seed_v1 '{"n": 41, "text": "a \"b\" \\ é"}'
