# The first process of the emulated machine: a server of NFS, a mount of it, and the job on that.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t sysfs s /sys; mount -t tmpfs t /run; mount -t tmpfs t /tmp; ip link set lo up
modprobe nfsd; modprobe nfs; mount -t nfsd nfsd /proc/fs/nfsd
mkdir -p /run/rpc_pipefs /var/lib/nfs/v4recovery /tmp/exported /mnt/batchd
mount -t tmpfs e /tmp/exported; chmod 0700 /tmp/exported
echo "/tmp/exported 127.0.0.1(rw,fsid=0,insecure,no_root_squash,no_subtree_check)" > /etc/exports
exportfs -a; rpc.mountd -N 2 -N 3; rpc.nfsd -N 3 -V 4.2 2
options=vers=4.2,softerr,timeo=10,retrans=1,lookupcache=positive,noatime
mount -t nfs4 -o $options 127.0.0.1:/ /mnt/batchd
cd /tmp && timeout 600 "$(cat /vm/python)" /vm/job.py 2>&1 | tee /vm/said
echo o > /proc/sysrq-trigger; sleep 5
