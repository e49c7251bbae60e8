# SPDX-License-Identifier: BSD-2-Clause
# Every CPU at work: kensho.cpus=N says how many there should be. TAP on the console, judged by
# tests/run/run.py; the hashes of what was read from the disk by tests/run/checks.py.

. /tests/tap.sh
dmesg -n 1
cpus=$(option cpus)
last=$((cpus - 1))
echo "1..9"

# The first lines are about the boot: before anything of ours disturbs it.
all_online
verdict online

quiet_dmesg
verdict dmesg-boot

# Pinned loops, and with them the timer of every CPU.
for cpu in $(seq 0 $last); do
	eval "loc$cpu=$(interrupts LOC "$cpu")"
done
work_everywhere 2000 2949
verdict pinned
for cpu in $(seq 0 $last); do
	eval "before=\$loc$cpu"
	more "LOC of CPU $cpu" "$before" "$(interrupts LOC "$cpu")" 20
done
verdict timers

# Data handed from CPU to CPU through pipes: wake-ups, each an IPI when the other sleeps.
for cpu in $(seq 0 $last); do
	next=$(((cpu + 1) % cpus))
	sum=$(taskset -c "$cpu" dd if=/bin/busybox bs=4k count=32 2>/dev/null |
		taskset -c $next sha256sum | cut -c 1-64)
	want "pipe from CPU $cpu to $next" "$sum" \
		"$(dd if=/bin/busybox bs=4k count=32 2>/dev/null | sha256sum | cut -c 1-64)"
done
for cpu in $(seq 0 $last); do
	more "RES+CAL of CPU $cpu" 0 $(($(interrupts RES "$cpu") + $(interrupts CAL "$cpu"))) 1
done
verdict ipis

# The disk's interrupt moves while a program reads.
irq=$(awk '/ata_piix/ { sub(":", ""); print $1; exit }' /proc/interrupts)
echo 16 >/sys/block/sr0/queue/max_sectors_kb
slice() { # SKIP COUNT, in 64 KiB: read by the disk driver, not out of the page cache
	echo 3 >/proc/sys/vm/drop_caches
	echo "slice $1 $2 $(dd if=/cd/data/random.bin bs=64k skip="$1" count="$2" 2>/dev/null |
		sha256sum | cut -c 1-64)"
}
skip=0
for cpu in $(seq $last -1 0); do
	echo $((1 << cpu)) >/proc/irq/"$irq"/smp_affinity
	slice $skip 2	# one request may still be on its way to the old CPU
	want "affinity" "$(cat /proc/irq/"$irq"/effective_affinity_list)" "$cpu"
	before=$(interrupts "$irq" "$cpu")
	all=$(awk -v row="$irq:" '$1 == row { for (i = 2; i < 2 + '"$cpus"'; i++) n += $i; print n }' \
		/proc/interrupts)
	slice $((skip + 2)) 8
	more "irq $irq on CPU $cpu" "$before" "$(interrupts "$irq" "$cpu")" 32
	now=$(awk -v row="$irq:" '$1 == row { for (i = 2; i < 2 + '"$cpus"'; i++) n += $i; print n }' \
		/proc/interrupts)
	want "interrupts elsewhere" $((now - all)) $(($(interrupts "$irq" "$cpu") - before))
	skip=$((skip + 10))
done
slice $skip 16 >/tmp/slice &
reader=$!
moves=0
while kill -0 $reader 2>/dev/null && [ $moves -lt 400 ]; do
	echo $((1 << (moves % cpus))) >/proc/irq/"$irq"/smp_affinity
	moves=$((moves + 1))
	usleep 20000
done
wait
cat /tmp/slice
echo "affinity moved $moves times while reading"
check "affinity moved only $moves times" [ $moves -ge 5 ]
echo 1 >/proc/irq/"$irq"/smp_affinity
verdict affinity

# Unplug and plug in again, with a load that has to move away. CPU 0 stays: Linux wants that.
for round in 1 2; do
	for cpu in $(seq 1 $last); do
		sha256sum /bin/busybox >/dev/null &
		echo 0 >/sys/devices/system/cpu/cpu"$cpu"/online
		want "round $round: online" "$(grep -c '^processor' /proc/cpuinfo)" $((cpus - 1))
		echo 1 >/sys/devices/system/cpu/cpu"$cpu"/online
		want "round $round: online" "$(grep -c '^processor' /proc/cpuinfo)" "$cpus"
		want "round $round" "$(work "$cpu" 100)" "44194 on CPU $cpu"
		wait
	done
done
verdict hotplug

# And all of them are as good as before.
for cpu in $(seq 0 $last); do
	eval "loc$cpu=$(interrupts LOC "$cpu")"
done
work_everywhere 1000 51723
for cpu in $(seq 0 $last); do
	eval "before=\$loc$cpu"
	more "LOC of CPU $cpu" "$before" "$(interrupts LOC "$cpu")" 5
done
verdict pinned-again

quiet_dmesg
verdict dmesg
echo "=== interrupts"
cat /proc/interrupts
echo "=== end"
