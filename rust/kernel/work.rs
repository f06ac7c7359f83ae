// SPDX-License-Identifier: GPL-2.0

//! Work that a driver does for a device later, in process context.
//!
//! The one work item of a device lies behind the driver's data. It runs the driver's function only
//! while the device is registered, with a reference to it. So the end of the registration waits for a
//! run to end, without RTNL, before the data are dropped.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{
    area::Area,
    device::Device,
    driver::Driver, //
};
use core::mem::offset_of;
use kernel::{
    sync::{
        aref::ARef,
        rcu, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    }, //
};
use netdev_bindings::{self as bindings, helpers};

impl<T: Driver> Device<T> {
    /// Returns where the work item of a device of this driver is.
    fn work_item(dev: *mut bindings::net_device) -> *mut bindings::delayed_work {
        Area::<T>::of(dev)
            .wrapping_byte_add(offset_of!(Area<T>, work))
            .cast()
    }

    /// Makes the work item.
    ///
    /// # Safety
    ///
    /// `dev` must be a device of this driver that nobody else knows of yet.
    pub(crate) unsafe fn init_work(dev: *mut bindings::net_device) {
        if T::HAS_WORK {
            // SAFETY: There is room for it in the area. It is cancelled by `destroy_work`.
            unsafe { helpers::INIT_DELAYED_WORK(Self::work_item(dev), Some(run::<T>)) };
        }
    }

    /// Cancels the work, and waits until it does not run.
    ///
    /// Never waits for RTNL. Mostly RTNL is not held, and the driver's function has returned, since
    /// it ran with a reference. If the registration of a device fails, RTNL is held; but then
    /// nothing was ever scheduled.
    ///
    /// # Safety
    ///
    /// `dev` must be a device of this driver, after `init_work`, that nobody refers to any more.
    pub(crate) unsafe fn destroy_work(dev: *mut bindings::net_device) {
        if T::HAS_WORK {
            // SAFETY: Made by `init_work`; the context may sleep, as for all who free a device.
            unsafe { bindings::cancel_delayed_work_sync(Self::work_item(dev)) };
        }
    }

    /// Schedules a call of [`Driver::work`], `after` milliseconds from now or somewhat later. In any
    /// context, also with interrupts disabled.
    ///
    /// With 0, a call begins as soon as possible, whatever was scheduled before. With more, a call that
    /// is scheduled already stays as it is, be it sooner or later. So a driver misses nothing whose work
    /// ends with scheduling the next run, and which schedules work with 0 when something happens. For a
    /// device that is not registered, this does nothing.
    pub fn schedule_work(&self, after: Msecs) {
        const { assert!(T::HAS_WORK, "the driver has no work") };
        const ANY_CPU: i32 = bindings::wq_misc_consts_WORK_CPU_UNBOUND as i32;

        if !self.seems_registered() {
            return;
        }
        let work = Self::work_item(self.as_ptr());
        // SAFETY: The queue is set when the kernel boots, and is there as long as it runs.
        let queue = unsafe { bindings::system_dfl_wq };
        if after == 0 {
            // SAFETY: Made by `init_work`, as the device is past its initialisation; and as we refer
            // to the device, it is not destroyed yet.
            unsafe { bindings::mod_delayed_work_on(ANY_CPU, queue, work, 0) };
        } else {
            // The current jiffy is over in part.
            let delay = msecs_to_jiffies(after).saturating_add(1);
            // SAFETY: Made by `init_work`, as the device is past its initialisation; and as we refer
            // to the device, it is not destroyed yet.
            unsafe { bindings::queue_delayed_work_on(ANY_CPU, queue, work, delay) };
        }
    }
}

/// Runs the work of a device, unless the device is being unregistered.
///
/// # Safety
///
/// For the work item of a device of the driver `T` alone.
unsafe extern "C" fn run<T: Driver>(work: *mut bindings::work_struct) {
    const OFFSET: usize = offset_of!(bindings::delayed_work, work);

    let offset = const { offset_of!(Area<T>, work) + OFFSET };
    let dev = Area::<T>::device(work.cast(), offset);
    // SAFETY: By the safety requirement. The device is not destroyed before `destroy_work` has
    // waited for the end of this function.
    let dev = unsafe { Device::<T>::from_raw(dev) };

    // A device is unregistered with a wait for RCU readers before its references are waited for.
    // So the reference is taken in time, or not at all.
    let guard = rcu::read_lock();
    let held = dev.seems_registered().then(|| ARef::from(dev));
    drop(guard);
    if let Some(dev) = held {
        T::work(&dev);
    }
}
