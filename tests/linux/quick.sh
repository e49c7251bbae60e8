# SPDX-License-Identifier: BSD-2-Clause
# The least a guest can show: it reached user space and its clock moves.

echo "guest is up"
dmesg | grep -E 'Hypervisor|clocksource|tsc:|APIC'
cat /proc/interrupts /proc/uptime
sleep 1
cat /proc/uptime
