#!/bin/sh
echo '{"status": "ok"}'
echo "and one word more"
