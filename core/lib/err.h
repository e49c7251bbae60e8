/* SPDX-License-Identifier: BSD-2-Clause */
/* Internal error codes; architectural and ABI results have their own types. */
#pragma once

#include "core/lib/compiler.h"

typedef enum err {
	ERR_NONE,
	ERR_INVAL, /* argument or input violates its contract */
	ERR_NOMEM, /* no page, slot or descriptor left */
	ERR_NODEV, /* hardware or required capability is absent */
	ERR_FAULT, /* address not mapped or access not allowed */
	ERR_BUSY,  /* in use or in transition; may be retried */
	ERR_AGAIN, /* not now: the page is on its way, and nothing has happened; try again later */
	ERR_RANGE, /* index or value outside the supported range */
	ERR_NOENT, /* nothing found under that name or number */
} err_t;

/* Leave the calling function with the error of 'expr', if it has one. */
#define TRY(expr)                         \
	do {                              \
		err_t try_err_ = (expr);  \
		if (try_err_ != ERR_NONE) \
			return try_err_;  \
	} while (0)

static inline const char *err_name(err_t err)
{
	switch (err) {
	case ERR_NONE:
		return "none";
	case ERR_INVAL:
		return "invalid";
	case ERR_NOMEM:
		return "no memory";
	case ERR_NODEV:
		return "no device";
	case ERR_FAULT:
		return "fault";
	case ERR_BUSY:
		return "busy";
	case ERR_AGAIN:
		return "not now";
	case ERR_RANGE:
		return "out of range";
	case ERR_NOENT:
		return "no entry";
	}
	return "?";
}
