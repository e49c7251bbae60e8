/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT entries, the EPT pointer and memory types; usable from .S files. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* Memory types: MTRRs, PAT and EPT share the encoding. 7 (UC-) exists in the PAT only. */
#define MT_UC           0
#define MT_WC           1
#define MT_WT           4
#define MT_WP           5
#define MT_WB           6
#define MT_UC_MINUS     7

/* SDM Vol. 3C, "EPT Translation Mechanism". */
#define EPT_R           BIT64(0)
#define EPT_W           BIT64(1)
#define EPT_X           BIT64(2)                /* supervisor only with mode-based control */
#define EPT_RWX         GENMASK64(2, 0)
#define EPT_MT_SHIFT    3
#define EPT_MT          GENMASK64(5, 3)         /* leaf entries */
#define EPT_IPAT        BIT64(6)
#define EPT_PS          BIT64(7)
#define EPT_A           BIT64(8)
#define EPT_D           BIT64(9)
#define EPT_XU          BIT64(10)
#define EPT_VGP         BIT64(57)               /* verify guest paging */
#define EPT_PW          BIT64(58)               /* paging-write access */
#define EPT_SSS         BIT64(60)               /* supervisor shadow stack */
#define EPT_SPP         BIT64(61)               /* sub-page write permissions */
#define EPT_SUPPRESS_VE BIT64(63)

#define EPT_ADDR        GENMASK64(51, 12)
#define EPT_ADDR_2M     GENMASK64(51, 21)
#define EPT_ADDR_1G     GENMASK64(51, 30)

/* SDM Vol. 3C, "Extended-Page-Table Pointer (EPTP)". */
#define EPTP_MT         GENMASK64(2, 0)         /* MT_UC or MT_WB */
#define EPTP_WALK       GENMASK64(5, 3)         /* levels - 1 */
#define EPTP_WALK_4     3
#define EPTP_WALK_5     4
#define EPTP_AD         BIT64(6)
#define EPTP_SSS        BIT64(7)
#define EPTP_ADDR       GENMASK64(51, 12)
#define EPTP_RESERVED   GENMASK64(11, 8)
