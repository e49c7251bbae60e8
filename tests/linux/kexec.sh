# SPDX-License-Identifier: BSD-2-Clause
# Three kernels in a row, the second and third started by kexec from the CD's own files. Each proves
# that its CPUs and clock work. kensho.generation=N says which one we are (none: the first).

generation=$(sed -n 's/.*kensho.generation=\([0-9]*\).*/\1/p' /proc/cmdline)
generation=${generation:-1}
first_number=$(((generation - 1) * 4))
. /tests/tap.sh
dmesg -n 1
cpus=$(option cpus)
[ "$generation" -gt 1 ] || echo "1..12"

all_online
verdict "kernel$generation-online"

dmesg | grep -q 'kvm-clock: Using msrs' || complain "no kvmclock"
before=$(cut -d. -f1 /proc/uptime)
sleep 2
passed=$(($(cut -d. -f1 /proc/uptime) - before))
[ $passed -ge 1 ] && [ $passed -le 4 ] || complain "sleep 2 took $passed s"
verdict "kernel$generation-clock"

work_everywhere 2000 2949
verdict "kernel$generation-work"

quiet_dmesg
verdict "kernel$generation-dmesg"

[ "$generation" -lt 3 ] || return 0

line=$(sed 's/ kensho.generation=[0-9]*//' /proc/cmdline)
# The old kexec_load call, and no checksums: hashing 18 MB takes the emulator longer than booting.
kexec --kexec-syscall --no-checks -l /cd/boot/kernel --initrd=/cd/boot/initrd \
	--command-line="$line kensho.generation=$((generation + 1))" ||
	echo "not ok 99 - load # kexec -l failed"
echo "kexec into kernel $((generation + 1))"
kexec -e
echo "not ok 99 - exec # kexec -e came back"
