#!/bin/sh
read -r given
echo "given $given" >&2
printf '{"status": "ok", "outputs": {"s.length_v1": %s}}\n' "$(printf %s "$given" | grep -c password)"
