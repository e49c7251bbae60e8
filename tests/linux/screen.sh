# SPDX-License-Identifier: BSD-2-Clause
# The screen that the kernel was told of: struct screen_info, and the device it makes of it.

echo "=== screen_info"
hexdump -v -n 64 -e '1/1 "%02x"' /sys/kernel/boot_params/data
echo
echo "=== devices"
ls /sys/bus/platform/devices
echo "=== end"
