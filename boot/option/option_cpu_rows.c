/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that cpu= accepts besides the features (hv/feature.h): those of QEMU 7.2 with only one
 * right value here. Pure data.
 *
 * Spec: QEMU "CPU features" (qemu-system-x86_64 -cpu help).
 */
#include "boot/option/option_internal.h"
#include "core/lib/bits.h"

/* The order matters: the first row that has the name decides. */
/* clang-format off */
const struct cpu_fixed_row cpu_fixed_rows[] = {
	{ CPU_FIXED_ON, "kvm-pv-enforce-cpuid",
	  "an MSR or hypercall that CPUID does not show is always refused" },
	{ CPU_FIXED_ON, "enforce check", "a feature that cannot be given always stops the boot" },
	{ CPU_FIXED_OFF, "kvm-asyncpf kvm-asyncpf-int kvm-asyncpf-vmexit",
	  "asynchronous page faults are not in this version" },
	{ CPU_FIXED_OFF, "kvm-msi-ext-dest-id",
	  "it needs interrupt remapping, and there is none yet" },
	{ CPU_FIXED_OFF, "kvm-mmu", "KVM and Linux have given it up long ago" },
	{ CPU_FIXED_OFF, "kvm-hc-map-gpa-range kvm-migration-control",
	  "nothing would act on what the guest says with it" },
	{ CPU_FIXED_ON, "hv-enforce-cpuid",
	  "an MSR or hypercall that CPUID does not show is always refused" },
	{ CPU_FIXED_OFF, "hv-evmcs hv-emsr-bitmap hv-tlbflush-direct",
	  "VMX inside the guest is not in this version yet" },
	{ CPU_FIXED_OFF, "vmx vmx-*", "VMX inside the guest is not in this version" },
	{ CPU_FIXED_OFF, "pmu pdcm ds ds-cpl dtes64 arch-lbr full-width-write intel-pt intel-pt-lip",
	  "there is no virtual PMU and no tracing" },
	{ CPU_FIXED_OFF, "sgx sgx1 sgx2 sgx-debug sgx-exinfo sgx-kss sgx-mode64 sgx-provisionkey "
			 "sgx-tokenkey sgxlc smx",
	  "enclaves and measured launch are hidden" },
	{ CPU_FIXED_OFF, "amx-bf16 amx-int8 amx-tile xfd mpx hle rtm tsx-ldtrk waitpkg pks "
			 "bus-lock-detect core-capability acpi tm tm2 est cid xtpr pbe pn dca ia64 pcommit",
	  "nothing here backs it" },
	{ CPU_FIXED_OFF, "3dnow 3dnowext ace2 ace2-en amd-no-ssb amd-ssbd amd-stibp avic clzero "
			 "cmp-legacy cr8legacy decodeassists extapic flushbyasid fma4 fxsr-opt ibpb "
			 "ibrs ibs lbrv lwp misalignsse mmxext nodeid-msr npt nrip-save osvw "
			 "pause-filter perfctr-core perfctr-nb pfthreshold phe phe-en pmm pmm-en "
			 "skinit sse4a svm svm-lock svme-addr-chk tbm tce topoext tsc-scale "
			 "v-vmsave-vmload vgif virt-ssbd vmcb-clean wdt xcrypt xcrypt-en xop "
			 "xsaveerptr xstore xstore-en",
	  "Intel processors have no such thing" },
	{ CPU_FIXED_OFF, "migratable", "guests do not move to another machine" },
	{ CPU_FIXED_ON, "tsc-deadline tsc-adjust arat", "the virtual APIC and TSC always have it" },
	{ CPU_FIXED_ON, "host-cache-info host-phys-bits", "caches and addresses are the machine's" },
	{ CPU_FIXED_NEITHER, "monitor mwait", "write mwait=c1 or mwait=hide for it" },
	{ CPU_FIXED_NEITHER,
	  "3dnowprefetch abm adx aes apic arch-capabilities avx avx-vnni avx2 avx512-4fmaps "
	  "avx512-4vnniw avx512-bf16 avx512-fp16 avx512-vp2intersect avx512-vpopcntdq avx512bitalg "
	  "avx512bw avx512cd avx512dq avx512er avx512f avx512ifma avx512pf avx512vbmi avx512vbmi2 "
	  "avx512vl avx512vnni bmi1 bmi2 cldemote clflush clflushopt clwb cmov cx16 cx8 de erms "
	  "f16c fma fpu fsgsbase fsrm fxsr gfni ht ibrs-all invpcid invtsc la57 lahf-lm lm mca mce "
	  "md-clear mds-no mmx movbe movdir64b movdiri msr mtrr nx pae pat pcid pclmulqdq "
	  "pdpe1gb pge pku pni popcnt pschange-mc-no pse pse36 rdctl-no rdpid rdrand rdseed rdtscp "
	  "rsba sep serialize sha-ni skip-l1dfl-vmentry smap smep spec-ctrl split-lock-detect ss "
	  "ssb-no ssbd sse sse2 sse4-1 sse4.1 sse4-2 sse4.2 ssse3 stibp syscall taa-no tsc tsx-ctrl "
	  "umip vaes vme vpclmulqdq wbnoinvd x2apic xgetbv1 xsave xsavec xsaveopt xsaves",
	  "the processor's own features are shown wherever the machine and Kensho have them" },
	{ CPU_FIXED_NEITHER, "family guest-phys-bits kvm-no-smi-migration l3-cache level level-func7 "
			     "lmce min-level min-xlevel model model-id phys-bits stepping tcg-cpuid "
			     "tsc-frequency vendor xlevel fill-mtrr-mask full-cpuid-auto-level "
			     "legacy-cache xen-vapic x-*",
	  "what is not a feature is the machine's own" },
};
/* clang-format on */

const u32 cpu_fixed_row_count = ARRAY_SIZE(cpu_fixed_rows);
