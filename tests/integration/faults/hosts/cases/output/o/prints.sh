#!/bin/sh
# Many lines in many writes, beside others that do the same.
i=0
while [ $i -lt 100 ]; do
  printf '%s says ' "$RACK_STEP"
  printf '%s\n' "$i"
  echo "$RACK_STEP logs $i" >&2
  i=$((i + 1))
done
echo '{"status": "ok"}'
