/* SPDX-License-Identifier: BSD-2-Clause */
/* The text screen, or the framebuffer that the loader gave. */
#pragma once

/* screen_init() - from then on what COM1 gets is shown, too. */
void screen_init(void);
