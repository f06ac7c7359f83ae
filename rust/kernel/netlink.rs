// SPDX-License-Identifier: GPL-2.0

//! Netlink: what a refused request tells its sender.
//!
//! C header: [`include/linux/netlink.h`](srctree/include/linux/netlink.h)

use core::ptr::NonNull;
use kernel::prelude::*;
use netdev_bindings as bindings;

/// The extended acknowledgement of a request: where a refusal gives its reason in words.
///
/// # Invariants
///
/// The pointer, if any, is valid for reads and writes, by nobody else, while an instance exists.
pub struct ExtAck(Option<NonNull<bindings::netlink_ext_ack>>);

impl ExtAck {
    /// Wraps what a callback was given.
    ///
    /// # Safety
    ///
    /// `ptr` must be null, or valid for reads and writes, by nobody else, while the result exists.
    pub(crate) unsafe fn from_raw(ptr: *mut bindings::netlink_ext_ack) -> Self {
        // INVARIANT: By the safety requirement.
        Self(NonNull::new(ptr))
    }

    /// For a request whose sender cannot be told.
    pub const fn none() -> Self {
        // INVARIANT: No pointer.
        Self(None)
    }

    pub(crate) fn as_ptr(&mut self) -> *mut bindings::netlink_ext_ack {
        self.0.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    /// Sets the reason and returns the error: `return Err(extack.refuse(EBUSY, c"it is up"))`.
    pub fn refuse(&mut self, error: Error, reason: &'static CStr) -> Error {
        if let Some(ptr) = self.0 {
            // SAFETY: Valid for writes by the type invariant. A static string outlives the message.
            unsafe { (*ptr.as_ptr())._msg = reason.as_char_ptr() };
        }
        error
    }

    /// As [`ExtAck::refuse`], unless a reason has been given already.
    pub fn refuse_weakly(&mut self, error: Error, reason: &'static CStr) -> Error {
        let given = self.0.is_some_and(|ptr| {
            // SAFETY: Valid for reads by the type invariant.
            let reason = unsafe { (*ptr.as_ptr())._msg };
            !reason.is_null()
        });
        if given {
            error
        } else {
            self.refuse(error, reason)
        }
    }
}
