# SPDX-License-Identifier: BSD-2-Clause
# Three kernels in a row, the second and third started by kexec from the CD's own files. Each proves
# that its CPUs, its clock and ACPI's interrupt line work, and leaves behind what kexec must not trip
# over: on each CPU a level interrupt that was accepted and never served, and the pages where the
# hypervisor keeps its clock. The next kernel reserves those pages and finds them unchanged. The last
# one has no kvmclock: nothing of its own takes the place of what the second registered.
#
# kensho.generation=N says which one we are (none: the first), kensho.pages=ADDRESS:MD5,... what the
# ones before left.

. /tests/tap.sh
generation=$(option generation)
generation=${generation:-1}
number=$(((generation - 1) * 6))
dmesg -n 1
cpus=$(option cpus)
last=$((cpus - 1))
[ "$generation" -gt 1 ] || echo "1..18"

KVM_WALL_CLOCK=0x4b564d00
KVM_SYSTEM_TIME=0x4b564d01
TSC_ADJUST=0x3b
X2APIC_IRR0=0x820
SCI=9 # the interrupt and the pin of the I/O APIC
RTE_LEVEL=0x8000
RTE_MASKED=0x10000
EXCEPTION=16 # a vector that Linux never lets in: its TPR is 16

all_online
verdict "kernel$generation-online"

said=$(dmesg | grep -c 'kvm-clock: Using msrs')
if [ "$generation" -lt 3 ]; then
	check "no kvmclock" [ "$said" -gt 0 ]
else
	check "kvmclock in spite of no-kvmclock" [ "$said" -eq 0 ]
fi
before=$(cut -d. -f1 /proc/uptime)
sleep 2
passed=$(($(cut -d. -f1 /proc/uptime) - before))
check "sleep 2 took $passed s" [ $passed -ge 1 ]
check "sleep 2 took $passed s" [ $passed -le 4 ]
verdict "kernel$generation-clock"

work_everywhere 2000 2949
verdict "kernel$generation-work"

if [ "$generation" -eq 1 ]; then
	quiet_dmesg
else # the old kernel's may have waited in the APIC, as on the bare machine
	quiet_dmesg 'Spurious LAPIC timer interrupt on cpu 0'
fi
verdict "kernel$generation-dmesg"

# --- a level-triggered line ---

check "no msr.ko" insmod /modules/msr.ko allow_writes=on

msr() { # CPU REGISTER: its value in hex
	dd if="/dev/cpu/$1/msr" bs=8 count=1 iflag=skip_bytes skip=$(($2)) 2>/dev/null |
		od -A n -t x8 | tr -d ' \n'
}

ioapic() { # REGISTER [VALUE]
	devmem "$ioapic" 32 "$1"
	devmem $((ioapic + 0x10)) 32 ${2:+"$2"}
}

level_interrupt() { # on CPU: a process there raises the line
	check "sci failed" taskset -c "$1" sci "$event_block"
}

served() { # CPU: it takes ACPI's interrupt
	before=$(interrupts $SCI "$1")
	level_interrupt "$1"
	more "ACPI's interrupt on CPU $1" "$before" "$(interrupts $SCI "$1")" 1
}

# The pin sends a vector of exceptions to the CPU, as a driver in user space might have left it. The
# CPU's APIC accepts it, and Linux's task priority keeps it waiting for ever.
hold() { # CPU
	low=$(ioapic $((0x10 + 2 * SCI)))
	high=$(ioapic $((0x11 + 2 * SCI)))
	ioapic $((0x10 + 2 * SCI)) $((RTE_MASKED | RTE_LEVEL | EXCEPTION))
	ioapic $((0x11 + 2 * SCI)) $(($1 << 24))
	ioapic $((0x10 + 2 * SCI)) $((RTE_LEVEL | EXCEPTION))
	level_interrupt "$1"
	ioapic $((0x10 + 2 * SCI)) $((RTE_MASKED | RTE_LEVEL | EXCEPTION))
	ioapic $((0x11 + 2 * SCI)) "$high"
	ioapic $((0x10 + 2 * SCI)) "$low"
	want "vectors waiting in CPU $1" "$(msr "$1" $X2APIC_IRR0)" 0000000000010000
}

# Bochs has ACPI's line on PIRQA, whose link to the pin Linux takes away.
printf '\011' | dd of=/sys/bus/pci/devices/0000:00:01.0/config bs=1 seek=$((0x60)) conv=notrunc \
	2>/dev/null || complain "no PIRQA"
ioapic=0x$(awk -F- '/: IOAPIC 0/ { print $1 }' /proc/iomem)
event_block=$(awk -F- '/ACPI PM1a_EVT_BLK/ { print $1 }' /proc/ioports | tr -d ' ')
cpu=$(cat /proc/irq/$SCI/effective_affinity_list)
other=$((last - cpu))
# What the old kernel left: INIT clears an APIC, the software disable of the first CPU's does not.
[ "$generation" -eq 1 ] && left=0000000000000000 || left=0000000000010000
want "vectors waiting" "$(msr 0 $X2APIC_IRR0) $(msr 1 $X2APIC_IRR0)" "$left 0000000000000000"
served "$cpu"
echo $((1 << other)) >/proc/irq/$SCI/smp_affinity
level_interrupt "$cpu" # moves when one comes
served $other
verdict "kernel$generation-level"

# --- the pages of the clock ---

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

own_pages() { # ADDRESS:MD5,... of what this kernel has registered
	for cpu in $(seq 0 $last); do
		for register in $KVM_WALL_CLOCK $KVM_SYSTEM_TIME; do
			value=0x$(msr "$cpu" $register)
			[ $((value)) -eq 0 ] || printf '0x%x\n' $((value & ~4095))
		done
	done | sort -u | while read -r page; do
		printf '%s:%s,' "$page" "$(own_page "$page")"
	done
}

old_pages_same() { # they are not this kernel's RAM: /dev/mem shows them
	for page in $(echo "$old" | tr ',' ' '); do
		want "the page at ${page%:*}" "$(dd if=/dev/mem bs=4096 count=1 2>/dev/null \
			skip=$((${page%:*} / 4096)) | md5sum | cut -c 1-32)" "${page#*:}"
	done
}

# A clock that moves makes the hypervisor write every page that it has.
move_clocks() {
	for cpu in $(seq 0 $last); do
		for value in '\0\020\0\0\0\0\0\0' '\0\0\0\0\0\0\0\0'; do
			printf "$value" | dd of="/dev/cpu/$cpu/msr" bs=8 count=1 oflag=seek_bytes \
				seek=$((TSC_ADJUST)) conv=notrunc 2>/dev/null || complain "TSC_ADJUST"
		done
	done
}

old=$(option pages)
old_pages_same
[ "$generation" -eq 3 ] || own=$(own_pages)
move_clocks
old_pages_same
if [ "$generation" -lt 3 ]; then
	before=$own
	own=$(own_pages)
	check "a clock moved and no page changed" [ "$before" != "$own" ]
	want "pages" "$(echo "$own" | grep -oE '0x[0-9a-f]+:[0-9a-f]{32},' | wc -l)" 2
else
	for cpu in $(seq 0 $last); do
		want "CPU $cpu's page" "$(msr "$cpu" $KVM_SYSTEM_TIME)" 0000000000000000
	done
	want "old pages" "$(echo "$old" | grep -oE '0x[0-9a-f]+:[0-9a-f]{32},' | wc -l)" 4
fi
echo "pages: $old then $own"
verdict "kernel$generation-pages"

[ "$generation" -lt 3 ] || return 0

for cpu in $(seq 0 $last); do
	hold "$cpu"
done
[ -z "$bad" ] || echo "not ok 99 - hold # $bad"

# Each kernel has memory of its own, so that it leaves alone what those before it left.
line=$(sed -E 's/ (kensho\.(generation|pages)|memmap)=[^ ]*//g' /proc/cmdline)
line="$line kensho.generation=$((generation + 1)) kensho.pages=$old$own"
for page in $(echo "$old$own" | tr ',' ' '); do
	line="$line memmap=4K\$${page%:*}"
done
[ "$generation" -lt 2 ] || line="$line no-kvmclock"
# The old kexec_load call, and no checksums: hashing 18 MB takes the emulator longer than booting.
kexec --kexec-syscall --no-checks -l /cd/boot/kernel --initrd=/cd/boot/initrd \
	--mem-min=$((generation << 27)) --mem-max=$(((generation + 1 << 27) - 1)) \
	--command-line="$line" || echo "not ok 99 - load # kexec -l failed"
echo "kexec into kernel $((generation + 1))"
kexec -e
echo "not ok 99 - exec # kexec -e came back"
