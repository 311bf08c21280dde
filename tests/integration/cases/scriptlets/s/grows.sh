#!/bin/sh
echo x >> size
printf '{"status": "ok", "outputs": {"s.size_v1": %s}}\n' "$(wc -l < size)"
