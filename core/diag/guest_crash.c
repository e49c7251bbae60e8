/* SPDX-License-Identifier: BSD-2-Clause */
/* See guest_crash.h. Any CPU. */
#include "core/diag/guest_crash.h"

#include "core/diag/log.h"
#include "core/lib/bits.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"

#define LINE_CHARS 100u

struct report {
	u32 count; /* so many crashes so far */
	u32 vp;
	u64 param[GUEST_CRASH_PARAMS];
	size_t len; /* of the text, at most GUEST_CRASH_TEXT */
};

static struct {
	struct spinlock lock; /* LOCK: the members below; nothing is printed under it */
	struct report last;
	char text[GUEST_CRASH_TEXT]; /* as the guest has it */
} crash;

/* Of the last report, to print from. */
static struct {
	u32 busy; /* a CPU prints from it */
	char text[GUEST_CRASH_TEXT];
} copy;

static void keep(struct report *r, const char *text)
{
	spin_lock(&crash.lock);
	r->count = crash.last.count + 1;
	crash.last = *r;
	memcpy(crash.text, text, r->len);
	spin_unlock(&crash.lock);
}

static char printable(char c)
{
	return c >= ' ' && c <= '~' ? c : '.';
}

static void dump_text(void (*line)(const char *fmt, ...), const char *text, size_t len)
{
	char out[LINE_CHARS + 1];
	u32 n = 0;

	for (size_t i = 0; i <= len; i++) {
		bool ends = i == len || text[i] == '\n';

		if ((ends && n != 0) || n == LINE_CHARS) {
			out[n] = '\0';
			line("guest crash: %s", out);
			n = 0;
		}
		if (!ends)
			out[n++] = printable(text[i]);
	}
}

static void dump(void (*line)(const char *fmt, ...), const struct report *r, const char *text)
{
	const u64 *p = r->param;

	line("guest crash %u, on vp%u: 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx, %u bytes of text",
	     r->count, r->vp, p[0], p[1], p[2], p[3], p[4], (u32)r->len);
	dump_text(line, text, r->len);
}

void guest_crash_note(u32 vp, const u64 param[GUEST_CRASH_PARAMS], const char *text, size_t len)
{
	struct report r = { .vp = vp, .len = umin64(len, GUEST_CRASH_TEXT) };

	memcpy(r.param, param, sizeof(r.param));
	keep(&r, text);
	if (r.count <= GUEST_CRASHES_LOGGED)
		dump(log_error, &r, text);
	else
		log_guest("guest crash %u, on vp%u", r.count, vp);
}

u32 guest_crash_count(void)
{
	return READ_ONCE(crash.last.count);
}

/* Serial lines are slow, and who waits for the lock answers no other CPU. */
void guest_crash_dump(void (*line)(const char *fmt, ...))
{
	struct report r;

	if (__atomic_exchange_n(&copy.busy, 1, __ATOMIC_ACQUIRE) != 0)
		return;
	spin_lock(&crash.lock);
	r = crash.last;
	memcpy(copy.text, crash.text, r.len);
	spin_unlock(&crash.lock);
	if (r.count == 0)
		line("guest crash: none so far");
	else
		dump(line, &r, copy.text);
	STORE_RELEASE(copy.busy, 0);
}

void guest_crash_dump_alone(void (*line)(const char *fmt, ...))
{
	if (crash.last.count != 0)
		dump(line, &crash.last, crash.text);
}

void guest_crash_reset(void)
{
	memset(&crash, 0, sizeof(crash));
}
