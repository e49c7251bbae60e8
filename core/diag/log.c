/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: all go to the ring; the console port decides where else. Pure.
 * Context: any CPU. LOCK: log_lock orders messages; panic paths take no lock.
 */
#include "core/diag/log.h"

#include "core/diag/log_internal.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"
#include "core/partition.h"

#define LINE_MAX         320u
#define GUEST_PER_SECOND 10u

static struct spinlock log_lock;
static bool consoles_taken;

static struct {
	char bytes[LOG_RING_BYTES];
	u64 written; /* in all; the ring holds the last LOG_RING_BYTES of them */
} ring;

static struct {
	u64 window_tsc; /* when the current second began */
	u32 used;       /* messages in it */
	u32 dropped;
} guest_rate;

static struct {
	bool on;
	u64 from; /* ring.written when it began */
} hold;

static void ring_write(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ring.bytes[(ring.written + i) % LOG_RING_BYTES] = s[i];
	ring.written += len;
}

size_t log_ring_read(char *buf, size_t len)
{
	u64 held = umin64(ring.written, LOG_RING_BYTES);
	u64 n = umin64(held, len);
	u64 first = ring.written - held;

	for (u64 i = 0; i < n; i++)
		buf[i] = ring.bytes[(first + i) % LOG_RING_BYTES];
	return n;
}

/* Bytes [@from, ring.written) of the ring to the consoles. */
static void console_catch_up(u64 from, bool panicking)
{
	while (from != ring.written) {
		u64 at = from % LOG_RING_BYTES;
		size_t n = umin64(LOG_RING_BYTES - at, ring.written - from);

		hw_console_write(ring.bytes + at, n, panicking);
		from += n;
	}
}

static void end_hold(bool panicking)
{
	u64 oldest = ring.written - umin64(ring.written, LOG_RING_BYTES);
	char lost[64];

	if (!hold.on)
		return;
	hold.on = false;
	if (oldest > hold.from) {
		size_t n = fmt_print(lost, sizeof(lost), "... %llu bytes of the log are lost\n",
				     oldest - hold.from);

		hw_console_write(lost, n, panicking);
	}
	console_catch_up(umax64(oldest, hold.from), panicking);
}

static void emit(const char *prefix, const char *fmt, va_list ap, bool panicking)
{
	char line[LINE_MAX];
	size_t n = 0;

	while (prefix[n] != '\0') {
		line[n] = prefix[n];
		n++;
	}
	n += fmt_vprint(line + n, LINE_MAX - 1 - n, fmt, ap);
	if (n > LINE_MAX - 2)
		n = LINE_MAX - 2; /* truncate */
	line[n++] = '\n';
	if (panicking || consoles_taken)
		end_hold(true);
	ring_write(line, n);
	if (!hold.on)
		hw_console_write(line, n, panicking || consoles_taken);
}

/* Once the consoles are taken all other CPUs have stopped, and one may have held the lock: skip
 * it. */
static void emit_locked(const char *prefix, const char *fmt, va_list ap)
{
	bool alone = consoles_taken;

	if (!alone)
		spin_lock(&log_lock);
	emit(prefix, fmt, ap, false);
	if (!alone)
		spin_unlock(&log_lock);
}

void log_hold(bool on)
{
	spin_lock(&log_lock);
	if (!on)
		end_hold(false);
	else if (!hold.on)
		hold.from = ring.written;
	hold.on = on;
	spin_unlock(&log_lock);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_locked("", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_locked("warning: ", fmt, ap);
	va_end(ap);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_locked("error: ", fmt, ap);
	va_end(ap);
}

static void emit_dropped(const char *fmt, ...) PRINTF(1, 2);
static void emit_dropped(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("guest: ", fmt, ap, false);
	va_end(ap);
}

/* Under log_lock. A new second reports what the last one dropped. */
static bool guest_may_log(u64 now_tsc)
{
	u64 hz = the_partition.clock.tsc_hz;

	/* Until the clock is known all is one window. */
	if (hz != 0 && now_tsc - guest_rate.window_tsc >= hz) {
		if (guest_rate.dropped != 0)
			emit_dropped("%u message%s dropped", guest_rate.dropped,
				     plural(guest_rate.dropped));
		guest_rate.window_tsc = now_tsc;
		guest_rate.used = 0;
		guest_rate.dropped = 0;
	}
	if (guest_rate.used == GUEST_PER_SECOND) {
		guest_rate.dropped++;
		return false;
	}
	guest_rate.used++;
	return true;
}

void log_guest(const char *fmt, ...)
{
	va_list ap;

	bool may_log;

	spin_lock(&log_lock);
	may_log = guest_may_log(hw_tsc());
	spin_unlock(&log_lock);
	if (!may_log)
		return;
	va_start(ap, fmt);
	emit_locked("guest: ", fmt, ap);
	va_end(ap);
}

void log_vpanic(const char *fmt, va_list ap)
{
	emit("", fmt, ap, true);
}

void log_panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vpanic(fmt, ap);
	va_end(ap);
}

void log_take_consoles(void)
{
	consoles_taken = true;
}

void log_reset(void)
{
	memset(&ring, 0, sizeof(ring));
	memset(&hold, 0, sizeof(hold));
	memset(&guest_rate, 0, sizeof(guest_rate));
	memset(&log_lock, 0, sizeof(log_lock));
	consoles_taken = false;
}
