# SPDX-License-Identifier: BSD-2-Clause
# Linux on UEFI firmware: what it was told, and calls of runtime services, which run as the guest's
# own code. insmod and mount tell what is missing.

. /tests/tap.sh
echo "1..3"

guid=6b656e73-686f-4b65-6e73-686f00000001
global=8be4df61-93ca-11d2-aa0d-00e098032b8c
vars=/sys/firmware/efi/efivars

want "pointer width" "$(cat /sys/firmware/efi/fw_platform_size)" 64
case $(cat /sys/firmware/efi/runtime) in
0xffff* | 0x[1-9a-f]*) ;;
*) complain "no runtime services: $(cat /sys/firmware/efi/runtime)" ;;
esac
check "no ACPI 2.0 table: $(cat /sys/firmware/efi/systab)" \
	grep -q '^ACPI20=0x' /sys/firmware/efi/systab
check "no runtime ranges" [ -d /sys/firmware/efi/runtime-map/0 ]
verdict efi_told

check "efivarfs.ko does not load" insmod /modules/efivarfs.ko
check "no efivarfs" mount -t efivarfs efivarfs $vars
# Attributes (4 bytes: readable at run time, not kept), then the number of the boot entry.
current=$(od -An -tx1 $vars/BootCurrent-$global | tr -d ' ')
want "BootCurrent's attributes and length" "${current%????}/${#current}" 06000000/12
low=${current#????????}
entry=$vars/Boot${low#??}${low%??}-$global
tr -d '\0' <$entry | grep -q "UEFI" || complain "no name in ${entry##*/}"
verdict efi_get_variable

printf '\7\0\0\0kensho' >$vars/KenshoTest-$guid || complain "write failed"
want "variable" "$(tail -c +5 $vars/KenshoTest-$guid)" kensho
want "listed" "$(ls $vars | grep -c "KenshoTest-$guid")" 1
want "firmware bugs" "$(dmesg | grep -cE 'Firmware Bug|efi: .*(fault|failed|broken)')" 0
verdict efi_set_variable
