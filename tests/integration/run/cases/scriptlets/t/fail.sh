#!/bin/sh
echo "looked at the link" >&2
echo '{"status": "failed", "reason": "the link is down"}'
