#!/bin/sh
echo '{"status": "ok", "outputs": {"s.samples_v1": [1, 2, 3, 4, 100]}, "measurements": [{"name": "latency", "value": 2.5, "unit": "ms"}]}'
