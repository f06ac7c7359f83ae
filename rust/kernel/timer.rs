// SPDX-License-Identifier: GPL-2.0

//! The timer of a device, for what its driver does at exact times and without waiting for a process.
//!
//! The one timer of a device lies behind the driver's data. While it runs, [`Driver::timer`] returns
//! each time when it is due next, as a time of `CLOCK_MONOTONIC`, so that delays do not add up. It ends
//! with the registration of the device.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use crate::{
    area::Area,
    device::Device,
    driver::Driver,
    rcu::RcuBh,
    rtnl::Rtnl,
    time::monotonic_ns, //
};
use core::mem::offset_of;
use kernel::sync::rcu;
use netdev_bindings::{self as bindings, helpers};

const MODE: bindings::hrtimer_mode = bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT;

impl<T: Driver> Device<T> {
    /// Returns where the timer of a device of this driver is.
    fn timer(dev: *mut bindings::net_device) -> *mut bindings::hrtimer {
        Area::<T>::of(dev)
            .wrapping_byte_add(offset_of!(Area<T>, timer))
            .cast()
    }

    /// Makes the timer.
    ///
    /// # Safety
    ///
    /// `dev` must be a device of this driver that nobody else knows of yet.
    pub(crate) unsafe fn init_timer(dev: *mut bindings::net_device) {
        const CLOCK: bindings::clockid_t = bindings::CLOCK_MONOTONIC as bindings::clockid_t;

        if T::HAS_TIMER {
            // SAFETY: There is room for it in the area.
            unsafe { bindings::hrtimer_setup(Self::timer(dev), Some(run::<T>), CLOCK, MODE) };
        }
    }

    /// Starts the timer, or restarts it if it runs. The first call of [`Driver::timer`] comes at once,
    /// perhaps before this returns, but not from this function. For a device that is not registered,
    /// this does nothing.
    ///
    /// Waits as [`Device::stop_timer`] does.
    pub fn start_timer(&self, rtnl: &Rtnl) {
        const { assert!(T::HAS_TIMER, "the driver has no timer") };

        if !self.is_registered(rtnl) {
            return;
        }
        self.stop_timer(rtnl);
        // SAFETY: Made by `init_timer`. Nobody else starts it, as RTNL is held; and it does not run, so
        // its function is not just setting when it is due next. The device is registered: it is stopped
        // in `uninit`, before the device is freed.
        unsafe { bindings::hrtimer_start_range_ns(Self::timer(self.as_ptr()), 0, 0, MODE) };
    }

    /// Stops the timer, and waits for a running call to end. So it must not be stopped under a lock
    /// that the call takes.
    pub fn stop_timer(&self, _rtnl: &Rtnl) {
        if T::HAS_TIMER {
            // SAFETY: Made by `init_timer`. As RTNL is held, sleeping is allowed.
            unsafe { bindings::hrtimer_cancel(Self::timer(self.as_ptr())) };
        }
    }
}

/// Calls [`Driver::timer`].
///
/// # Safety
///
/// For the timer of a device of the driver `T` alone.
unsafe extern "C" fn run<T: Driver>(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    let dev = Area::<T>::device(timer.cast(), offset_of!(Area<T>, timer));
    // SAFETY: By the safety requirement. The device is registered, as the timer is stopped before it
    // is not any more.
    let dev = unsafe { Device::<T>::from_raw(dev) };
    let next = {
        let _guard = rcu::read_lock();
        // SAFETY: RCU was locked just now, for all of this block; and a timer of a soft mode expires
        // with bottom halves disabled and interrupts enabled.
        let context = unsafe { RcuBh::assume() };
        T::timer(dev, context)
    };
    let Some(next) = next else {
        return bindings::hrtimer_restart::HRTIMER_NORESTART;
    };
    // The core handles all timers that are due before it does anything else. With a time that has
    // passed already, this one would be among them again and again.
    let next = next.max(monotonic_ns().saturating_add(1));
    let next = i64::try_from(next).unwrap_or(i64::MAX);
    // SAFETY: The timer is the one that has expired, and is in no queue: nobody else starts it before
    // this returns.
    unsafe { helpers::hrtimer_set_expires(timer, next) };
    bindings::hrtimer_restart::HRTIMER_RESTART
}
