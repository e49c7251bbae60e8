# SPDX-License-Identifier: BSD-2-Clause
# Test guests: build/guest/suite.elf (the t_*.c of all areas) and build/guest/bench.elf, multiboot 1
# images; build/abi-test.elf, what of the suite runs on any hypervisor; and build/guest/disk.bin, the first sectors of a disk.
#
# Included by the Makefile; `make -f tests/guest/guest.mk guests` works alone too.

B  ?= build
CC ?= gcc
OBJCOPY ?= objcopy
GUEST_CFLAGS ?= -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone \
	-mgeneral-regs-only -fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables \
	-fcf-protection=none -fno-stack-protector -Wall -Wextra -Wno-unused-parameter -Werror \
	-Wshadow -Wconversion -Wno-sign-conversion -Wundef -Wvla -Walloca -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wnested-externs -Wredundant-decls \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -I.

# -O2 would turn the library's own memset into a call to itself; no jump tables, so that a broken
# hypervisor shows in the test and not in a switch.
GUEST_FLAGS := $(GUEST_CFLAGS) -m64 -march=x86-64 -fno-tree-loop-distribute-patterns -fno-jump-tables
GUEST_LIB_SRC   := $(wildcard tests/guest/lib/*.c tests/guest/lib/*.S)
# The areas of the suite: the folders of core that they are about, and what is attacked or shared.
GUEST_AREAS     := boot exit surface vp apic mem emul task time kvm hyperv dev smp hostile mon
GUEST_SUITE_SRC := tests/guest/suite.c \
	$(wildcard $(GUEST_AREAS:%=tests/guest/%/*.c) $(GUEST_AREAS:%=tests/guest/%/*.S))
GUEST_BENCH_SRC := $(wildcard tests/guest/bench/*.c)
# The hypervisor's own drawing of text, on a framebuffer.
GUEST_ABI_SRC   := $(wildcard tests/guest/abi/*.c tests/guest/kvm/*.c tests/guest/hyperv/*.c) \
	tests/guest/smp/shared.c
GUEST_FB_OBJ    := $(B)/guest/obj/drivers/fb_text.c.o $(B)/guest/obj/drivers/font8x8.c.o

guest_obj = $(patsubst tests/guest/%,$(B)/guest/obj/%.o,$(1))
GUEST_OBJ := $(call guest_obj,$(GUEST_LIB_SRC) $(GUEST_SUITE_SRC) $(GUEST_BENCH_SRC) $(GUEST_ABI_SRC)) \
	$(GUEST_FB_OBJ)

# The 32-bit program of the task tests, one flat image inside the suite.
PM32_FLAGS := $(GUEST_CFLAGS) -m32 -march=i686 -fno-tree-loop-distribute-patterns -fno-jump-tables \
	-fno-builtin
PM32_OBJ   := $(patsubst tests/guest/%,$(B)/guest/obj/%.o,$(wildcard tests/guest/pm32/*.[cS]))

# The program of a disk image: sector 0 and what it loads. The BIOS data area is in page 0.
DISK_FLAGS := $(GUEST_CFLAGS) -Os -m16 -march=i586 -fno-jump-tables -fno-builtin \
	--param=min-pagesize=0
DISK_OBJ   := $(patsubst tests/guest/%,$(B)/guest/obj/%.o,$(wildcard tests/guest/disk/*.[cS]))

$(B)/guest/obj/disk/%.c.o: tests/guest/disk/%.c tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTCC $<
	@mkdir -p $(@D)
	@$(CC) $(DISK_FLAGS) -MMD -MP -c $< -o $@

$(B)/guest/obj/disk/%.S.o: tests/guest/disk/%.S tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTAS $<
	@mkdir -p $(@D)
	@$(CC) -m32 -g -D__ASSEMBLY__ -fno-pic -fno-pie -I. -MMD -MP -c $< -o $@

$(B)/guest/disk.bin: $(DISK_OBJ) tests/guest/disk/disk.ld
	@printf '  %-7s %s\n' GUESTLD $@
	@$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack \
		-Wl,--no-warn-rwx-segments,-T,tests/guest/disk/disk.ld $(DISK_OBJ) -o $(@:.bin=.elf)
	@$(OBJCOPY) -O binary $(@:.bin=.elf) $@

# The program of the multiboot tests, as six kinds of image.
MB_KINDS := mb1-elf mb1-flat mb2-elf32 mb2-elf64 mb2-flat mb2-low mb2-high
MB_DEFS_mb1-elf   := -DMB_KIND=1
MB_DEFS_mb1-flat  := -DMB_KIND=1 -DMB_FLAT
MB_DEFS_mb2-elf32 := -DMB_KIND=2
MB_DEFS_mb2-elf64 := -DMB_KIND=2
MB_DEFS_mb2-flat  := -DMB_KIND=2 -DMB_FLAT
MB_DEFS_mb2-low   := -DMB_KIND=2 -DMB_RELOC=1
MB_DEFS_mb2-high  := -DMB_KIND=2 -DMB_RELOC=2
MB_OUT_mb1-flat   := -O binary
MB_OUT_mb2-flat   := -O binary
MB_OUT_mb2-elf64  := -O elf64-x86-64
MB_IMAGES := $(MB_KINDS:%=$(B)/guest/%)

.PHONY: guests
guests: $(B)/guest/suite.elf $(B)/guest/bench.elf $(B)/abi-test.elf $(B)/guest/disk.bin $(MB_IMAGES)

$(B)/guest/obj/mb/main.o: tests/guest/mb/main.c tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTCC $<
	@mkdir -p $(@D)
	@$(CC) $(filter-out -fno-pic -fno-pie,$(PM32_FLAGS)) -fpie -fvisibility=hidden -c $< -o $@

# Sections that nobody loads stay in: they are what the symbols of the information are about.
$(MB_IMAGES): $(B)/guest/%: tests/guest/mb/start.S tests/guest/mb/mb.ld $(B)/guest/obj/mb/main.o
	@printf '  %-7s %s\n' GUESTLD $@
	@$(CC) -m32 -g -D__ASSEMBLY__ $(MB_DEFS_$*) -fno-pic -fno-pie -I. -c $< \
		-o $(B)/guest/obj/mb/$*.o
	@$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack \
		-Wl,-z,max-page-size=0x1000,--no-warn-rwx-segments -Wl,-T,tests/guest/mb/mb.ld \
		$(B)/guest/obj/mb/$*.o $(B)/guest/obj/mb/main.o -o $@.elf
	@$(OBJCOPY) $(MB_OUT_$*) $@.elf $@

$(B)/guest/obj/pm32/%.c.o: tests/guest/pm32/%.c tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTCC $<
	@mkdir -p $(@D)
	@$(CC) $(PM32_FLAGS) -MMD -MP -c $< -o $@

$(B)/guest/obj/pm32/%.S.o: tests/guest/pm32/%.S tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTAS $<
	@mkdir -p $(@D)
	@$(CC) -m32 -g -D__ASSEMBLY__ -fno-pic -fno-pie -I. -MMD -MP -c $< -o $@

$(B)/guest/pm32.bin: $(PM32_OBJ) tests/guest/pm32/pm32.ld
	@printf '  %-7s %s\n' GUESTLD $@
	@$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack \
		-Wl,-T,tests/guest/pm32/pm32.ld $(PM32_OBJ) -o $(@:.bin=.elf)
	@$(OBJCOPY) -O binary $(@:.bin=.elf) $@

$(B)/guest/obj/lib/pm32_blob.S.o: $(B)/guest/pm32.bin

$(B)/guest/obj/%.c.o: tests/guest/%.c tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTCC $<
	@mkdir -p $(@D)
	@$(CC) $(GUEST_FLAGS) -MMD -MP -c $< -o $@

$(GUEST_FB_OBJ): $(B)/guest/obj/%.c.o: %.c tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTCC $<
	@mkdir -p $(@D)
	@$(CC) $(GUEST_FLAGS) -MMD -MP -c $< -o $@

$(B)/guest/obj/%.S.o: tests/guest/%.S tests/guest/guest.mk
	@printf '  %-7s %s\n' GUESTAS $<
	@mkdir -p $(@D)
	@$(CC) -m64 -g -D__ASSEMBLY__ -fno-pic -fno-pie -I. -Wa,-I$(B)/guest -MMD -MP -c $< -o $@

$(B)/guest/suite.elf64: $(call guest_obj,$(GUEST_LIB_SRC) $(GUEST_SUITE_SRC))
$(B)/guest/bench.elf64: $(call guest_obj,$(GUEST_LIB_SRC) $(GUEST_BENCH_SRC))
$(B)/guest/abi-test.elf64: $(call guest_obj,$(GUEST_LIB_SRC) $(GUEST_ABI_SRC)) $(GUEST_FB_OBJ)
$(B)/guest/%.elf64: tests/guest/guest.ld
	@printf '  %-7s %s\n' GUESTLD $@
	@$(CC) -m64 -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack \
		-Wl,-z,max-page-size=0x1000 -Wl,-T,tests/guest/guest.ld $(filter %.o,$^) -o $@

# Multiboot 1 loads ELF32: the same segments in the other container. addr2line wants the .elf64.
$(B)/guest/suite.elf $(B)/guest/bench.elf: %.elf: %.elf64
	@$(OBJCOPY) -O elf32-i386 -S $< $@

$(B)/abi-test.elf: $(B)/guest/abi-test.elf64
	@$(OBJCOPY) -O elf32-i386 -S $< $@

-include $(GUEST_OBJ:.o=.d) $(PM32_OBJ:.o=.d) $(DISK_OBJ:.o=.d)
