#!/bin/sh
# Its grandchild is in a session of its own, has no environment and does not mind being asked to end.
(env -i setsid sh -c "trap '' TERM HUP; while :; do sleep 0.$RACK_PARAM_SIGN; done" &)
sleep "600.$RACK_PARAM_SIGN"
