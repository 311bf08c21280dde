#!/bin/sh
echo x >> tries
if [ "$(wc -l < tries)" -lt 3 ]; then
  echo '{"status": "failed", "reason": "not yet"}'
else
  echo '{"status": "ok"}'
fi
