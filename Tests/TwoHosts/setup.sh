#!/usr/bin/env bash
# Fetches a user-mode Linux, and what an NFS server needs, from Debian into $LAB. Nothing is installed on this machine.
set -euo pipefail
: "${LAB:?set LAB to a directory of its own}"
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$LAB"/{dl,deb,uml,bin,modroot/lib/modules}
cd "$LAB/dl"
packages=(user-mode-linux nfs-kernel-server nfs-common kmod libkmod2 keyutils libkeyutils1 libevent-2.1-7
  libevent-core-2.1-7 libgssapi-krb5-2 libnfsidmap1 libtirpc3 libwrap0 rpcbind dmsetup libdevmapper1.02.1 iproute2 libbpf1
  libelf1 libmnl0 libxtables12 libcap2-bin)
apt-get download -qq "${packages[@]}" 2>/dev/null || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }
if [ "${ENGINE:-nfs}" = gluster ]; then
  apt-get download -qq glusterfs-server glusterfs-client glusterfs-common glusterfs-cli libglusterfs0 libgfapi0 \
    libgfchangelog0 libgfrpc0 libgfxdr0 libglusterd0 liburcu8 libaio1 libacl1 libattr1 fuse3 libfuse3-3
fi
for package in *.deb; do
  case $package in
  user-mode-linux*) dpkg-deb -x "$package" ../uml ;;
  *) dpkg-deb -x "$package" ../deb ;;
  esac
done
for tool in depmod insmod lsmod modprobe; do ln -sf "$LAB/deb/bin/kmod" "$LAB/bin/$tool"; done
cp -a "$LAB"/uml/usr/lib/uml/modules/* "$LAB/modroot/lib/modules/"
export LD_LIBRARY_PATH="$LAB/deb/lib/x86_64-linux-gnu:$LAB/deb/usr/lib/x86_64-linux-gnu"
for version in "$LAB"/modroot/lib/modules/*; do "$LAB/bin/depmod" -b "$LAB/modroot" "$(basename "$version")"; done
compiler=$(command -v gcc || command -v cc || command -v clang)
"$compiler" -O2 -shared -fPIC -o "$LAB/ptrace-xstate.so" "$here/ptrace-xstate.c" -ldl
"$compiler" -O2 -shared -fPIC -o "$LAB/clock.so" "$here/clock.c" -ldl
cp "$LAB/uml/usr/bin/linux.uml" "$LAB/linux"
