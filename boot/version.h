/* SPDX-License-Identifier: BSD-2-Clause */
/* Version and commit of this build. */
#pragma once

extern const char kensho_version[]; /* "0.1.0-1234abcd5678" */
