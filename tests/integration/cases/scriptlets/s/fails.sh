#!/bin/sh
echo '{"status": "failed", "reason": "the link is down"}'
