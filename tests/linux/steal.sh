# SPDX-License-Identifier: BSD-2-Clause
# Held on purpose (test_fault=pause): what busy CPUs miss is what /proc/stat calls steal. clocks.c
# measures the one by the TSC. kensho.cpus=N.

. /tests/tap.sh
dmesg -n 1
cpus=$(option cpus)
last=$((cpus - 1))
echo "1..2"

stolen() { # CPU: in ms
	awk -v cpu="cpu$1" '$1 == cpu { print $9 * 10 }' /proc/stat
}

# Begin and end soon after a pause: the next one does not fall between a look and the load.
clocks busy 1 "$cpus" >/dev/null
for cpu in $(seq 0 $last); do
	eval "steal$cpu=$(stolen "$cpu")"
done
check "busy failed" clocks busy 5 "$cpus" >/tmp/out
sed 's/^/# /' /tmp/out
for cpu in $(seq 0 $last); do
	eval "before=\$steal$cpu"
	held=$(sed -n "s/^busy cpu $cpu .*held_ms //p" /tmp/out)
	got=$(($(stolen "$cpu") - before))
	echo "# cpu $cpu: held $held ms, steal $got ms"
	check "CPU $cpu was held for $held ms" [ "${held:-0}" -ge 1900 ]
	check "CPU $cpu: steal $got ms, held $held ms" [ $((got * 100)) -ge $((held * 95)) ]
	check "CPU $cpu: steal $got ms, held $held ms" [ $((got * 100)) -le $((held * 105)) ]
done
verdict steal-held

# GUEST_STOPPED touched the watchdogs.
quiet_dmesg
verdict steal-dmesg
echo "=== stat"
grep '^cpu' /proc/stat
echo "=== end"
