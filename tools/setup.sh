#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Find out what is missing for a purpose and install it: Debian packages through apt (sudo when
# not root), the guest kernel unpacked under build/. Nothing else outside the repository changes.
#
#   tools/setup.sh build|check|run|dist|test|nightly|bench
#
# Fast and silent when nothing is missing. KENSHO_NO_INSTALL=1 only reports.

set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-run}

build_pkgs="gcc binutils libc6-dev python3"
check_pkgs="$build_pkgs cppcheck clang-format libcmocka-dev libzydis-dev libunicorn-dev"
dist_pkgs="$build_pkgs git grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools"
image_pkgs="$dist_pkgs busybox-static"
bochs_pkgs="$image_pkgs bochs bochs-term bochsbios vgabios" # bochs-term: the smallest of its screens
run_pkgs=$bochs_pkgs
# Where nested VMX is there and ours `make run` uses QEMU/KVM (tools/emu.py decides by the same facts).
if [ -z "${BOCHS:-}" ] && [ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -qw vmx /proc/cpuinfo &&
	grep -qs '[Y1]' /sys/module/kvm_intel/parameters/nested; then
	run_pkgs="$image_pkgs qemu-system-x86"
	[ "${UEFI:-}" != 1 ] || run_pkgs="$run_pkgs ovmf"
fi
test_pkgs="$check_pkgs $bochs_pkgs $run_pkgs clang clang-tidy libclang-rt-14-dev qemu-system-x86 seabios ovmf"

say() { printf 'setup: %s\n' "$*"; }
die() {
	printf 'setup: %s\n' "$@" >&2
	exit 1
}

case $purpose in
build) wanted=$build_pkgs ;;
check) wanted=$check_pkgs ;;
run) wanted=$run_pkgs ;;
dist) wanted=$dist_pkgs ;;
bench) wanted=$bochs_pkgs ;;
test | nightly) wanted=$test_pkgs ;;
*) die "usage: tools/setup.sh build|check|run|dist|test|nightly|bench" ;;
esac

# --- Debian packages ---------------------------------------------------------------------------

# Package names that are not installed, one per line.
missing_packages() {
	local have pkg

	have=" $(dpkg-query -W -f '${db:Status-Abbrev}${binary:Package} ' $wanted 2>/dev/null |
		sed 's/:[a-z0-9]*//g; s/ii  */ii:/g' || true) "
	for pkg in $wanted; do
		case $have in
		*"ii:$pkg "*) ;;
		*) echo "$pkg" ;;
		esac
	done | sort -u
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

install_packages() {
	local pkgs

	pkgs=$(missing_packages | xargs)
	[ -n "$pkgs" ] || return 0
	say "for 'make $purpose' these Debian packages are missing: $pkgs"
	[ -z "${KENSHO_NO_INSTALL:-}" ] || die "KENSHO_NO_INSTALL is set; install them yourself:" \
		"    apt-get install --no-install-recommends $pkgs"
	command -v apt-get >/dev/null || die "there is no apt-get here (not a Debian system?)." \
		"Install the equivalents of: $pkgs"
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		die "not root, and no sudo. As root run:" \
			"    apt-get install --no-install-recommends $pkgs"
	fi
	say "installing them with apt-get$([ "$(id -u)" -eq 0 ] || echo ' (through sudo)')"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends $pkgs && return 0
	say "that failed; refreshing the package lists and trying once more"
	as_root apt-get update -q || true
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends $pkgs ||
		die "could not install: $pkgs" \
			"Without a network, install these packages from a Debian 12 medium and try again."
}

# --- the guest kernel: downloaded and unpacked, never installed --------------------------------

# Name of the 6.1 cloud kernel's package, as the package lists have it now.
kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-6\.1\..*-cloud-amd64\)$/\1/p' | head -1
}

kernel_deb() {
	ls build/cache/linux-image-6.1.*-cloud-amd64_*.deb 2>/dev/null | sort -V | tail -1
}

fetch_kernel() {
	local pkg

	pkg=$(kernel_package)
	[ -n "$pkg" ] || return 1
	say "downloading the guest kernel $pkg (about 26 MB, it is not installed)"
	(cd build/cache && apt-get download -q "$pkg" 2>&1 | sed '/unsandboxed/d') || true
	[ -n "$(kernel_deb)" ]
}

guest_kernel() {
	local deb dir=build/cache/linux

	[ ! -s $dir/version ] || [ ! -s $dir/vmlinuz ] || return 0
	mkdir -p build/cache
	if [ -z "$(kernel_deb)" ] && ! fetch_kernel; then
		say "not possible with the package lists as they are (old, or offline); refreshing them"
		as_root apt-get update -q || true
		fetch_kernel ||
			die "missing: Debian's guest kernel package $(kernel_package)." \
				"It could not be downloaded. With a network run the same command again;" \
				"without one, copy linux-image-6.1.*-cloud-amd64_*.deb from a Debian 12" \
				"mirror (pool/updates/main/l/linux-signed-amd64) into build/cache/, or name" \
				"your own: make run KERNEL=/path/to/bzImage INITRD=/path/to/initrd"
	fi
	deb=$(kernel_deb)
	rm -rf $dir.new $dir
	mkdir -p $dir.new
	dpkg-deb -x "$deb" $dir.new || {
		rm -f "$deb"
		die "$deb is damaged and was deleted: run the same command again"
	}
	cp $dir.new/boot/vmlinuz-* $dir.new/vmlinuz
	basename "$deb" .deb >$dir.new/version
	mv $dir.new $dir
	say "guest kernel: $(cat $dir/version), unpacked under $dir"
}

# --- programs and other guests for tests: likewise -------------------------------------------------

# unpack_package PACKAGE DIR FILE SIZE - under build/cache/DIR, where FILE of it must be then.
unpack_package() {
	local pkg=$1 dir=build/cache/$2 file=$3 deb

	[ ! -s "$dir/$file" ] || return 0
	if ! ls build/cache/"$pkg"_*.deb >/dev/null 2>&1; then
		say "downloading $pkg for guest tests ($4, not installed)"
		fetch "$pkg" || {
			as_root apt-get update -q || true
			fetch "$pkg"
		} || die "missing: Debian's package $pkg. With a network run the same command again;" \
			"without one, copy the .deb from a Debian 12 mirror into build/cache/"
	fi
	deb=$(ls build/cache/"$pkg"_*.deb | sort -V | tail -1)
	rm -rf "$dir.new" "$dir"
	mkdir -p "$dir.new"
	dpkg-deb -x "$deb" "$dir.new" || {
		rm -f "$deb"
		die "$deb is damaged and was deleted: run the same command again"
	}
	mv "$dir.new" "$dir"
}

# The kernel package that a package stands for, as the package lists have it now.
stands_for() {
	apt-cache depends "$1" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-6\.[-+.0-9a-z]*-amd64\)$/\1/p' | head -1 || true
}

# unpack_kernel PACKAGE DIR SIZE - the kernel that PACKAGE stands for, as build/cache/DIR/vmlinuz.
unpack_kernel() {
	local pkg

	[ ! -s "build/cache/$2/vmlinuz" ] || return 0
	pkg=$(stands_for "$1")
	if [ -z "$pkg" ]; then
		as_root apt-get update -q || true
		pkg=$(stands_for "$1")
	fi
	[ -n "$pkg" ] || die "the package lists do not say what $1 is, not even refreshed"
	unpack_package "$pkg" "$2" "boot/vmlinuz-${pkg#linux-image-}" "$3"
	cp build/cache/"$2"/boot/vmlinuz-* "build/cache/$2/vmlinuz"
}

# What our constants are compared with (tests/lint/constants.py).
kernel_headers() {
	local pkg

	ls build/cache/linux-headers/usr/src/*/Makefile >/dev/null 2>&1 && return 0
	pkg=$(kernel_package | sed 's/linux-image-\(.*\)-cloud-amd64/linux-headers-\1-common/')
	[ -n "$pkg" ] || die "the package lists name no linux-image-6.1.*-amd64: run apt-get update"
	unpack_package "$pkg" linux-headers "usr/src/$pkg/Makefile" "11 MB"
}

test_guests() {
	unpack_kernel linux-image-6.12-cloud-amd64 linux-6.12 "34 MB"
	unpack_package kexec-tools kexec sbin/kexec "85 kB"
	unpack_package ipxe ipxe boot/ipxe.lkrn "1.2 MB"
	unpack_package memtest86+ memtest boot/memtest86+x64.bin "0.1 MB"
	unpack_package xen-hypervisor-4.17-amd64 xen boot/xen-4.17-amd64.gz "2.3 MB"
}

# Download one package into build/cache.
fetch() {
	(cd build/cache && apt-get download -q "$1" 2>&1 | sed '/unsandboxed/d') || true
	ls build/cache/"$1"_*.deb >/dev/null 2>&1
}

install_packages
case $purpose in
run | test | nightly | bench)
	# The user's own kernel needs no download.
	if [ "$purpose" != run ] || [ -z "${KERNEL:-}" ] || [ -z "${INITRD:-}" ]; then
		guest_kernel
	fi
	;;
esac
case $purpose in
test) test_guests && kernel_headers ;;
nightly) test_guests && unpack_kernel linux-image-amd64 linux-full "70 MB" ;; # with all drivers
esac
