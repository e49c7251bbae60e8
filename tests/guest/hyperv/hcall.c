// SPDX-License-Identifier: BSD-2-Clause
// What the tests of the hypercall interface share.

#include "tests/guest/hyperv/hcall.h"

#include "tests/guest/lib/modes.h"

u64 area[512] ALIGNED(4096);

/*
 * Calls the page with EAX and EDX, EBX:ECX and EDI:ESI from `in`, and stores EDX:EAX and ECX: code
 * for any address below 4 GiB.
 */
struct regs32 {
	u32 edx, ebx, ecx, edi, esi, page;
	u32 result_eax, result_edx, result_ecx;
};
static struct regs32 r32;

static u8 *put32(u8 *p, u8 op, u8 modrm, const void *addr)
{
	u32 val = (u32)at(addr);

	*p++ = op;
	if (modrm != 0)
		*p++ = modrm;
	memcpy(p, &val, 4);
	return p + 4;
}

static u64 make_code32(void)
{
	static u8 code[128] ALIGNED(16);
	u8 *p = code;

	memcpy(p, (const u8[]){ 0x53, 0x56, 0x57 }, 3); /* push ebx, esi, edi */
	p = put32(p + 3, 0x8b, 0x15, &r32.edx);
	p = put32(p, 0x8b, 0x1d, &r32.ebx);
	p = put32(p, 0x8b, 0x0d, &r32.ecx);
	p = put32(p, 0x8b, 0x3d, &r32.edi);
	p = put32(p, 0x8b, 0x35, &r32.esi);
	p = put32(p, 0xff, 0x15, &r32.page); /* call [page] */
	p = put32(p, 0xa3, 0, &r32.result_eax);
	p = put32(p, 0x89, 0x15, &r32.result_edx);
	p = put32(p, 0x89, 0x0d, &r32.result_ecx);
	memcpy(p, (const u8[]){ 0x5f, 0x5e, 0x5b, 0xc3 }, 4);
	return at(code);
}

u64 call32(u64 control, u64 in, u64 out)
{
	u64 code = make_code32();

	r32 = (struct regs32){ .edx = (u32)(control >> 32),
			       .ebx = (u32)(in >> 32),
			       .ecx = (u32)in,
			       .edi = (u32)(out >> 32),
			       .esi = (u32)out,
			       .page = (u32)(hyperv_rip() - 3) };
	trap_clear();
	(void)compat_call(code, G_CODE32, G_CODE64, (u32)control);
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ((u32)in, r32.result_ecx);
	return (u64)r32.result_edx << 32 | r32.result_eax;
}

static u64 seed = 0x9e3779b97f4a7c15;

u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

u64 random_control(void)
{
	static const u16 codes[] = { SPIN,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,
				     HVCALL_GET_VP_REGISTERS,
				     HVCALL_TRANSLATE_VIRTUAL_ADDRESS,
				     HVCALL_POST_MESSAGE,
				     UNKNOWN,
				     0x8001 };
	u64 r = random64(), control = codes[r % ARRAY_SIZE(codes)];

	control |= r & BIT64(16);
	if (r >> 8 & 1)
		control |= random64() & GENMASK64(26, 17);
	if (r >> 9 & 1)
		control |= random64() & GENMASK64(43, 32);
	if (r >> 10 & 1)
		control |= random64() & GENMASK64(59, 48);
	if (r >> 11 & 1)
		control |= BIT64(random64() % 48 + 16);
	return control;
}

u64 random_place(void)
{
	u64 r = random64();

	switch (r & 7) {
	case 0:
		return r;
	case 1:
		return random64() % machine_end();
	case 2:
		return at(area) + (r >> 8) % 4096;
	default:
		return at(area) + ((r >> 8) % 4096 & ~7ull);
	}
}
