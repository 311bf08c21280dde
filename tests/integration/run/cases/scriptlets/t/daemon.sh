#!/bin/sh
sleep 4321 &
echo '{"status": "ok"}'
