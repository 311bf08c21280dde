#!/bin/sh
echo "the first line" >&2
exec yes "still here" >&2
