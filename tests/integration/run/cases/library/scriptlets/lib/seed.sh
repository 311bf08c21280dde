#!/bin/sh
. "$RACK_SH"
rack_set_json lib.seed_v1 '{"n": 41, "text": "a \"b\" \\ é"}'
