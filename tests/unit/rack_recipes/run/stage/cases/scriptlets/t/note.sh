#!/bin/sh
echo "{\"status\": \"ok\", \"outputs\": {\"t.hook_v1\": \"$RACK_PARAM_TEXT\"}}"
