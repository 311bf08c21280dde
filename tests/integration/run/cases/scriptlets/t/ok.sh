#!/bin/sh
echo '{"status": "ok", "outputs": {"t.ok_v1": 1}}'
