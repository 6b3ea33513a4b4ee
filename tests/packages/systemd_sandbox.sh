#!/usr/bin/env bash
# systemd_sandbox.sh SCRIPT [FILE…]: boots systemd over a throwaway copy of this machine, runs SCRIPT in it as root with the
# files in /bring, and leaves nothing. Its exit status is that of SCRIPT. Needs root.
#
# An overlay of / in namespaces of its own, with a cgroup of its own. MemoryMax and TasksMax bind nothing in it.
set -eu
SCRIPT=$1; shift
B=$(mktemp -d); export B
mount -t tmpfs t "$B"; mkdir "$B"/{up,work,root,cg} "$B/up/bring"
[ $# = 0 ] || cp "$@" "$B/up/bring"
mount -t cgroup2 c "$B/cg"; C=$B/cg/sd-$$; mkdir "$C"
(echo $BASHPID >"$C/cgroup.procs"; exec unshare -mpfiunC --kill-child --propagation private bash -euc '
 mount -t overlay o -o lowerdir=/,upperdir=$B/up,workdir=$B/work $B/root; cd $B/root; : >etc/machine-id
 mount -t proc p proc; mount -t sysfs s sys; mount -t cgroup2 c sys/fs/cgroup; ip link set lo up
 for d in run tmp dev; do mount -t tmpfs $d $d; done; mkdir dev/pts dev/shm; mount -t tmpfs s dev/shm
 for d in null zero full random urandom tty; do touch dev/$d; mount --bind /dev/$d dev/$d; done
 mount -t devpts -o newinstance,ptmxmode=666 d dev/pts; ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
 pivot_root . mnt; umount -l /mnt; mount --make-rshared /
 exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other /lib/systemd/systemd --show-status=0 systemd.unit=basic.target') &
U=$!
L=
end() {
    status=$?
    set +e
    kill -KILL $U $L; wait $U
    until grep -q "populated 0" "$C/cgroup.events"; do sleep .1; done
    find "$C" -depth -type d -exec rmdir {} +
    umount "$B/cg" "$B"; rmdir "$B"
    exit $status
} 2>/dev/null
trap end EXIT
for _ in $(seq 600); do
    L=$(pgrep -P $U || true)
    [ -n "$L" ] && nsenter -t "$L" -a systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && break
    sleep .1
done
nsenter -t "$L" -a bash -euc "$(cat "$SCRIPT")"
