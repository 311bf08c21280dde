#!/bin/sh
# It knows nothing of rack.recipes.
echo "slowest: 900 RPM"
echo "slowest: 2400 RPM"
echo "model 1.10"
echo "checked ${RACK_PARAM_CHECKED:-nothing}" >&2
[ -z "$RACK_PARAM_BROKEN" ] || { echo "fan 3 stands still"; exit "$RACK_PARAM_BROKEN"; }
