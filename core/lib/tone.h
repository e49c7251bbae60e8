/* SPDX-License-Identifier: BSD-2-Clause */
/* What a text means to the reader; each console has its own way to show it. */
#pragma once

enum tone {
	TONE_PLAIN,
	TONE_GOOD, /* green */
	TONE_BAD,  /* red */
	TONES
};
