#!/usr/bin/env bash
# Becomes the first process of a host: systemd with a journal and a bus, and everything of this machine on top of which
# it writes into memory. Runs in new mount, PID, UTS, IPC and cgroup namespaces.
#
#   _boot_host.sh NAME STORE SHARED...
#
# STORE is an empty folder; the SHARED folders are those of this machine itself, at the same place.
set -euo pipefail

name=$1 store=$2
shift 2
mount -t tmpfs -o mode=0755 host "$store"
mkdir "$store"/{upper,work,root}
root=$store/root
mount -t overlay -o "lowerdir=/,upperdir=$store/upper,workdir=$store/work" host "$root"
mount -t proc proc "$root/proc"
# Read-only, which tells what is started that nobody watches devices here.
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in run tmp var/log var/tmp dev; do mount -t tmpfs -o mode=0755 host "$root/$folder"; done
chmod 1777 "$root/tmp" "$root/var/tmp"
mkdir -p "$root"/dev/{net,shm,pts} "$root/run/openvpn-server"
mount -t tmpfs -o mode=1777 host "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty net/tun; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
for folder in "$@"; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
# Of what this machine runs, the host runs nothing, and it reads none of its configurations.
rm -rf "$root"/etc/systemd/system/* "$root"/etc/openvpn "$root"/etc/privatespace "$root"/etc/network/interfaces.d
mkdir -p "$root"/etc/openvpn/{server,client} "$root/etc/privatespace"
echo "$name" >"$root/etc/hostname"
# What otherwise comes first would set kernel parameters, which are those of this machine, too.
for unit in /lib/systemd/system/{sysinit,local-fs}.target.wants/*.{service,mount,automount}; do
    [ "${unit##*/}" = systemd-journald.service ] || ln -s /dev/null "$root/etc/systemd/system/${unit##*/}"
done
cat >"$root/etc/systemd/system/host.target" <<'UNIT'
[Unit]
Description=A host with nothing but what is put on it
Requires=systemd-journald.service dbus.socket
After=systemd-journald.service dbus.socket
AllowIsolate=yes
UNIT
cd "$root"
mkdir .before
pivot_root . .before
umount --lazy /.before
export container=privatespace-bench
exec /lib/systemd/systemd --system --unit=host.target --log-target=journal --show-status=no
