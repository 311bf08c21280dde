#!/bin/sh
# The first process of a node: node_init.sh NAME FOLDER FILES
#
# It makes the node a root of its own over that of the machine, puts the node's FILES into it, waits for a line on
# stdin (the cables are in then), starts the node's services, prints "up", and reaps what ends.
set -eu
name=$1 folder=$2 files=$3

hostname "$name"
mount -t tmpfs -o mode=755 node "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" node root
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --bind /dev dev
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
cp -R "$files/." .
# The parts of a server stay what they are when it starts anew.
if [ -d srv/parts ]; then
  mount --bind "$files/srv/parts" srv/parts
fi
mkdir -p .old
pivot_root . .old
umount -l /.old
cd /
mount --bind /etc/rack/boot_id /proc/sys/kernel/random/boot_id

read -r _
sh -e /etc/rack/start </dev/null >/var/log/rack-start.log 2>&1 || {
  echo "failed: $(tail -n 1 /var/log/rack-start.log)"
  exit 1
}
echo up
exec </dev/null >/dev/null 2>&1
while :; do
  sleep 3600 &
  wait $! || :
done
