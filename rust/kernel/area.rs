// SPDX-License-Identifier: GPL-2.0

//! The private area of a device: what a device of a driver has beyond any network device.

use core::mem::offset_of;
use kernel::types::Opaque;
use netdev_bindings as bindings;

/// The private area of a device of the driver `T`.
#[repr(C)]
pub(crate) struct Area<T> {
    /// The driver's data. First, as [`Device::data`](crate::device::Device::data) finds it.
    data: T,
    /// The work of [`Device::schedule_work`](crate::device::Device::schedule_work).
    pub(crate) work: Opaque<bindings::delayed_work>,
    /// The timer of [`Device::start_timer`](crate::device::Device::start_timer).
    pub(crate) timer: Opaque<bindings::hrtimer>,
}

impl<T> Area<T> {
    const OFFSET: usize = offset_of!(bindings::net_device, priv_);

    /// Returns where the area of `dev`, which is a device of the driver, begins.
    #[inline(always)]
    pub(crate) fn of(dev: *mut bindings::net_device) -> *mut Self {
        dev.wrapping_byte_add(Self::OFFSET).cast()
    }

    /// Returns the device whose area has a field at `field`, which is `offset` bytes from its
    /// beginning.
    pub(crate) fn device(field: *mut u8, offset: usize) -> *mut bindings::net_device {
        field.wrapping_sub(offset).wrapping_sub(Self::OFFSET).cast()
    }
}
