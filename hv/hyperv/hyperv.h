/* SPDX-License-Identifier: BSD-2-Clause */
/* The Hyper-V paravirtual ABI. */
#pragma once

struct hv_abi;

extern const struct hv_abi hyperv_abi;
