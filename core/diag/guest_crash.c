/* SPDX-License-Identifier: BSD-2-Clause */
/* See guest_crash.h. Any CPU. */
#include "core/diag/guest_crash.h"

#include "core/diag/log.h"
#include "core/lib/bits.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"

#define LINE_CHARS 100u

static struct {
	struct spinlock lock;
	u32 count; /* so many crashes so far */
	u32 vp;    /* of the last one, as the members below */
	u64 param[GUEST_CRASH_PARAMS];
	size_t len;
	char text[GUEST_CRASH_TEXT];
} crash;

static void keep(u32 vp, const u64 *param, const char *text, size_t len)
{
	crash.count++;
	crash.vp = vp;
	memcpy(crash.param, param, sizeof(crash.param));
	crash.len = umin64(len, GUEST_CRASH_TEXT);
	for (size_t i = 0; i < crash.len; i++) {
		char c = text[i];

		crash.text[i] = c == '\n' || (c >= ' ' && c <= '~') ? c : '.';
	}
}

static void dump_text(void (*line)(const char *fmt, ...))
{
	char out[LINE_CHARS + 1];
	u32 n = 0;

	for (size_t i = 0; i <= crash.len; i++) {
		bool ends = i == crash.len || crash.text[i] == '\n';

		if ((ends && n != 0) || n == LINE_CHARS) {
			out[n] = '\0';
			line("guest crash: %s", out);
			n = 0;
		}
		if (!ends)
			out[n++] = crash.text[i];
	}
}

static void dump(void (*line)(const char *fmt, ...))
{
	const u64 *p = crash.param;

	line("guest crash %u, on vp%u: 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx, %u bytes of text",
	     crash.count, crash.vp, p[0], p[1], p[2], p[3], p[4], (u32)crash.len);
	dump_text(line);
}

void guest_crash_note(u32 vp, const u64 param[GUEST_CRASH_PARAMS], const char *text, size_t len)
{
	spin_lock(&crash.lock);
	keep(vp, param, text, len);
	if (crash.count <= GUEST_CRASHES_LOGGED)
		dump(log_error);
	else
		log_guest("guest crash %u, on vp%u", crash.count, vp);
	spin_unlock(&crash.lock);
}

void guest_crash_dump(void (*line)(const char *fmt, ...))
{
	spin_lock(&crash.lock);
	if (crash.count == 0)
		line("guest crash: none so far");
	else
		dump(line);
	spin_unlock(&crash.lock);
}

void guest_crash_reset(void)
{
	memset(&crash, 0, sizeof(crash));
}
