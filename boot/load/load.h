/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest images: recognise, check, plan. A loader is pure: it reads the image bytes and produces a
 * plan (copies, zeroed ranges, small blobs, entry state); load_execute() alone writes guest memory,
 * after the whole plan was checked against the memory map.
 */
#pragma once

#include "boot/load/boot_info.h"
#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/e820.h"

struct bios_hook;
struct vp;

enum module_role { ROLE_UNKNOWN, ROLE_KERNEL, ROLE_INITRD, ROLE_MODULE };

struct guest_image {
	const u8 *data; /* hypervisor mapping of the module */
	hpa_t start;
	u64 len;
	const char *cmdline; /* after the role prefix was stripped */
	enum module_role role;
};

#define LOAD_COPIES_MAX 64

/* One step: copy @len bytes from @src (or zero when @src.v is ~0 with @blob NULL) to @dst. */
struct load_copy {
	u64 dst;
	u64 src;        /* physical address; ignored when @blob is set */
	const u8 *blob; /* small data built by the loader, inside struct load_plan.scratch */
	u64 len;
	u64 zero_len; /* then zeroed */
	u64 room;     /* then kept free: the image will use it */
};

/* Real mode: CS starts at @rip, IP is 0, everything else is as after reset. */
enum entry_mode { ENTRY_PROTECTED32, ENTRY_LONG64, ENTRY_REAL16 };

struct load_plan {
	u32 count;
	struct load_copy copy[LOAD_COPIES_MAX];
	u8 scratch[131072] ALIGNED(4096);
	u32 scratch_used;
	struct efi_map efi;          /* the guest's edited copy, while it is made */
	const struct e820_map *idle; /* free places are searched here first, or NULL */
	struct e820_busy taken;      /* final places and images in place: avoided in searches */
	u8 *cursor; /* in the scratch: text column and row, set at the last moment */
	/* entry state */
	enum entry_mode mode;
	u64 rip, rsp, rax, rbx, rsi, cr3;
	u64 gdt_base; /* GPA of the GDT in the plan, 0: none (flat segments are only cached) */
	u32 gdt_limit;
	const char *what; /* "Linux bzImage 6.1.0..., 64-bit protocol", for the log */
	u64 bios_hook;    /* where; 0: the BIOS is not hooked */
	char why[256];    /* on error: cause and remedy; else why the BIOS is not hooked */
};

struct load_input {
	const struct guest_image *kernel;
	const struct guest_image *initrd; /* NULL: none */
	const struct guest_image *module; /* all modules for multiboot guests, in order */
	u32 module_count;
	const struct e820_map *memory; /* the guest's map: region already reserved */
	const struct e820_map *idle;   /* the first choice for images, NULL: @memory */
	const struct boot_efi *efi;    /* NULL or not present: a BIOS machine */
	const struct e820_busy *busy;  /* places where images lie now */
	u64 rsdp_pa;                   /* physical address of the machine's RSDP, 0: none */
	/* For screen_info and multiboot guests. NULL: there is no screen, or not one that works. */
	const struct boot_framebuffer *screen;
	/* For multiboot guests. */
	const char *loader; /* our name and version */
	const u8 *rsdp;     /* copy; NULL: none */
	u32 rsdp_len;
	const struct boot_passed *passed;
	/* For guests that may call the BIOS. NULL: there is none. */
	const struct bios_hook *hook;
};

struct guest_loader {
	const char *name;
	bool calls_bios; /* such a guest may ask it for memory */
	bool (*probe)(const u8 *data, u64 len);
	err_t (*plan)(const struct load_input *in, struct load_plan *out); /* out->why on error */
};

extern const struct guest_loader *const guest_loaders[]; /* NULL-terminated */

/* load_assign_roles() - by "kernel:", "initrd:", "module:" prefixes, else by content. */
MUST_CHECK err_t load_assign_roles(struct guest_image *img, u32 count, char *why, size_t why_len);

/* load_plan_guest() - find the loader and run it; checks that no copy destroys a later source. */
MUST_CHECK err_t load_plan_guest(const struct load_input *in, struct load_plan *out);

/* load_set_entry() - @plan's entry point in the current VMCS, over the reset state of @vp. */
void load_set_entry(struct vp *vp, const struct load_plan *plan);

/* load_execute() - perform the plan through hw_phys_to_virt(). plan_order() has made that safe. */
void load_execute(const struct load_plan *plan);
