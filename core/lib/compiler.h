/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for the compiler attributes and builtins the project relies on. */
#pragma once

#define MUST_CHECK    __attribute__((warn_unused_result))
#define NORETURN      __attribute__((noreturn))
#define NOINLINE      __attribute__((noinline))
#define COLD          __attribute__((cold)) /* rare: as small as possible, with all it inlines */
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNUSED        __attribute__((unused))
#define PACKED        __attribute__((packed))
#define ALIGNED(n)    __attribute__((aligned(n)))
#define PRINTF(a, b)  __attribute__((format(printf, a, b)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* C17 needs <assert.h> for this spelling; a hosted <assert.h> defines it identically. */
#ifndef static_assert
#define static_assert _Static_assert
#endif

/* One access, not torn, merged or repeated by the compiler. No ordering of other accesses. */
#define READ_ONCE(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

/* A pair: code after the acquire sees what was written before the release. */
#define LOAD_ACQUIRE(x)     __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)
