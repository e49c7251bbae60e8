# SPDX-License-Identifier: BSD-2-Clause
# The KVM features at work (load.c, clocks.c). kensho.cpus=N. What Kensho counted meanwhile is
# judged by tests/run/check_counters.py, the kernel's messages by the row.

. /tests/tap.sh
dmesg -n 1
cpus=$(option cpus)
echo "1..9"

all_online
quiet_dmesg
verdict kvm-boot

run() { # PROGRAM ARGUMENTS
	"$@" >/tmp/out 2>&1
	status=$?
	check "$*: exit code $status: $(tail -n 3 /tmp/out | tr '\n#' ' |')" [ $status -eq 0 ]
	sed 's/^/# /' /tmp/out
}

run load spin 30 "$cpus"
verdict kvm-spin
run load ring 800 "$cpus"
verdict kvm-ring
run load bucket 500 "$cpus"
verdict kvm-bucket

# Linux prefers its TSC.
clocksource=/sys/devices/system/clocksource/clocksource0/current_clocksource
echo kvm-clock >$clocksource
want clocksource "$(cat $clocksource)" kvm-clock
run clocks turns 2000 "$cpus"
verdict kvm-clock-turns
run clocks pm 4
verdict kvm-clock-pm

check "ptp_kvm does not load" insmod /modules/ptp_kvm.ko
want "clock name" "$(cat /sys/class/ptp/ptp0/clock_name)" "KVM virtual PTP"
run clocks ptp 3
verdict kvm-ptp

# Nobody held this guest: a thousandth of its CPU time at most.
check "steal: $(grep '^cpu' /proc/stat | tr '\n' ' ')" awk '
	/^cpu[0-9]/ { for (i = 2; i <= 9; i++) all += $i; stolen += $9 }
	END { print "# steal " stolen " of " all; exit !(all > 0 && stolen * 1000 <= all) }' /proc/stat
verdict kvm-steal-idle

quiet_dmesg
verdict kvm-dmesg
echo "=== dmesg"
dmesg | grep -iE 'kvm|pv|tsc:|clocksource|ptp'
echo "=== interrupts"
cat /proc/interrupts
echo "=== end"
