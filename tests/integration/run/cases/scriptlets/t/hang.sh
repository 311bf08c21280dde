#!/bin/sh
sleep 4321 &
sleep 4321
