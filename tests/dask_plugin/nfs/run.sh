#!/usr/bin/env bash
# A spool on a real NFS 4.2 mount, whose server goes away: in an emulated machine with Debian's kernel, since few build
# machines may mount one. Needs root and apt; takes some eight minutes, and leaves nothing behind. `make nfs-guest`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PYTHON=$1 here
exec unshare --mount --propagation private bash -euc '
  top=$(mktemp -d); mount -t tmpfs top "$top"; mkdir "$top"/{up,work,root}; root=$top/root
  mount -t overlay overlay -o lowerdir=/,upperdir="$top/up",workdir="$top/work" "$root"
  mkdir -p "$root/vm"; cp "$here"/guest.sh "$here"/job.py "$here"/host.sh "$root/vm"; echo "$PYTHON" > "$root/vm/python"
  for each in proc dev sys; do mount --rbind "/$each" "$root/$each"; done; mount -t tmpfs run "$root/run"
  exec chroot "$root" bash /vm/host.sh'
