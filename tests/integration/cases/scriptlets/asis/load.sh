#!/bin/sh
echo "load 0.5 of 2"
