// SPDX-License-Identifier: GPL-2.0

//! The time as a number.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use netdev_bindings as bindings;

/// Returns the nanoseconds of `CLOCK_MONOTONIC`. In any context but that of an NMI.
pub fn monotonic_ns() -> u64 {
    // SAFETY: An FFI call without requirements.
    unsafe { bindings::ktime_get() }.unsigned_abs()
}
