/* SPDX-License-Identifier: BSD-2-Clause */
/* core/hw.h for the development host. Context: tests and fuzzers, one thread. */
#include "tests/host/fakes/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/vp/vp.h"

struct fake_hw fake;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(fake.io_val, 0xff, sizeof(fake.io_val));
	fake.tsc = 1000000;
}

err_t hw_vector_read(enum hw_vector kind, u32 nr, u64 val[4])
{
	if (nr >= (kind == HW_MMX ? 8 : 16))
		abort();
	if (kind == HW_MMX && fake.x87_pending)
		return ERR_BUSY;
	if (kind == HW_MMX)
		val[0] = fake.mmx[nr];
	else
		memcpy(val, fake.vector[nr], kind == HW_YMM ? 32 : 16);
	return ERR_NONE;
}

err_t hw_vector_write(enum hw_vector kind, u32 nr, const u64 val[4])
{
	if (nr >= (kind == HW_MMX ? 8 : 16))
		abort();
	if (kind == HW_MMX && fake.x87_pending)
		return ERR_BUSY;
	if (kind == HW_MMX)
		fake.mmx[nr] = val[0];
	else
		memcpy(fake.vector[nr], val, kind == HW_YMM ? 32 : 16);
	return ERR_NONE;
}

/* The store of the VMCS at @pa, a fresh one when it has none. */
static u64 *parked_vmcs(u64 pa)
{
	for (u32 i = 0; i < FAKE_VMCSS; i++) {
		if (fake.parked[i].pa == pa || fake.parked[i].pa == 0) {
			fake.parked[i].pa = pa;
			return fake.parked[i].field;
		}
	}
	abort();
}

void hw_vmcs_load(hpa_t vmcs)
{
	fake.vmcs_loads++;
	if (vmcs.v == fake.vmcs_pa)
		return;
	if (fake.vmcs_pa != 0)
		memcpy(parked_vmcs(fake.vmcs_pa), fake.vmcs, sizeof(fake.vmcs));
	memcpy(fake.vmcs, parked_vmcs(vmcs.v), sizeof(fake.vmcs));
	fake.vmcs_pa = vmcs.v;
}

void hw_vmcs_clear(hpa_t vmcs)
{
	fake.vmcs_clears++;
}

void fake_ram(u8 *mem, u64 base, u64 size)
{
	fake.ram = mem;
	fake.ram_base = base;
	fake.ram_size = size;
}

struct fake_msr *fake_msr_find(u32 msr)
{
	for (u32 i = 0; i < fake.msr_count; i++) {
		if (fake.msr[i].msr == msr)
			return &fake.msr[i];
	}
	return NULL;
}

static struct fake_msr *msr_entry(u32 msr)
{
	struct fake_msr *m = fake_msr_find(msr);

	if (m != NULL)
		return m;
	if (fake.msr_count == FAKE_MSRS)
		abort();
	m = &fake.msr[fake.msr_count++];
	*m = (struct fake_msr){ .msr = msr };
	return m;
}

void fake_msr_set(u32 msr, u64 val)
{
	msr_entry(msr)->val = val;
}

void fake_msr_fault(u32 msr, bool on_read, bool on_write)
{
	struct fake_msr *m = msr_entry(msr);

	m->fault_read = on_read;
	m->fault_write = on_write;
}

static struct fake_cpuid *cpuid_entry(u32 leaf, u32 subleaf)
{
	for (u32 i = 0; i < fake.cpuid_count; i++) {
		if (fake.cpuid[i].leaf == leaf && fake.cpuid[i].subleaf == subleaf)
			return &fake.cpuid[i];
	}
	return NULL;
}

void fake_cpuid_set(u32 leaf, u32 subleaf, u32 a, u32 b, u32 c, u32 d)
{
	struct fake_cpuid *e = cpuid_entry(leaf, subleaf);

	if (e == NULL) {
		if (fake.cpuid_count == FAKE_CPUIDS)
			abort();
		e = &fake.cpuid[fake.cpuid_count++];
	}
	*e = (struct fake_cpuid){ leaf, subleaf, { a, b, c, d } };
}

/* --- VMCS and time --- */

u64 hw_vmread(enum vmcs_field field)
{
	fake.vmreads++;
	if (fake.on_vmread != NULL)
		fake.on_vmread(fake.vmreads);
	return fake.vmcs[(u32)field % FAKE_VMCS_SIZE];
}

u64 hw_vmread_hot(enum vmcs_field field)
{
	return hw_vmread(field);
}

void hw_vmwrite_hot(enum vmcs_field field, u64 val)
{
	hw_vmwrite(field, val);
}

err_t hw_vmread_safe(enum vmcs_field field, u64 *val)
{
	if (fake.vmcs_absent)
		return ERR_NODEV;
	*val = hw_vmread(field);
	return ERR_NONE;
}

void hw_vmwrite(enum vmcs_field field, u64 val)
{
	fake.vmwrites++;
	fake.vmcs[(u32)field % FAKE_VMCS_SIZE] = val;
}

u64 hw_tsc(void)
{
	u64 now;

	if (fake.on_tsc != NULL)
		fake.on_tsc();
	now = fake.tsc;
	fake.tsc += fake.tsc_step;
	return now;
}

u64 hw_timer_arm(u64 delta_tsc)
{
	fake.timer_delta = delta_tsc;
	fake.timer_arms++;
	return delta_tsc;
}

/* --- Local APIC: an inert one; tests/host/models/apic_model.c replaces it when it is linked --- */

__attribute__((weak)) u32 hw_lapic_read(u32 reg)
{
	(void)reg;
	return 0;
}

__attribute__((weak)) u64 hw_lapic_isr_tmr(u32 word)
{
	(void)word;
	return 0;
}

__attribute__((weak)) void hw_lapic_write(u32 reg, u32 val)
{
	(void)reg;
	(void)val;
}

__attribute__((weak)) void hw_lapic_eoi(void)
{
}

__attribute__((weak)) bool hw_lapic_set_x2apic(bool on)
{
	return on;
}

__attribute__((weak)) void hw_irq_window(void)
{
	fake.irq_windows++;
	if (fake.irq_window != NULL)
		fake.irq_window();
}

u32 hw_ioapic_read(u32 offset)
{
	return offset == 0x10 ? fake.ioapic[fake.ioapic_select & 0xff] : fake.ioapic_select;
}

void hw_ioapic_write(u32 offset, u32 val)
{
	if (offset == 0)
		fake.ioapic_select = val;
	else if (offset == 0x10)
		fake.ioapic[fake.ioapic_select & 0xff] = val;
	else if (offset == 0x40)
		fake.ioapic_eoi = val, fake.ioapic_eois++;
}

bool hw_kick(struct vp *vp)
{
	if (vp->kicked != 0)
		return false;
	if (fake.kick_count < FAKE_KICKS)
		fake.kicked[fake.kick_count] = vp;
	fake.kick_count++;
	if (fake.kick != NULL)
		fake.kick(vp);
	return true;
}

void hw_nmi_unblock(void)
{
	fake.nmi_unblocks++;
}

struct vp *hw_cpu_vp(void)
{
	return fake.cpu_vp;
}

/* --- MSRs, CPUID, control registers --- */

err_t hw_rdmsr_safe(u32 msr, u64 *val)
{
	const struct fake_msr *m = fake_msr_find(msr);

	fake.msr_reads++;
	if (m == NULL || m->fault_read)
		return ERR_FAULT;
	*val = m->val;
	return ERR_NONE;
}

err_t hw_wrmsr_safe(u32 msr, u64 val)
{
	struct fake_msr *m = fake_msr_find(msr);

	fake.msr_writes++;
	if (m == NULL || m->fault_write)
		return ERR_FAULT;
	m->val = val;
	return ERR_NONE;
}

void hw_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	const struct fake_cpuid *e = cpuid_entry(leaf, subleaf);

	fake.cpuid_calls++;
	*out = e != NULL ? e->regs : (struct cpuid_regs){ 0 };
	if (e == NULL && fake.cpuid_fn != NULL)
		fake.cpuid_fn(leaf, subleaf, out);
}

void hw_xsetbv(u64 xcr0)
{
	fake.xcr0 = xcr0;
	fake.xsetbvs++;
}

u64 hw_read_dr(u32 nr)
{
	return fake.dr[nr & 7];
}

void hw_write_dr(u32 nr, u64 val)
{
	fake.dr[nr & 7] = val;
}

u64 hw_read_cr2(void)
{
	return fake.cr2;
}

void hw_write_cr2(u64 val)
{
	fake.cr2 = val;
}

void hw_wbinvd(void)
{
	fake.wbinvds++;
}

/* --- Memory --- */

void *hw_phys_to_virt(hpa_t pa)
{
	if (pa.v - fake.ram_base < fake.ram_size)
		return fake.ram + (pa.v - fake.ram_base);
	return (void *)(uintptr_t)pa.v;
}

hpa_t hw_virt_to_phys(const void *va)
{
	u64 off = (uintptr_t)va - (uintptr_t)fake.ram;

	if (fake.ram != NULL && off < fake.ram_size)
		return hpa(fake.ram_base + off);
	return hpa((uintptr_t)va);
}

void hw_invept(u64 eptp)
{
	fake.invept_eptp = eptp;
	fake.invepts++;
}

void hw_invvpid(u16 vpid)
{
	fake.invvpid_vpid = vpid;
	fake.invvpids++;
}

/* --- Port I/O --- */

static void io_record(u16 port, u32 size, bool write, u32 val)
{
	if (fake.io_count < FAKE_IO_LOG)
		fake.io[fake.io_count] = (struct fake_io){ port, (u8)size, write, val };
	fake.io_count++;
}

u32 hw_io_in(u16 port, u32 size)
{
	u32 val = fake.io_in != NULL ? fake.io_in(port, size) : fake.io_val[port];

	val &= (u32)size_mask(size);
	io_record(port, size, false, val);
	return val;
}

void hw_io_out(u16 port, u32 size, u32 val)
{
	val &= (u32)size_mask(size);
	fake.io_val[port] = val;
	io_record(port, size, true, val);
	if (fake.io_out != NULL)
		fake.io_out(port, size, val);
}

/* --- Ends --- */

static NORETURN void fake_ends(enum fake_end end, const char *what)
{
	fake.end = end;
	if (fake.end_caught)
		longjmp(fake.end_jmp, 1);
	fprintf(stderr, "%s() outside FAKE_CATCH(); console so far:\n%s\n", what, fake.console);
	abort();
}

void hw_reboot(void)
{
	fake_ends(FAKE_END_REBOOT, "hw_reboot");
}

void hw_halt(void)
{
	fake_ends(FAKE_END_HALT, "hw_halt");
}

void hw_console_write(const char *s, size_t len, bool panic)
{
	size_t room = FAKE_CONSOLE - 1 - fake.console_len;

	if (len > room)
		len = room;
	memcpy(fake.console + fake.console_len, s, len);
	fake.console_len += len;
	fake.console[fake.console_len] = '\0';
	if (panic)
		fake.console_panic_len += len;
	if (fake.console_stops)
		fake_ends(FAKE_END_HALT, "hw_console_write");
}

void hw_console_tone(enum tone tone)
{
	fake.tone[tone]++;
	if (tone != TONE_PLAIN)
		fake.tone_from = fake.console_len;
	else
		fake.tone_to = fake.console_len;
}

void hw_crash_dump(void)
{
	fake.crash_dumps++;
}
