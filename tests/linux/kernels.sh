# SPDX-License-Identifier: BSD-2-Clause
# Sourced behind tap.sh by tests of several kernels, each started by the one before with kexec from
# the CD's own files. kensho.generation=N says which one this is (none: the first), and
# kensho.pages=ADDRESS:MD5,... what pages of theirs the ones before had registered.

generation=$(option generation)
generation=${generation:-1}
old=$(option pages)

msr() { # CPU REGISTER: its value in hex
	dd if="/dev/cpu/$1/msr" bs=8 count=1 iflag=skip_bytes skip=$(($2)) 2>/dev/null |
		od -A n -t x8 | while read -r value; do echo "$value"; done
}

own_page() { # ADDRESS: the page's MD5, read through this kernel's mapping of its RAM
	headers=$(od -A n -t u2 -j 56 -N 2 /proc/kcore)
	od -A n -v -t x8 -w56 -j 64 -N $((headers * 56)) /proc/kcore |
		while read -r type offset _ physical size _; do
			first=$((0x$physical))
			[ "${type#????????}" = 00000001 ] && [ $first -ge 0 ] && [ $first -le $(($1)) ] &&
				[ $(($1)) -lt $((first + 0x$size)) ] || continue
			dd if=/proc/kcore bs=4096 count=1 iflag=skip_bytes 2>/dev/null \
				skip=$((0x$offset + $1 - first)) | md5sum | cut -c 1-32
			break
		done
}

own_pages() { # REGISTER...: ADDRESS:MD5,... of the pages they hold on any CPU
	for cpu in $(seq 0 $last); do
		for register; do
			value=0x$(msr "$cpu" "$register")
			[ $((value)) -eq 0 ] || printf '0x%x\n' $((value & ~4095))
		done
	done | sort -u | while read -r page; do
		printf '%s:%s,' "$page" "$(own_page "$page")"
	done
}

old_page() { # ADDRESS: the page's MD5; it is not this kernel's RAM, and /dev/mem shows it
	dd if=/dev/mem bs=4096 count=1 skip=$(($1 / 4096)) 2>/dev/null | md5sum | cut -c 1-32
}

# Each kernel has memory of its own, so that it leaves alone what those before it left.
next_kernel() { # PAGES [OPTIONS]
	line=$(sed -E 's/ (kensho\.(generation|pages)|memmap)=[^ ]*//g' /proc/cmdline)
	line="$line kensho.generation=$((generation + 1)) kensho.pages=$1${2:+ $2}"
	for page in $(echo "$1" | tr ',' ' '); do
		line="$line memmap=4K\$${page%:*}"
	done
	# The old kexec_load call, and no checksums: hashing 18 MB takes the emulator longer than
	# booting.
	kexec --kexec-syscall --no-checks -l /cd/boot/kernel --initrd=/cd/boot/initrd \
		--mem-min=$((generation << 27)) --mem-max=$(((generation + 1 << 27) - 1)) \
		--command-line="$line" || echo "not ok 99 - load # kexec -l failed"
	echo "kexec into kernel $((generation + 1))"
	kexec -e
	echo "not ok 99 - exec # kexec -e came back"
}
