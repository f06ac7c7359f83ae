// SPDX-License-Identifier: GPL-2.0

//! What netpoll calls of a driver.
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)

use super::Adapter;
use crate::{
    area::Area,
    device::Device,
    driver::Driver,
    rcu::{RcuBh, RcuIrq},
    rtnl::Rtnl,
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

    /// What `start_xmit` does with a frame that may be one of netpoll.
    ///
    /// # Safety
    ///
    /// See [`Adapter`].
    #[cold]
    pub(super) unsafe fn start_xmit_netpoll(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: Frames are sent through registered devices, and are the driver's from here on. They
        // are not shared, as `setup` has cleared the flag.
        let (dev, skb) = unsafe { (Device::<T>::from_raw(dev), SkBuff::from_raw(skb)) };
        // SAFETY: An FFI call without requirements.
        if unsafe { helpers::netpoll_tx_running(dev.as_ptr()) } {
            // SAFETY: Interrupts are disabled, to the end of this call.
            T::transmit_netpoll(dev, skb, unsafe { RcuIrq::assume() });
            return bindings::netdev_tx_NETDEV_TX_OK;
        }
        // SAFETY: Frames are sent under RCU with bottom halves disabled, unless netpoll sends them.
        T::transmit(dev, skb, unsafe { RcuBh::assume() });
        bindings::netdev_tx_NETDEV_TX_OK
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn set_up_netpoll(raw: *mut bindings::net_device) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(raw), Rtnl::assume_held()) };
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
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        dev.end_netpoll(rtnl);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn poll(dev: *mut bindings::net_device) {
        // SAFETY: A registered device. Netpoll calls this with interrupts disabled.
        let (dev, context) = unsafe { (Device::<T>::from_raw(dev), RcuIrq::assume()) };
        T::poll(dev, context);
    }
}
