#!/bin/sh
# The executor that runs this step is its parent.
kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$PPID/status")
printf '{"status": "ok", "outputs": {"o.peak_kib_v1": %s}}\n' "$kib"
