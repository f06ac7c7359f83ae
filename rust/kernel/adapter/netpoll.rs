// SPDX-License-Identifier: GPL-2.0

//! What netpoll calls of a driver.
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)

use super::{under_rtnl, Adapter};
use crate::{
    device::Device,
    driver::Driver,
    rcu::RcuIrq,
    skb::SkBuff, //
};
use core::ptr;
use kernel::{
    error::from_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

impl<T: Driver> Adapter<T> {
    /// The operations of a device that has ever been set up for netpoll. Other devices need not look
    /// whose a frame is.
    const NETPOLL_OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_start_xmit: Some(Self::start_xmit_netpoll),
        ..Self::OPS
    };

    /// Sends a frame of netpoll, or any other.
    ///
    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn start_xmit_netpoll(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: The device is alive.
        if !unsafe { helpers::netpoll_tx_running(dev) } {
            // SAFETY: `skb` and `dev` are what this operation was called with.
            return unsafe { Self::start_xmit(skb, dev) };
        }
        // SAFETY: Frames are sent through registered devices.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The frame is the driver's from here on. It is not shared, as `setup` has cleared the
        // flag that allows it.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // SAFETY: Interrupts are disabled, to the end of this call.
        T::transmit_netpoll(dev, skb, unsafe { RcuIrq::assume() }).into_raw()
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn set_up_netpoll(raw: *mut bindings::net_device) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(raw) };
        // The new operations stay: frames of netpoll may come after its end. They differ from the old
        // ones only in how frames are sent.
        //
        // SAFETY: The device is alive, and the operations are constant and static. Readers read the
        // pointer in one piece.
        unsafe { ptr::write_volatile(&raw mut (*raw).netdev_ops, &Self::NETPOLL_OPS) };
        // Netpoll sends by the device only after this operation has returned. Its senders find the new
        // operations because there is a grace period in between.
        //
        // SAFETY: No requirement but that the context may sleep.
        unsafe { bindings::synchronize_net() };
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
