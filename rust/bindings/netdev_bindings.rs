// SPDX-License-Identifier: GPL-2.0

//! Bindings to the kernel's network device interface.
//!
//! Output of `bindgen` over `bindings_helper.h`, and the C helpers of
//! `rust/helpers` under the names of what they wrap. Not for use outside the
//! `netdev` crate.
//!
//! Types here are distinct from those of the same name in `kernel::bindings`,
//! where `net_device` is opaque; pointers are cast where the two meet.

#![allow(
    clippy::all,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
#![allow(
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks
)]
#![cfg_attr(not(CONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES), allow(unknown_lints))]
#![allow(unnecessary_transmutes)]

use kernel::ffi;

mod generated {
    use super::ffi;
    use pin_init::{MaybeZeroable, Zeroable};

    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    // SAFETY: `__BindgenBitfieldUnit<Storage>` is a transparent wrapper of `Storage`.
    unsafe impl<Storage> Zeroable for __BindgenBitfieldUnit<Storage> where Storage: Zeroable {}

    include!(concat!(env!("NETDEV_BINDINGS"), "/bindings_generated.rs"));
}

mod layout;

/// C helpers, in a module of their own: some wrap what other kernel configurations have as an
/// exported function, and the two must not be mixed up.
pub mod helpers {
    use super::{ffi, generated::*};

    include!(concat!(env!("NETDEV_BINDINGS"), "/helpers_generated.rs"));
}

pub use generated::*;
