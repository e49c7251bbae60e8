# SPDX-License-Identifier: BSD-2-Clause
# Three kernels in a row, the second and third started by kexec from the CD's own files. Each proves
# that its CPUs, its clock and ACPI's interrupt line work, and leaves behind what kexec must not trip
# over: on each CPU a level interrupt that was accepted and never served, and the pages where the
# hypervisor keeps its clock. The next kernel reserves those pages and finds them unchanged. The last
# one has no kvmclock: nothing of its own takes the place of what the second registered.

. /tests/tap.sh
. /tests/kernels.sh
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

old_pages_same() {
	for page in $(echo "$old" | tr ',' ' '); do
		want "the page at ${page%:*}" "$(old_page "${page%:*}")" "${page#*:}"
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

old_pages_same
[ "$generation" -eq 3 ] || own=$(own_pages $KVM_WALL_CLOCK $KVM_SYSTEM_TIME)
move_clocks
old_pages_same
if [ "$generation" -lt 3 ]; then
	before=$own
	own=$(own_pages $KVM_WALL_CLOCK $KVM_SYSTEM_TIME)
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

[ "$generation" -lt 2 ] || without=no-kvmclock
next_kernel "$old$own" "$without"
