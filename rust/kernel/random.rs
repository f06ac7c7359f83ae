// SPDX-License-Identifier: GPL-2.0

//! Random numbers that nobody can guess.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use netdev_bindings as bindings;

/// Returns a random number. In any context. Early at boot, before there is enough randomness, it may
/// be predictable.
pub fn random_u64() -> u64 {
    // SAFETY: An FFI call without requirements.
    unsafe { bindings::get_random_u64() }
}
