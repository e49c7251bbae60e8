# SPDX-License-Identifier: BSD-2-Clause
# The Hyper-V interface at work (load.c, clocks.c), on CPUs that go and come, and after that in every
# kernel that kexec starts. What Kensho counted meanwhile is judged by
# tests/run/check_counters.py, the kernel's messages and its clocksource by the row.
#
# kensho.cpus=N. kensho.kernels=N: so many start one another (none: one, and msr.ko is not needed).
# kensho.seconds=N of ticks are counted (none: 2). kensho.end=TEST: the last kernel goes on as that
# test; with TEST=guest, the tests that kensho.guest= names are part of this one's plan.

. /tests/tap.sh
. /tests/kernels.sh
dmesg -n 1
cpus=$(option cpus)
last=$((cpus - 1))
kernels=$(option kernels)
seconds=$(option seconds)
guests=$(option guest | tr ',' '\n' | wc -l)
if [ "$generation" -eq 1 ]; then
	echo "1..$((8 + (${kernels:-0} > 0) + (${kernels:-1} - 1) * 5 + guests))"
else
	number=$((9 + (generation - 2) * 5))
fi

GUEST_OS_ID=0x40000000
HYPERCALL=0x40000001
REFERENCE_TSC=0x40000021
VP_ASSIST_PAGE=0x40000073

# Without an invariant TSC Linux takes Hyper-V's clock; hv-tsc-invariant is in no profile. An old
# kernel's interrupt may have waited in the APIC, as on the bare machine.
quiet_hyperv() {
	[ "$generation" -eq 1 ] || waiting='|Spurious LAPIC timer interrupt on cpu 0'
	quiet_dmesg "Marking TSC unstable due to running on Hyper-V$waiting"
}

run() { # PROGRAM ARGUMENTS
	"$@" >/tmp/out 2>&1
	status=$?
	check "$*: exit code $status: $(tail -n 3 /tmp/out | tr '\n#' ' |')" [ $status -eq 0 ]
	sed 's/^/# /' /tmp/out
}

all_online
quiet_hyperv
verdict "hv$generation-boot"

# --- ticks ---

HZ=250 # of Debian's kernels

tick_device() { # CPU
	cat /sys/devices/system/clockevents/clockevent"$1"/current_device
}

device=$(tick_device 0)
[ "$device" = "Hyper-V clockevent" ] && row=HVS || row=LOC # HVS: the timer's own vector

# No CPU sleeps for so long by the PM timer. Other timers may add to the ticks, nothing takes away.
ticks() { # SECONDS
	pids=
	for cpu in $(seq 0 $last); do
		want "tick device of CPU $cpu" "$(tick_device "$cpu")" "$device"
		interrupts $row "$cpu" >"/tmp/before$cpu"
		taskset -c "$cpu" clocks awake "$1" &
		pids="$pids $!"
	done
	for pid in $pids; do
		check "no PM timer" wait "$pid"
	done
	for cpu in $(seq 0 $last); do
		before=$(cat "/tmp/before$cpu")
		after=$(interrupts $row "$cpu")
		more "$row of CPU $cpu" "$before" "$after" $(($1 * HZ - 1))
		check "$((after - before)) $row" [ $((after - before)) -le $(($1 * HZ * 2)) ]
	done
	echo "ticks: $device, $row"
}

# --- flushes, IPIs, waits for locks ---

ring() { # ROUNDS
	run load ring "$1" "$cpus"
}

if [ "$generation" -eq 1 ]; then
	run load spin 20 "$cpus"
	verdict hv-spin
	run load bucket 100 "$cpus"
	verdict hv-bucket
	run clocks pm "${seconds:-2}"
	ticks "${seconds:-2}"
	verdict hv-ticks
fi
ring 300
verdict "hv$generation-ring"
run clocks turns 300 "$cpus"
verdict "hv$generation-clock"

# --- CPUs go and come: each time registered anew ---

online() { # CPU 0|1
	echo "$2" >/sys/devices/system/cpu/cpu"$1"/online
	want "CPUs online" "$(grep -c '^processor' /proc/cpuinfo)" $((last + $2))
}

if [ "$generation" -eq 1 ]; then
	for round in 1 2; do
		for cpu in $(seq 1 $last); do
			sha256sum /bin/busybox >/dev/null &
			online "$cpu" 0
			online "$cpu" 1
			want "tick device, round $round" "$(tick_device "$cpu")" "$device"
			before=$(interrupts $row "$cpu")
			want "round $round" "$(work "$cpu" 100)" "44194 on CPU $cpu"
			more "$row of CPU $cpu, round $round" "$before" "$(interrupts $row "$cpu")" 1
			wait
		done
		ring 20
	done
	verdict hv-hotplug
fi

# --- the pages of the interface: this kernel's own, and none where the old one's were ---

overlays() { # REGISTER...: none may be disabled on any CPU
	for cpu in $(seq 0 $last); do
		for register; do
			check "CPU $cpu: $register is off" [ $((0x$(msr "$cpu" "$register") & 1)) -eq 1 ]
		done
	done
}

values() { # REGISTER: of each CPU
	for cpu in $(seq 0 $last); do
		msr "$cpu" "$1"
	done
}

if [ -n "$kernels" ]; then
	check "no msr.ko" insmod /modules/msr.ko
	check "no GUEST_OS_ID" [ $((0x$(msr 0 $GUEST_OS_ID))) -ne 0 ]
	overlays $HYPERCALL $REFERENCE_TSC $VP_ASSIST_PAGE
	want "assist pages" "$(values $VP_ASSIST_PAGE | sort -u | wc -l)" "$cpus"
	own=$(own_pages $HYPERCALL $REFERENCE_TSC)
	want "pages" "$(echo "$own" | grep -oE '0x[0-9a-f]+:[0-9a-f]{32},' | wc -l)" 2
	for page in $(echo "$old" | tr ',' ' '); do
		now=$(old_page "${page%:*}")
		check "no page at ${page%:*}" [ -n "$now" ]
		check "what is registered covers ${page%:*} still" [ "$now" != "${page#*:}" ]
	done
	echo "pages: $old then $own"
	verdict "hv$generation-pages"
fi

quiet_hyperv
verdict "hv$generation-dmesg"
echo "clocksource now: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
cat /proc/interrupts

# The last one starts nothing from the CD.
[ "$generation" -ne $((${kernels:-1} - 1)) ] || without=kensho.cd=no
[ "$generation" -ge "${kernels:-1}" ] || next_kernel "$old$own" "$without"
[ -z "$(option end)" ] || . "/tests/$(option end).sh"
