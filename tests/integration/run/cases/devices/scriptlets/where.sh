#!/bin/sh
touch "$STARTED"
echo '{"status": "ok"}'
