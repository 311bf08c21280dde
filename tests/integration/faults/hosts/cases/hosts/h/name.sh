#!/bin/sh
printf '{"status": "ok", "outputs": {"h.name_v1": "%s"}}\n' "$RACK_PARAM_NAME"
