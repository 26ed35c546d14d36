#!/usr/bin/env bash
# Process 1 of the user-mode Linux: an NFSv4.2 server on /dev/ubda, then what is tried.
export PATH="$LAB/bin:$LAB/deb/sbin:$LAB/deb/usr/sbin:$LAB/deb/usr/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LIBRARIES="$LAB/deb/lib/x86_64-linux-gnu:$LAB/deb/usr/lib/x86_64-linux-gnu"
exec 2>&1
mount -t proc proc /proc
mount -t sysfs sys /sys
for place in /run /mnt /var/lib; do mount -t tmpfs tmpfs $place; done
mkdir -p /mnt/d /mnt/s /mnt/t /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery /var/lib/nfs/sm
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
mount /dev/ubda /mnt/d
mkdir -m 777 /mnt/d/shared
export LD_LIBRARY_PATH=$LIBRARIES
ip link set lo up
if [ "${ENGINE:-nfs}" = gluster ]; then
  for module in fuse overlay veth; do modprobe -d "$LAB/modroot" $module || echo "modprobe $module failed"; done
  # Its parts are looked for where a package would have put them.
  mount -t overlay overlay -o "lowerdir=$LAB/deb/usr/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu" \
    /usr/lib/x86_64-linux-gnu
  # And it makes files in /tmp, where the lab may be, too.
  mkdir -p /mnt/t/gluster /mnt/o/upper /mnt/o/work
  mount -t overlay overlay -o lowerdir=/tmp,upperdir=/mnt/o/upper,workdir=/mnt/o/work /tmp
  printf '%s\n' 'volume posix' 'type storage/posix' 'option directory /mnt/d/shared' end-volume \
    'volume locks' 'type features/locks' 'subvolumes posix' end-volume \
    'volume brick' 'type performance/io-threads' 'subvolumes locks' end-volume \
    'volume server' 'type protocol/server' 'option transport-type tcp' 'option transport.address-family inet' \
    'option transport.socket.listen-port 24007' 'option auth.addr.brick.allow *' 'subvolumes brick' end-volume \
    >/mnt/t/gluster/server.vol
  glusterfsd -f /mnt/t/gluster/server.vol -p /mnt/t/gluster/server.pid -l /mnt/t/gluster/server.log
else
for module in sunrpc nfsd nfs nfsv4 veth; do modprobe -d "$LAB/modroot" $module || echo "modprobe $module failed"; done
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
exportfs -o rw,no_root_squash,no_subtree_check,fsid=0,insecure,sync '*:/mnt/d/shared'
rpc.mountd --no-udp -N 2 -p 20048
echo 10 >/proc/fs/nfsd/nfsv4leasetime
echo 10 >/proc/fs/nfsd/nfsv4gracetime
rpc.nfsd -N 3 -V 4 -V 4.2 8
sleep 0.3
echo Y >/proc/fs/nfsd/v4_end_grace
fi
unset LD_LIBRARY_PATH
export PYTHONDONTWRITEBYTECODE=1
timeout -k 5 "${LIMIT:-240}" python3 "$HERE/scenarios.py" ${SCENARIOS//,/ }
echo o >/proc/sysrq-trigger
sleep 5
