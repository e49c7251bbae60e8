# SPDX-License-Identifier: BSD-2-Clause
# Reboot instead of powering off: the machine resets and boots again.

echo "guest is up"
reboot -f
sleep 60
