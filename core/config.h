/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user has chosen about the partition: made of the rows of core/config.def, which the
 * options of the command line are made of, too. Read-only once boot has copied it into the
 * partition.
 */
#pragma once

#include "core/lib/types.h"

#define CONFIG_ADAPTS (~0u) /* lapic_timer_advance_ns=-1 */

/* Connections: to whom messages or events go. */
#define CONFIG_PORTS_MAX 16u

struct config_port {
	u32 id, vp, sint;
	bool is_event;
};

struct config_ports {
	u32 count;
	struct config_port port[CONFIG_PORTS_MAX];
};

#define BOOL(...)
#define UINT(...)
#define PORTS(...)
#define V(id, word)             id,
#define ENUM(name, values, ...) enum name##_option{ values };
#include "core/config.def"
#undef V

struct config {
#define BOOL(name, ...)        bool name;
#define UINT(name, field, ...) u32 field;
#define ENUM(name, ...)        enum name##_option name;
#define PORTS(name, ...)       struct config_ports name;
#include "core/config.def"
#define NUMBER(field, ...)          u32 field;
#define TEXT(field, word, max, ...) char field[(max) + 1];
#include "hv/settings.def"
	u64 cpu_features; /* a set, numbered in hv/feature.h: follows from profile=, cpu= and hlt=
			   */
};
