# In a throwaway view of this machine: install a kernel and an emulator, and boot it over the same view.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends qemu-system-x86 linux-image-cloud-amd64 busybox-static kmod cpio nfs-kernel-server >/dev/null
kernel=$(basename "$(ls -d /lib/modules/*cloud* | tail -1)")
cd /tmp && mkdir -p initrd/bin initrd/m && cp /bin/busybox initrd/bin
for module in virtio_pci virtiofs overlay; do modprobe -S "$kernel" --show-depends "$module" | awk '/insmod/ {print $2}'; done |
    awk '!seen[$0]++' | while read -r file; do cp "$file" initrd/m; basename "$file" >> initrd/list; done
cat > initrd/init <<'END'
#!/bin/busybox sh
B=/bin/busybox; $B mkdir -p /proc /dev /lo /up /new; $B mount -t proc p /proc; $B mount -t devtmpfs d /dev
for m in $($B cat /list); do $B insmod /m/$m; done
$B mount -t virtiofs root /lo; $B mount -t tmpfs t /up; $B mkdir /up/u /up/w
$B mount -t overlay o -o lowerdir=/lo,upperdir=/up/u,workdir=/up/w /new; $B mount --bind /lo/vm /new/vm
for d in proc dev; do $B mount --move /$d /new/$d; done; exec $B switch_root /new /bin/bash /vm/guest.sh
END
chmod +x initrd/init && (cd initrd && find . | cpio -o -H newc 2>/dev/null | gzip -1) > image
/usr/lib/qemu/virtiofsd --socket-path=/tmp/socket -o source=/ -o sandbox=chroot -o cache=auto --rlimit-nofile=0 >/tmp/virtiofsd.log 2>&1 &
sleep 1
timeout 900 qemu-system-x86_64 -accel tcg,thread=multi -smp 2 -cpu max -m 1500 \
    -object memory-backend-memfd,id=m,size=1500M,share=on -numa node,memdev=m -chardev socket,id=c,path=/tmp/socket \
    -device vhost-user-fs-pci,chardev=c,tag=root -nic none -nographic -no-reboot -kernel "/boot/vmlinuz-$kernel" \
    -initrd image -append "console=ttyS0 quiet panic=-1" < /dev/null
grep -q "^all is well" /vm/said
