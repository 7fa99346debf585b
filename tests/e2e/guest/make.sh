#!/bin/bash
# Makes what a guest boots from, of Debian 12's packages: vmlinuz, initrd, root.img, and libraries, the names of the shared
# libraries that its root has. As root.
# usage: tests/e2e/guest/make.sh FOLDER
# Exit 75: the packages cannot be had here.
set -euo pipefail

guest=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d "$folder/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
PATH=$PATH:/usr/sbin:/sbin

# Packages come from where this machine's own come from.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
  sed -n 's/ bookworm main$//p' | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}
packages=systemd-sysv,python3-minimal,libpython3-stdlib
mkdir debs root
fetch() {
  apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || apt-get -q update || return 1
  kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
  apt-get -q -o APT::Sandbox::User=root download "$kernel" busybox-static || return 1
  debootstrap --variant=minbase --include="$packages" --cache-dir="$PWD/debs" --download-only bookworm root "$mirror"
}
if ! fetch >log 2>&1; then
  tail -n 3 log >&2
  exit 75
fi

# The guest's root. What it says of itself is written to a disk that is thrown away: no need to wait for ours.
mkdir -p root/etc/dpkg/dpkg.cfg.d
echo force-unsafe-io >root/etc/dpkg/dpkg.cfg.d/unsafe-io
if ! debootstrap --variant=minbase --include="$packages" --cache-dir="$PWD/debs" bookworm root "$mirror" >>log 2>&1; then
  tail -n 20 log root/debootstrap/debootstrap.log >&2
  exit 1
fi
rm -rf root/var/cache/apt root/var/lib/apt/lists root/usr/share/{doc,man,locale,i18n}
ls root/usr/lib/x86_64-linux-gnu >libraries

# The kernel and an initial file system with the modules it needs to find its disks, and for images.
for package in ./*.deb; do dpkg-deb -x "$package" unpacked; done
mkdir -p initial/{bin,modules,dev,proc,sys,root}
cp unpacked/bin/busybox initial/bin/
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk overlay; do
  find unpacked/lib/modules -name "$module.ko" -exec cp {} initial/modules/ \;
  echo "$module" >>initial/modules/order
done
cp "$guest/init" initial/
(cd initial && find . | cpio -o -H newc -R 0:0 --quiet | zstd -q -3) >initrd
cp unpacked/boot/vmlinuz-* vmlinuz

truncate -s 1G root.img
mke2fs -q -F -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -d root root.img
mv vmlinuz initrd root.img libraries "$folder/"
