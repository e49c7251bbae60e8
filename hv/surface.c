/* SPDX-License-Identifier: BSD-2-Clause */
/* Merges and seals all rows that a guest can see: the machine model's and the ABIs'. */
#include "core/apic/vlapic.h"
#include "core/mem/mtrr.h"
#include "hv/hv.h"

err_t hv_build_surface(struct partition *p, const char **what)
{
	exit_table_init(&exit_table_guest);
	*what = "CPUID rows";
	TRY(cpuid_add_rows(p, 0, cpuid_host_rows, cpuid_host_row_count));
	*what = "MSR rows";
	TRY(msr_add_rows(p, msr_arch_rows, msr_arch_row_count));
	*what = "MTRR rows";
	TRY(msr_add_rows(p, mtrr_msr_rows, mtrr_msr_row_count));
	*what = "APIC rows";
	TRY(msr_add_rows(p, vlapic_msr_rows, vlapic_msr_row_count));
	*what = "module rows";
	TRY(hv_register(p));
	*what = "sealing CPUID";
	TRY(cpuid_seal(p));
	*what = "sealing MSRs";
	return msr_seal(p);
}
