# SPDX-License-Identifier: BSD-2-Clause
# A kernel that panics.

echo "guest is up"
echo c >/proc/sysrq-trigger
sleep 60
