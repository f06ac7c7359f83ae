// SPDX-License-Identifier: GPL-2.0

//! What netpoll calls of a driver.
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)

use super::{under_rtnl, Adapter};
use crate::{
    area::Area,
    device::Device,
    driver::Driver,
    rcu::RcuIrq,
    skb::SkBuff, //
};
use core::sync::atomic::Ordering;
use kernel::{
    error::from_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

impl<T: Driver> Adapter<T> {
    /// Returns whether netpoll has ever been about to send by the device.
    ///
    /// # Safety
    ///
    /// `dev` must be a registered device of the driver.
    #[inline(always)]
    pub(super) unsafe fn may_be_netpoll(dev: *mut bindings::net_device) -> bool {
        // SAFETY: The area is part of the device, and has been made.
        unsafe { (*Area::<T>::of(dev)).netpoll.load(Ordering::Relaxed) }
    }

    /// Sends a frame if it is one of netpoll, and returns what `ndo_start_xmit` is to return. `None`
    /// if it is not, and the frame is still the caller's.
    ///
    /// # Safety
    ///
    /// To be called by `ndo_start_xmit`, of a registered device of the driver, for the frame it is
    /// given.
    #[cold]
    pub(super) unsafe fn start_xmit_netpoll(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> Option<bindings::netdev_tx_t> {
        // SAFETY: The device is alive.
        if !unsafe { helpers::netpoll_tx_running(dev) } {
            return None;
        }
        // SAFETY: A registered device of the driver, by the safety requirement.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The frame is the driver's from here on. It is not shared, as `setup` has cleared the
        // flag that allows it.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // SAFETY: Interrupts are disabled, to the end of this call.
        let xmit = T::transmit_netpoll(dev, skb, unsafe { RcuIrq::assume() });
        Some(xmit.into_raw())
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn set_up_netpoll(raw: *mut bindings::net_device) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(raw) };
        // SAFETY: The area is part of the device, and has been made.
        let netpoll = unsafe { &(*Area::<T>::of(raw)).netpoll };
        // It stays: some frames of netpoll may come after its end.
        if !netpoll.swap(true, Ordering::Relaxed) {
            // Whoever finds out, after this call, that netpoll may send by the device, finds this,
            // too: there is a grace period in between.
            //
            // SAFETY: No requirement but that the context may sleep.
            unsafe { bindings::synchronize_net() };
        }
        from_result(|| dev.set_up_netpoll(rtnl).map(|()| 0))
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn end_netpoll(dev: *mut bindings::net_device) {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        dev.end_netpoll(rtnl);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn poll(dev: *mut bindings::net_device) {
        // SAFETY: Called for a registered device of the driver.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: Netpoll calls this with interrupts disabled.
        let context = unsafe { RcuIrq::assume() };
        T::poll(dev, context);
    }
}
