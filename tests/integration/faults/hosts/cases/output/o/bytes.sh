#!/bin/sh
# Every byte, among them NUL and what is no UTF-8; colours and a title as of terminals; half a surrogate pair.
i=0
while [ $i -lt 256 ]; do
  printf '%b' "\\0$(printf %03o $i)"
  i=$((i + 1))
done
printf '\n\033[31mred\033[0m \033]0;title\007 \355\240\200\n'
echo '{"status": "failed", "reason": "\u001b[31mred\u001b[0m \ud800 \u0000 <script>alert(1)</script> =1+1"}'
