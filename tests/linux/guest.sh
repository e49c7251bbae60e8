# SPDX-License-Identifier: BSD-2-Clause
# Linux, and then the tests of tests/guest in its place, by kexec: in the same partition, without a
# reset. kensho.guest=WORDS is their command line.

. /tests/tap.sh
. /tests/quick.sh
# No checks: as in kernels.sh.
kexec --type=multiboot-x86 --no-checks -l /guest.elf --command-line="$(option guest)" ||
	echo "not ok 99 - load # kexec -l failed"
kexec -e
echo "not ok 99 - exec # kexec -e came back"
