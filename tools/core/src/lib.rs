// SPDX-License-Identifier: GPL-2.0

//! The pure core of the trunk driver, the very files that are built into the kernel module.

#![cfg_attr(not(test), no_std)]
// What the kernel asks of these files, checked here: nothing unsafe, nothing that can panic. Tests
// may.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![warn(missing_docs)]

#[path = "../../../rust/trunk/core/mod.rs"]
mod pure;

pub use pure::*;
