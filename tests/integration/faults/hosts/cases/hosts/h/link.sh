#!/bin/sh
# Takes the link away over which it was started.
ip link set uplink down
sleep "$RACK_PARAM_SECONDS"
ip link set uplink up
echo '{"status": "ok", "outputs": {"h.link_v1": "up"}}'
