#!/bin/sh
echo '{"status": "ok"}'
