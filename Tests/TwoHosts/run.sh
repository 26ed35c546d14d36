#!/usr/bin/env bash
# Two hosts on one network file system, on one machine:  SPOOL=.build/release/spool Tests/TwoHosts/run.sh [SCENARIO…]
#
# A user-mode Linux from Debian's packages is a real kernel run as an ordinary process. In it are an NFSv4.2 server on a disk
# image and two hosts, `a` and `b`, each with its own network, hostname, process numbers, boot id, machine id and mount. It boots
# in seconds, sees this machine's files read-only (so it runs the binaries that were built here), and needs root for the packages
# and mkfs only. It has one processor: it shows what is right, not what is fast.
#
#   setup.sh          fetches the kernel and the server's tools into $LAB (made once, kept between runs)
#   init.sh           process 1 of that kernel: server, networks; then scenarios.py
#   lab.py            the hosts as Python sees them: run, start, kill, reboot, cut the network, set the clock
#   scenarios.py      what is tried, and judged by what the clients saw
#   tasks.py, doctors.py, users.py
#                     the same for tasks, for doctors, and for a spool that several Unix users share
#   figures.py        what is measured; not run by CI:  Tests/TwoHosts/run.sh figures [noticed] [idle]
#   portmap.py        what an NFSv3 server asks before it serves, for a mount whose locks are its own
#   speed.c           how much slower than the machine's the lab's processor is
#   clock.c           preloaded, sets a host's wall clock off by $CLOCK_OFF seconds
#   ptrace-xstate.c   preloaded, lets that kernel run on processors with more state than it knows of
#
# ENGINE=gluster takes GlusterFS from Debian in place of NFS: one brick, and each host's client through FUSE.
# $OPTIONS adds mount options (OPTIONS=,actimeo=60), $LIMIT the seconds after which the lab is given up (240).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export ENGINE=${ENGINE:-nfs} LAB=${LAB:-${TMPDIR:-/tmp}/nanospool-lab.${ENGINE:-nfs}}
SPOOL=$(realpath "${SPOOL:-$here/../../.build/release/spool}")
# Of the debug build, which is linked dynamically: for hosts whose clocks are off.
DEBUG=$(realpath "${DEBUG:-$here/../../.build/debug/spool}")
[ -x "$LAB/linux" ] || flock "${TMPDIR:-/tmp}/nanospool-lab.lock" bash "$here/setup.sh"
if [ "${1:-}" = figures ]; then
  gcc -O2 -o "$LAB/speed" "$here/speed.c"
  empty=$(mktemp -d /dev/shm/nanospool-speed.XXXXXX)
  SPEED=$("$LAB/speed" "$empty" | tr " " ,)
  rmdir "$empty"
fi
run=$(mktemp -d "$LAB/run.XXXXXX")
trap 'rm -rf "$run"' EXIT
truncate -s 600M "$run/disk.img"
mkfs.ext4 -q -F "$run/disk.img"
# Its memory is a file, and best one that is in memory itself.
status=0
TMPDIR=$run LD_PRELOAD="$LAB/ptrace-xstate.so" timeout -k 5 "$((${LIMIT:-240} + 20))" nice "$LAB/linux" \
  "ubd0=$run/disk.img" root=/dev/root rootfstype=hostfs rootflags=/ ro mem="${MEM:-768M}" init="$here/init.sh" \
  con=null con0=fd:0,fd:1 ssl=null quiet LAB="$LAB" HERE="$here" SPOOL="$SPOOL" DEBUG="$DEBUG" SPEED="${SPEED:-}" LIMIT="${LIMIT:-240}" OPTIONS="${OPTIONS:-}" ENGINE="$ENGINE" \
  SCENARIOS="$(IFS=,; echo "$*")" </dev/null >"$run/out" 2>&1 || status=$?
grep -vE 'SELinux|mmapper_init|^sysrq|^reboot|can.t open /etc/exports' "$run/out" | tr -d '\r' || true
if ! grep -qE '^[0-9]+ passed, 0 failed' "$run/out"; then
  echo "the two hosts: not all passed (status $status)" >&2
  exit 1
fi
