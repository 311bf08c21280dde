#!/bin/sh
# Stops the SSH server of this host with all of its connections.
all=$(ps -eo pid=,ppid=,comm= | awk -v root="$RACK_PARAM_SERVER" '
  { parent[$1] = $2; name[$1] = $3 }
  END { for (p in parent) { q = p; while (q && q != root) q = parent[q]; if (q == root && name[p] ~ /^sshd/) print p } }')
# shellcheck disable=SC2086 # numbers
kill -STOP $all
echo '{"status": "ok", "outputs": {"h.stop_v1": 1}}'
