#!/bin/sh
echo '{"status": "ok", "outputs": {"o.first_v1": 1}}'
echo '{"status": "failed", "reason": "the second counts"}'
