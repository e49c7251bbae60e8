# SPDX-License-Identifier: BSD-2-Clause
# The boot test: what the guest sees, and real work through its own disk driver.
# Sections are cut out of the log by tests/run/run.py between `=== NAME` lines.

section() { echo "=== $1"; }

section dmesg
dmesg
section iomem
cat /proc/iomem
section cpuinfo
grep -m1 '^model name' /proc/cpuinfo
grep -m1 '^flags' /proc/cpuinfo
grep -m1 '^bugs' /proc/cpuinfo
section clocksource
cat /sys/devices/system/clocksource/clocksource0/current_clocksource
cat /sys/devices/system/clocksource/clocksource0/available_clocksource
section disk
# Small requests: one interrupt for every 16 KiB.
echo 16 >/sys/block/sr0/queue/max_sectors_kb
before=$(awk '/ata_piix/ { n += $2 } END { print n }' /proc/interrupts)
sha256sum /cd/data/random.bin
after=$(awk '/ata_piix/ { n += $2 } END { print n }' /proc/interrupts)
echo "disk interrupts: $((after - before))"
section interrupts
cat /proc/interrupts
section time
date +%s
cat /proc/uptime
section end
