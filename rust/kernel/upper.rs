// SPDX-License-Identifier: GPL-2.0

//! Upper and lower devices: how a master is linked to its ports.
//!
//! The link between the two, and the handler of the frames that the port receives, own a [`Lower`],
//! which holds the driver's data of the port. Ports that a driver has not released are released when
//! its device is unregistered, so that neither outlives the module.
//!
//! A port is an Ethernet device and stays one, for received frames have the header of one.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::{Device, NetDevice},
    driver::Driver,
    lower::Lower,
    netlink::ExtAck,
    notifier::{Event, Notice, Notifier},
    receive::receive,
    rtnl::Rtnl, //
};
use core::{
    iter,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{Arc, ArcBorrow}, //
};
use netdev_bindings as bindings;

/// How a link aggregate chooses a port, for lower devices that may do it in hardware
/// (`enum netdev_lag_hash`).
#[derive(Clone, Copy)]
pub enum LagHash {
    /// By MAC addresses.
    L2,
    /// By addresses and ports of the flow.
    L34,
    /// In a way the kernel has no name for.
    Unknown,
}

impl<T: Driver> Device<T> {
    /// Makes `port` a port of this device, and `data` the handler of its frames. If netpoll sends by
    /// this device, it may then send by the port.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `port` is no Ethernet device, `EBUSY` if it has another handler or a loop would
    /// arise, `EMLINK` if devices would be stacked too high, `ENOTSUPP` if netpoll cannot send by the
    /// port and has to, `ENOMEM`. Nothing is changed then.
    pub fn enslave(
        &self,
        port: &NetDevice,
        data: T::Port,
        hash: LagHash,
        extack: &mut ExtAck<'_>,
        rtnl: &Rtnl,
    ) -> Result<Arc<Lower<T>>> {
        const { assert!(T::HAS_ADD_PORT, "the driver is not one of master devices") };

        if !port.is_ethernet() {
            return Err(EINVAL);
        }
        let lower = Arc::new(Lower::new(self, port, data), GFP_KERNEL)?;
        if self.is_in_netpoll(rtnl) {
            lower.set_up_netpoll(rtnl)?;
        }
        self.link(port, lower.clone(), hash, extack)
            .inspect_err(|_| lower.end_netpoll(rtnl))?;
        Ok(lower)
    }

    /// Links `port` to this device, and registers the handler of the frames it receives.
    fn link(
        &self,
        port: &NetDevice,
        lower: Arc<Lower<T>>,
        hash: LagHash,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        let data = Arc::into_raw(lower).cast_mut().cast();
        let mut info = bindings::netdev_lag_upper_info {
            tx_type: bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_HASH,
            hash_type: match hash {
                LagHash::L2 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L2,
                LagHash::L34 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L34,
                LagHash::Unknown => bindings::netdev_lag_hash_NETDEV_LAG_HASH_UNKNOWN,
            },
        };

        // SAFETY: The device is alive, and callers hold RTNL. `data` belongs to the link from here on,
        // and is taken back after the handler is gone: below, or in `release`. The port is an Ethernet
        // device, and stays one, because of `PortsKeepType`.
        let linked = to_result(unsafe {
            bindings::netdev_rx_handler_register(port.as_ptr(), Some(receive::<T>), data)
        })
        .and_then(|()| {
            // SAFETY: Both devices are alive and RTNL is held. `data` belongs to the link from here
            // on; `info` is read during the call only.
            to_result(unsafe {
                bindings::netdev_master_upper_dev_link(
                    port.as_ptr(),
                    self.as_ptr(),
                    data,
                    (&raw mut info).cast(),
                    extack.as_ptr(),
                )
            })
            // SAFETY: The handler is the one registered above.
            .inspect_err(|_| unsafe { bindings::netdev_rx_handler_unregister(port.as_ptr()) })
        });
        if linked.is_err() {
            // SAFETY: From `into_raw` above, and no handler has it any more.
            drop(unsafe { Arc::from_raw(data.cast::<Lower<T>>()) });
        }
        linked
    }

    /// Returns what the link to `port` owns. Null if it is not a port of this device.
    fn port_data(&self, port: &NetDevice) -> *mut Lower<T> {
        // SAFETY: Both devices are alive; callers hold RTNL.
        unsafe { bindings::netdev_lower_dev_get_private(self.as_ptr(), port.as_ptr()) }.cast()
    }

    /// Undoes [`Device::enslave`]: no frame is being handled when this returns. Returns the data, or
    /// `None` if `port` is not a port of this device.
    pub fn release(&self, port: &NetDevice, rtnl: &Rtnl) -> Option<Arc<Lower<T>>> {
        let data = self.port_data(port);
        if data.is_null() {
            return None;
        }
        // SAFETY: The device is alive and RTNL is held. Only `link` links a lower device with data, so
        // it has registered the handler. This waits for running handlers.
        unsafe { bindings::netdev_rx_handler_unregister(port.as_ptr()) };
        // SAFETY: Both devices are alive and RTNL is held; they are linked, as there are data.
        unsafe { bindings::netdev_upper_dev_unlink(port.as_ptr(), self.as_ptr()) };
        // SAFETY: From `into_raw` in `link`; the link that owned it is gone.
        let lower = unsafe { Arc::from_raw(data) };
        lower.end_netpoll(rtnl);
        Some(lower)
    }

    /// Returns the device of this driver that `dev` is a port of, and its data as a port.
    pub fn of_port<'a>(dev: &'a NetDevice, rtnl: &'a Rtnl) -> Option<(&'a Self, Arc<Lower<T>>)> {
        let upper = Self::from_netdev(dev.master(rtnl)?)?;
        let data = NonNull::new(upper.port_data(dev))?;
        // SAFETY: From `into_raw` in `link`, and owned by the link, which is there now.
        let data = unsafe { ArcBorrow::from_raw(data.as_ptr()) };
        Some((upper, data.into()))
    }

    /// Returns the lower device of that number, counted from 0 in the order of their linking.
    fn lower<'a>(&self, number: usize, _rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
        // SAFETY: Alive by the type invariant.
        let mut iter = unsafe { (*self.as_ptr()).adj_list.lower.next };
        let next = || {
            // SAFETY: The device is alive and RTNL is held, so the list does not change.
            let lower = unsafe { bindings::netdev_lower_get_next(self.as_ptr(), &mut iter) };
            NonNull::new(lower.cast())
        };
        let lower = iter::from_fn(next).nth(number)?;
        // SAFETY: The link holds a reference to the lower device. If the link ends, the device is not
        // freed before RTNL is released.
        Some(unsafe { NetDevice::from_raw(lower.as_ptr()) })
    }

    /// Calls `f` for each port. If `f` releases ports, it is not called for some of the others.
    fn for_each_lower(&self, rtnl: &Rtnl, mut f: impl FnMut(&NetDevice, &Lower<T>)) {
        // No place in the list is kept while `f` may change it; lists are short.
        for port in (0..usize::MAX).map_while(|number| self.lower(number, rtnl)) {
            if let Some((_, lower)) = Self::of_port(port, rtnl) {
                f(port, &lower);
            }
        }
    }

    /// Calls `f` for each port. If `f` releases ports, it is not called for some of the others.
    pub fn for_each_port(&self, rtnl: &Rtnl, mut f: impl FnMut(&NetDevice, &T::Port)) {
        self.for_each_lower(rtnl, |port, lower| f(port, lower));
    }

    /// Sets up all ports for netpoll. If one refuses, ends netpoll on all.
    #[cfg(CONFIG_NETPOLL)]
    pub(crate) fn set_up_netpoll(&self, rtnl: &Rtnl) -> Result {
        let mut result = Ok(());
        self.for_each_lower(rtnl, |_, lower| {
            if result.is_ok() {
                result = lower.set_up_netpoll(rtnl);
            }
        });
        result.inspect_err(|_| self.end_netpoll(rtnl))
    }

    /// Undoes [`Device::set_up_netpoll`].
    #[cfg(CONFIG_NETPOLL)]
    pub(crate) fn end_netpoll(&self, rtnl: &Rtnl) {
        self.for_each_lower(rtnl, |_, lower| lower.end_netpoll(rtnl));
    }

    /// Releases all ports.
    pub(crate) fn release_all(&self, rtnl: &Rtnl) {
        while let Some(port) = self.lower(0, rtnl) {
            if self.release(port, rtnl).is_none() {
                return;
            }
        }
    }

    /// Derives from the ports what this device offers to devices stacked on it: segmentation, headroom,
    /// features for tagged and tunnelled frames.
    pub fn inherit_features(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::netdev_compute_master_upper_features(self.as_ptr(), true) };
    }

    /// Calls notifiers: `port` has a link or not, and is used to transmit or not.
    pub fn lower_state_changed(
        &self,
        port: &NetDevice,
        link_up: bool,
        tx_enabled: bool,
        rtnl: &Rtnl,
    ) {
        if !port.master(rtnl).is_some_and(|master| master.is(self)) {
            return;
        }
        let mut info = bindings::netdev_lag_lower_state_info::default();
        info.set_link_up(link_up.into());
        info.set_tx_enabled(tx_enabled.into());
        // SAFETY: The device is alive, is a lower device of this aggregate, and RTNL is held;
        // `info` is read during the call only.
        unsafe {
            bindings::netdev_lower_state_changed(port.as_ptr(), (&raw mut info).cast());
        }
    }
}

/// Refuses that a port of the driver `T` becomes another type of device.
pub(crate) struct PortsKeepType<T>(PhantomData<T>);

impl<T: Driver> Notifier for PortsKeepType<T> {
    fn notify(notice: &Notice<'_>) -> Result {
        match notice.event() {
            Event::PreTypeChange if Device::<T>::of_port(notice.dev(), notice.rtnl()).is_some() => {
                Err(EBUSY)
            }
            _ => Ok(()),
        }
    }
}
