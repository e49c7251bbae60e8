# SPDX-License-Identifier: BSD-2-Clause
# Kensho's one makefile: two builds (machine, host) from one list of sources.
#
# `make help` lists the targets. V=1 shows the commands, WERROR=0 lets warnings pass.
# Layers and their allowed edges are in CONTRIBUTING.md; tests/lint/layers.py enforces them.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

CC      := gcc
HOSTCC  ?= gcc
FUZZCC  ?= clang
OBJCOPY ?= objcopy
PYTHON  ?= python3
B       := build

# --- sources, by layer ------------------------------------------------------------------------

LIB_SRC   := $(wildcard core/lib/*.c)
CORE_SRC  := $(filter-out $(LIB_SRC),$(wildcard core/*.c core/*/*.c))
HV_SRC    := $(wildcard hv/*.c hv/*/*.c)
ARCH_SRC  := $(filter-out arch/x86/asm_offsets.c,$(wildcard arch/x86/*.c arch/x86/*.S))
DRV_SRC   := $(wildcard drivers/*.c)
PARSE_SRC := $(wildcard boot/load/*.c boot/acpi/*.c boot/option/*.c)
BOOT_SRC  := $(wildcard boot/*.c boot/*.S)

# Files that never touch hardware: they build a second time for the development host.
PURE := $(LIB_SRC) $(CORE_SRC) $(HV_SRC) $(PARSE_SRC) \
	arch/x86/vmx_ctls.c arch/x86/vmx_caps.c arch/x86/vmx_optional.c \
	arch/x86/mitigation.c drivers/fb_text.c drivers/font8x8.c

KERNEL_SRC := $(BOOT_SRC) $(PARSE_SRC) $(ARCH_SRC) $(DRV_SRC) $(HV_SRC) $(CORE_SRC) $(LIB_SRC)
FAKES      := $(wildcard tests/host/fakes/*.c)
MODELS     := $(wildcard tests/host/models/*.c)
HOST_TESTS := $(wildcard tests/host/*/test_*.c)
HOST_TOOLS := $(wildcard tests/host/tools/*.c)
FUZZERS    := $(wildcard tests/fuzz/*.c)

# Files whose symbols gcc calls behind our back (memcpy): link-time optimisation drops them.
NO_LTO := core/lib/string.c

# --- flags ------------------------------------------------------------------------------------

cc-option = $(shell $(CC) -Werror $(1) -c -x c /dev/null -o /dev/null 2>/dev/null && echo $(1))

WERROR ?= 1
WARN := -Wall -Wextra -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) -Wshadow \
	-Wconversion -Wno-sign-conversion -Wundef -Wvla -Walloca -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wnested-externs -Wredundant-decls \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough \
	-Wframe-larger-than=1024
WARN_GCC := -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference \
	-Wcast-align=strict -Wjump-misses-init -Wtrampolines
WARN_KERNEL := -Wstack-usage=1024

# The same bytes in whatever folder.
SAME_PATHS := -ffile-prefix-map=$(CURDIR)=.

KCFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-strict-aliasing -fno-strict-overflow \
	-fno-delete-null-pointer-checks -fno-common -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -fcf-protection=none \
	-fstack-protector-strong -mstack-protector-guard=global -fno-jump-tables \
	$(SAME_PATHS) $(call cc-option,-mpreferred-stack-boundary=3) \
	$(call cc-option,-ftrivial-auto-var-init=zero) $(call cc-option,-mharden-sls=all) \
	$(call cc-option,-mindirect-branch=thunk-extern) \
	$(call cc-option,-mindirect-branch-register) \
	$(WARN) $(WARN_GCC) $(WARN_KERNEL) -I.
KLTO    := -flto=auto -ffat-lto-objects
KASFLAGS := -g -D__ASSEMBLY__ -fno-pic -fno-pie $(SAME_PATHS) -I.
KLDFLAGS := -nostdlib -static -no-pie -Wl,-z,noexecstack,-z,separate-code \
	-Wl,-z,max-page-size=0x1000,--build-id=none,--warn-rwx-segments,--fatal-warnings \
	-Wl,--orphan-handling=error,--gc-sections

SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HOST_CFLAGS := -std=gnu17 -O1 -g -fstrict-aliasing -Wstrict-aliasing=2 -fno-common \
	-DKENSHO_HOST=1 $(SAN) $(filter-out -Wframe-larger-than=1024,$(WARN)) \
	$(filter-out -Wnull-dereference,$(WARN_GCC)) $(COVERAGE) -I.
FUZZ_CFLAGS := -std=gnu17 -O1 -g -DKENSHO_HOST=1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all $(filter-out -Wframe-larger-than=1024 -Werror,$(WARN)) \
	-Wno-unknown-warning-option -I.

# The exit path: a frame pointer would cost each function three instructions of every exit. Their
# callers are still in the backtrace of a panic.
HOT := core/exit/exit.c core/surface/exit_cpuid.c core/exit/exit_cpu.c core/surface/msr.c core/vp/event.c core/vp/vp_run.c \
	core/apic/vlapic.c core/apic/vlapic_msr.c core/apic/vlapic_icr.c core/apic/vlapic_timer.c \
	core/apic/irq_fwd.c core/apic/lazy_eoi.c core/time/timer.c core/exit/exit_event.c hv/kvm/kvm.c hv/kvm/clock.c \
	hv/hyperv/vmcall.c hv/hyperv/time.c hv/hyperv/tlbflush.c core/vp/tlb_flush.c
$(HOT:%.c=build/kernel/%.o): KCFLAGS += -fomit-frame-pointer

# core/lib/string.c: or memcpy compiles into a call to itself.
build/kernel/core/lib/string.o: KCFLAGS += -fno-tree-loop-distribute-patterns
build/host/core/lib/string.o build/fuzz/core/lib/string.o: EXTRA := -fno-builtin

# The commit is seen by one file only, so that a new commit rebuilds one file only.
VERSION := $(shell tools/version.sh)
build/kernel/boot/version.o build/host/boot/version.o: EXTRA := -DKENSHO_VERSION='"$(VERSION)"'

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(1) $(2))

# --- user-visible targets ---------------------------------------------------------------------
#
# Each first installs what is missing (tools/setup.sh says what before it does), then makes what
# it needs in a second make: flags probed before the compiler was there would be wrong.

setup = $(Q)tools/setup.sh $(1)
build = +$(Q)$(MAKE) -j$$(nproc) $(1)
# KERNEL, INITRD, APPEND and HV reach the tools through the environment: make exports them.
FUZZ_SECONDS ?= 60

.PHONY: all run test check mutants nightly bench iso abi-test.iso usb dist lint options docs tidy format coverage \
	fuzz clean help
all: ## build the hypervisor (build/kensho.elf)
	$(call setup,build)
	$(call build,$(B)/kensho.elf)

run: ## boot Linux, or your guest, to a shell in this terminal
	$(call setup,build)
	$(Q)$(PYTHON) tools/run.py --check
	$(call setup,run)
	$(call build,$(B)/kensho.elf)
	$(Q)$(PYTHON) tools/run.py

test: ## everything CI runs; ends with one line that counts
	$(call setup,test)
	+$(Q)MAKE='$(MAKE)' $(PYTHON) tests/run/all.py test

check: ## lint and host tests: a minute or two
	$(call setup,check)
	+$(Q)MAKE='$(MAKE)' $(PYTHON) tests/run/all.py check

mutants: ## break one line at a time and see a host test fail (ONLY=regex)
	$(call setup,check)
	+$(Q)MAKE='$(MAKE)' $(PYTHON) tests/run/mutate.py $(if $(ONLY),"$(ONLY)")

nightly: ## once a day: deeper analysis, long fuzzing, all mutations, more guest runs
	$(call setup,nightly)
	+$(Q)MAKE='$(MAKE)' $(PYTHON) tests/run/all.py nightly

bench: ## measure on packaged Bochs 2.7, print beside the targets
	$(call setup,bench)
	$(call build,$(B)/kensho.elf guests)
	$(Q)$(PYTHON) tests/run/bench.py

iso: ## bootable image for CD and USB stick, BIOS and UEFI
	$(call setup,build)
	$(Q)$(PYTHON) tools/mkiso.py --check
	$(call setup,run)
	$(call build,$(B)/kensho.elf)
	$(Q)$(PYTHON) tools/mkiso.py $(B)/kensho.iso

abi-test.iso: ## bootable tests of any hypervisor's KVM and Hyper-V interfaces
	$(call setup,build)
	$(call setup,run)
	$(call build,$(B)/abi-test.elf)
	$(Q)$(PYTHON) tools/abi_iso.py $(B)/abi-test.iso

usb: ## write it to a USB stick (DEV=/dev/sdX; else: list them)
	$(Q)$(PYTHON) tools/mkusb.py $(if $(DEV),--check "$(DEV)")
ifneq ($(DEV),)
	+$(Q)$(MAKE) iso
	$(Q)$(PYTHON) tools/mkusb.py "$(DEV)"
endif

dist: ## the release: image, ELF, sources, checksums
	$(call setup,dist)
	$(Q)$(PYTHON) tools/dist.py

lint: ## layers, W^X, sizes, format, headers, cppcheck
	$(call setup,check)
	$(call build,$(B)/kensho.elf pure-objects $(HOST_TOOL_BINS) $(B)/options)
	$(Q)$(PYTHON) tests/lint/lint.py

# `make options stats` is `make options NAME=stats`: further goals are names then.
ifeq ($(firstword $(MAKECMDGOALS)),options)
NAME := $(if $(filter command line,$(origin NAME)),$(NAME),$(word 2,$(MAKECMDGOALS)))
$(filter-out options help,$(MAKECMDGOALS)):
	@:
endif

options: ## Kensho's options, or all about one (NAME=option)
	$(call setup,build)
	$(call build,-s $(B)/options)
	$(Q)$(B)/options $(if $(NAME),"$(NAME)")

docs: ## write the parts of the pages that are made of the sources
	$(call setup,check)
	$(call build,$(HOST_TOOL_BINS) $(B)/options)
	$(Q)$(PYTHON) tools/docs.py

tidy: ## clang-tidy, gcc -fanalyzer, clang --analyze, cached per file
	$(call setup,test)
	$(call build,$(B)/asm_offsets.h)
	$(Q)$(PYTHON) tests/lint/tidy.py

format: ## clang-format every C file in place
	$(call setup,check)
	$(Q)git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

coverage: ## lines of core and hv that the host tests run
	$(call setup,check)
	$(Q)MAKE='$(MAKE)' $(PYTHON) tests/run/coverage.py -v

fuzz: ## run every fuzzer for FUZZ_SECONDS (60)
	$(call setup,test)
	$(call build,fuzzers)
	$(Q)$(PYTHON) tests/run/fuzz.py --seconds $(FUZZ_SECONDS)

clean: ## delete build/, keep downloaded packages (build/cache)
	$(Q)if [ -d $(B) ]; then find $(B) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +; fi

help: ## this list
	@sed -n 's/^\([a-z.-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo "variables: V=1 verbose, WERROR=0, BOCHS=binary, J=parallel emulators,"
	@echo "           FUZZ_SECONDS=N, ONLY=regex (only matching names);"
	@echo "  guest:   KERNEL=bzImage or multiboot kernel, INITRD=, APPEND='its words',"
	@echo "           HV='options of Kensho' (docs/options.md)"
	@echo "  run:     UEFI=1 (in QEMU/KVM), BARE=1 (without Kensho), MEMORY=MiB, CPUS=N,"
	@echo "           VNC=1 (the screen on port 5900)"
	@echo "  options: NAME=option: all about one"
	@echo "  dist:    DIRTY=1 (in spite of changes that are not committed: without them)"
	@echo "  usb:     DEV=/dev/sdX, CONFIRM=sdX (answers the question without a terminal)"

# For scripts: the value of a variable.
print-%:
	@echo '$(subst ','\'',$($*))'

# --- kernel ---------------------------------------------------------------------------------------

KOBJ := $(patsubst %.c,$(B)/kernel/%.o,$(filter %.c,$(KERNEL_SRC))) \
	$(patsubst %.S,$(B)/kernel/%.S.o,$(filter %.S,$(KERNEL_SRC)))

# The demonstration guest: a program of its own, linked into the image as a file. It takes pure code
# (ACPI tables, formatted text, text on a framebuffer) and nothing else from the hypervisor.
DEMO_CFLAGS := -std=gnu17 -Os -g -ffreestanding -m64 -march=x86-64 -fno-pic -fno-pie -mno-red-zone \
	-mgeneral-regs-only -fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables \
	-ffunction-sections -fdata-sections -fcf-protection=none -fno-stack-protector \
	-fno-tree-loop-distribute-patterns $(SAME_PATHS) \
	$(filter-out -Wmissing-prototypes,$(WARN)) -I.
DEMO_SRC := $(wildcard guests/demo/*.c guests/demo/*.S) $(wildcard boot/acpi/*.c) core/lib/fmt.c \
	core/lib/string.c boot/load/framebuffer.c drivers/fb_text.c drivers/font8x8.c
DEMO_OBJ := $(DEMO_SRC:%=$(B)/demo/%.o)

# addr2line wants the one with symbols.
$(B)/demo.elf: $(B)/demo.sym.elf
	$(Q)$(OBJCOPY) -S $< $@

$(B)/demo.sym.elf: $(DEMO_OBJ) guests/demo/demo.ld
	$(call say,LD,$@)
	$(Q)$(CC) -m64 -nostdlib -static -no-pie \
		-Wl,--build-id=none,-z,noexecstack,-z,max-page-size=16,--gc-sections,--no-warn-rwx-segments \
		-Wl,-T,guests/demo/demo.ld $(DEMO_OBJ) -o $@

$(B)/demo/%.c.o: %.c $(B)/flags-demo
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(DEMO_CFLAGS) -MMD -MP -c $< -o $@

$(B)/demo/%.S.o: %.S $(B)/flags-demo
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -m64 $(KASFLAGS) -MMD -MP -c $< -o $@

$(B)/kernel/boot/demo_blob.S.o: $(B)/demo.elf
$(B)/kernel/boot/demo_blob.S.o: KASFLAGS += -Wa,-I$(B)

$(B)/kensho.elf: $(KOBJ) linker.ld $(B)/flags-kernel
	$(call say,LD,$@)
	$(Q)$(CC) $(KCFLAGS) $(KLTO) $(KLDFLAGS) -Wl,-T,linker.ld -Wl,-Map,$(B)/kensho.map \
		$(KOBJ) -o $@

$(B)/kernel/%.o: %.c $(B)/flags-kernel | $(B)/asm_offsets.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KCFLAGS) $(if $(filter $(NO_LTO),$<),,$(KLTO)) $(EXTRA) -MMD -MP -c $< -o $@

$(B)/kernel/%.S.o: %.S $(B)/asm_offsets.h $(B)/flags-kernel
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KASFLAGS) -MMD -MP -c $< -o $@

# Structure offsets for assembly: asm_offsets.c emits `.ascii "->NAME $VALUE"` lines.
$(B)/asm_offsets.h: arch/x86/asm_offsets.c $(B)/flags-kernel
	$(call say,OFFS,$@)
	@mkdir -p $(@D)
	@echo '/* Generated from arch/x86/asm_offsets.c. */' > $@.tmp
	$(Q)$(CC) $(KCFLAGS) -MMD -MP -MT $@ -MF $(B)/asm_offsets.d -S $< -o $(B)/asm_offsets.s
	$(Q)sed -n 's/^.*"->\([A-Za-z0-9_]*\) \$$*\([-0-9]*\).*"$$/#define \1 \2/p' $(B)/asm_offsets.s >> $@.tmp
	@mv $@.tmp $@

$(B)/kernel/boot/version.o $(B)/host/boot/version.o: $(B)/version

# Objects depend on these: a changed flag or version rebuilds what it concerns.
define stamp
$(1): FORCE
	@mkdir -p $$(@D); printf '%s\n' $(2) | cmp -s - $$@ || printf '%s\n' $(2) > $$@
endef
$(eval $(call stamp,$(B)/flags-kernel,'$(CC) $(subst ','\'',$(KCFLAGS) $(KLTO) $(KASFLAGS) $(KLDFLAGS))'))
$(eval $(call stamp,$(B)/flags-demo,'$(CC) $(subst ','\'',$(DEMO_CFLAGS) $(KASFLAGS))'))
$(eval $(call stamp,$(B)/flags-host,'$(HOSTCC) $(subst ','\'',$(HOST_CFLAGS))'))
$(eval $(call stamp,$(B)/flags-fuzz,'$(FUZZCC) $(subst ','\'',$(FUZZ_CFLAGS))'))
$(eval $(call stamp,$(B)/version,'$(VERSION)'))
.PHONY: FORCE
FORCE:

# --- host: pure files, fakes, one binary per test file --------------------------------------------

# The real-mode code of guest=disk0 is bytes on every machine.
PURE_HOST := $(PURE:%.c=$(B)/host/%.o) $(FAKES:%.c=$(B)/host/%.o) $(MODELS:%.c=$(B)/host/%.o) \
	$(B)/host/boot/disk_stub.S.o
HOST_BINS := $(addprefix $(B)/host/,$(notdir $(HOST_TESTS:.c=)))
HOST_TOOL_BINS := $(HOST_TOOLS:tests/host/%.c=$(B)/host/%)

.PHONY: host-tests pure-objects
host-tests: $(HOST_BINS) $(HOST_TOOL_BINS) $(B)/options
pure-objects: $(PURE:%.c=$(B)/kernel/%.o)

$(B)/host/%.o: %.c $(B)/flags-host
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@
	$(call localise,$<,$@)

$(B)/host/%.S.o: %.S $(B)/flags-host
	$(call say,HOSTAS,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -D__ASSEMBLY__ -I. -MMD -MP -c $< -o $@

# The sanitizers own memcpy and friends on the host: ours are called kensho_memcpy there.
LIBC_NAMES := memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr \
	strcpy strncpy strlcpy strstr strtoul snprintf vsnprintf
localise = $(if $(filter core/lib/string.c core/lib/fmt.c,$(1)),$(Q)$(OBJCOPY) \
	$(foreach n,$(LIBC_NAMES),--redefine-sym $(n)=kensho_$(n)) $(2))

$(B)/host/libpure.a: $(PURE_HOST)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $(PURE_HOST)

# tests/host/FOLDER/test_X.c makes build/host/test_X.
$(foreach test,$(HOST_TESTS),$(eval $(B)/host/$(notdir $(test:.c=)): $(B)/host/$(test:.c=.o)))
$(HOST_TOOL_BINS): $(B)/host/%: $(B)/host/tests/host/%.o

$(HOST_BINS) $(HOST_TOOL_BINS): $(B)/host/libpure.a
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(SAN) $(COVERAGE) $(filter %.o,$^) $(B)/host/libpure.a -lcmocka -lm \
		$(EXTRA_LIBS) -o $@

# Without its package a test says so itself.
$(B)/host/test_decode_zydis: EXTRA_LIBS = $(shell echo '#include <Zydis/Zydis.h>' | \
	$(HOSTCC) -E - >/dev/null 2>&1 && echo -lZydis -lZycore)

$(B)/host/test_disk_int15 $(B)/host/test_disk_boot: \
	EXTRA_LIBS = $(shell echo '#include <unicorn/unicorn.h>' | \
	$(HOSTCC) -E - >/dev/null 2>&1 && echo -lunicorn)

# Kensho's options on the host: the image's own table and parser. Built without sanitizers from these
# files only, in less than a second, because `make run` judges a command line before it builds or
# installs anything. A feature's hooks have nothing behind them here, and are not called.
OPTION_SRC := tools/options.c $(wildcard boot/option/*.c hv/*/*.c) $(filter hv/features.c hv/abis.c \
	hv/hypervisor.c core/lib/fmt.c core/lib/string.c core/lib/word.c,$(PURE))
OPTION_CFLAGS := -std=gnu17 -O0 -DKENSHO_HOST=1 -fno-builtin -I.

$(B)/options: $(OPTION_SRC:%.c=$(B)/option/%.o)
	$(Q)$(HOSTCC) -no-pie -Wl,--unresolved-symbols=ignore-all $^ -o $@

$(B)/option/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(OPTION_CFLAGS) -MMD -MP -c $< -o $@

# --- fuzzers: the same pure files under clang's libFuzzer -----------------------------------------

FUZZ_BINS := $(FUZZERS:tests/fuzz/%.c=$(B)/fuzz/bin/%)

.PHONY: fuzzers
fuzzers: $(FUZZ_BINS)

$(B)/fuzz/%.o: %.c $(B)/flags-fuzz
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZCC) $(FUZZ_CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@
	$(call localise,$<,$@)

$(B)/fuzz/libpure.a: $(PURE:%.c=$(B)/fuzz/%.o) $(FAKES:%.c=$(B)/fuzz/%.o) $(MODELS:%.c=$(B)/fuzz/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(FUZZ_BINS): $(B)/fuzz/bin/%: $(B)/fuzz/tests/fuzz/%.o $(B)/fuzz/libpure.a
	$(call say,FUZZLD,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZCC) -fsanitize=fuzzer,address,undefined $< $(B)/fuzz/libpure.a -o $@

# --- guests: bare-metal programs that run under the hypervisor (target `guests`) -------------------

include tests/guest/guest.mk

# --- dependencies -----------------------------------------------------------------------------------

-include $(KOBJ:.o=.d) $(DEMO_OBJ:.o=.d) $(B)/asm_offsets.d $(PURE_HOST:.o=.d) \
	$(OPTION_SRC:%.c=$(B)/option/%.d) $(HOST_TESTS:%.c=$(B)/host/%.d) $(HOST_TOOLS:%.c=$(B)/host/%.d) \
	$(foreach f,$(PURE) $(FAKES) $(MODELS) $(FUZZERS),$(f:%.c=$(B)/fuzz/%.d))
