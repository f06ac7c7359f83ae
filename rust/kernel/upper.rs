// SPDX-License-Identifier: GPL-2.0

//! Upper and lower devices: how a master has its ports.
//!
//! The link between the two, and the handler of the frames that the port receives, own the driver's
//! data of the port. Whatever ports a driver leaves behind are released when its device goes, so
//! that neither outlives the module.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::{Device, NetDevice},
    driver::Driver,
    netlink::ExtAck,
    rtnl::Rtnl,
    rx_handler, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{Arc, ArcBorrow}, //
};
use netdev_bindings::{self as bindings, helpers};

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

/// Evidence that the lock of a device's address lists is held.
pub struct AddrLists<'a, T: Driver>(&'a Device<T>);

impl<'a, T: Driver> AddrLists<'a, T> {
    /// States that the lock is held.
    ///
    /// # Safety
    ///
    /// It must be, for all of `'a`.
    pub(crate) unsafe fn assume_locked(dev: &'a Device<T>) -> Self {
        Self(dev)
    }

    /// Adds to `port` the unicast and multicast addresses that the device wants and the port does
    /// not have of it yet, and removes those no longer wanted.
    pub fn sync_to(&self, port: &NetDevice) {
        // SAFETY: Both devices are alive, and the lock of the upper one's lists is held. A port
        // that has no memory for an address misses it, as one that is out of filters would.
        unsafe {
            bindings::dev_uc_sync_multiple(port.as_ptr(), self.0.as_ptr());
            bindings::dev_mc_sync_multiple(port.as_ptr(), self.0.as_ptr());
        }
    }
}

impl<T: Driver> Device<T> {
    /// Makes `port` a port of this device, and `data` the taker of its frames.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody else has the port or a loop would arise, `EMLINK` if devices would be
    /// stacked too high, `ENOMEM`. Nothing is changed then.
    pub fn enslave(
        &self,
        port: &NetDevice,
        data: Arc<T::Port>,
        hash: LagHash,
        extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        let data = Arc::into_raw(data).cast_mut().cast();
        let mut info = bindings::netdev_lag_upper_info {
            tx_type: bindings::netdev_lag_tx_type_NETDEV_LAG_TX_TYPE_HASH,
            hash_type: match hash {
                LagHash::L2 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L2,
                LagHash::L34 => bindings::netdev_lag_hash_NETDEV_LAG_HASH_L34,
                LagHash::Unknown => bindings::netdev_lag_hash_NETDEV_LAG_HASH_UNKNOWN,
            },
        };

        // SAFETY: Both devices are alive and RTNL is held. `data` belongs to the link from here on,
        // and is taken back after the handler is gone: below, or in `release`.
        let linked = to_result(unsafe {
            bindings::netdev_rx_handler_register(
                port.as_ptr(),
                Some(rx_handler::receive::<T::Port>),
                data,
            )
        })
        .and_then(|()| {
            // SAFETY: As above; `info` is read during the call only.
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
            drop(unsafe { Arc::from_raw(data.cast::<T::Port>()) });
        }
        linked
    }

    /// What the link to `port` owns, if it is one of ours.
    fn port_data(&self, port: &NetDevice) -> *mut T::Port {
        // SAFETY: Both devices are alive; callers hold RTNL.
        unsafe { bindings::netdev_lower_dev_get_private(self.as_ptr(), port.as_ptr()) }.cast()
    }

    /// Undoes [`Device::enslave`]: no frame is being handled when this returns. Gives back the
    /// data, or `None` if `port` is not a port of this device.
    pub fn release(&self, port: &NetDevice, _rtnl: &Rtnl) -> Option<Arc<T::Port>> {
        let data = self.port_data(port);
        if data.is_null() {
            return None;
        }
        // SAFETY: Both devices are alive and RTNL is held; they were linked by `enslave`, which is
        // the only one to link a lower device with data. Unregistering waits for handlers at work.
        unsafe {
            bindings::netdev_rx_handler_unregister(port.as_ptr());
            bindings::netdev_upper_dev_unlink(port.as_ptr(), self.as_ptr());
        }
        // SAFETY: From `into_raw` in `enslave`; the link that owned it is gone.
        Some(unsafe { Arc::from_raw(data) })
    }

    /// The device of this driver that `dev` is a port of, and its data as a port.
    pub fn of_port<'a>(dev: &'a NetDevice, rtnl: &'a Rtnl) -> Option<(&'a Self, Arc<T::Port>)> {
        let upper = Self::from_netdev(dev.master(rtnl)?)?;
        let data = NonNull::new(upper.port_data(dev))?;
        // SAFETY: From `into_raw` in `enslave`, and owned by the link, which is there now.
        let data = unsafe { ArcBorrow::from_raw(data.as_ptr()) };
        Some((upper, data.into()))
    }

    /// The lower device of that number, counted from 0 in the order of their linking.
    fn lower<'a>(&self, number: usize, _rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
        // SAFETY: Alive by the type invariant.
        let mut iter = unsafe { (*self.as_ptr()).adj_list.lower.next };
        let mut passed = 0usize;
        loop {
            // SAFETY: The device is alive and RTNL is held, so the list does not change.
            let lower = unsafe { bindings::netdev_lower_get_next(self.as_ptr(), &mut iter) };
            let lower = NonNull::new(lower)?;
            if passed == number {
                // SAFETY: The link holds a reference to the lower device. Should it end, the device
                // is not freed before RTNL is let go.
                return Some(unsafe { NetDevice::from_raw(lower.as_ptr().cast()) });
            }
            passed = passed.wrapping_add(1);
        }
    }

    /// Calls `f` for each port. Should it release some, others may be left out.
    pub fn for_each_port(&self, rtnl: &Rtnl, mut f: impl FnMut(&NetDevice, &T::Port)) {
        // No place in the list is kept while `f` may change it; lists are short.
        for port in (0..usize::MAX).map_while(|number| self.lower(number, rtnl)) {
            if let Some((_, data)) = Self::of_port(port, rtnl) {
                f(port, &data);
            }
        }
    }

    /// Does the device have ports?
    pub fn has_ports(&self, rtnl: &Rtnl) -> bool {
        self.lower(0, rtnl).is_some()
    }

    /// Releases what ports there still are.
    pub(crate) fn release_all(&self, rtnl: &Rtnl) {
        while let Some(port) = self.lower(0, rtnl) {
            if self.release(port, rtnl).is_none() {
                return;
            }
        }
    }

    /// Gives `port` the addresses that this device wants to receive.
    pub fn sync_addresses(&self, port: &NetDevice, _rtnl: &Rtnl) {
        // SAFETY: The device is alive.
        unsafe { helpers::netif_addr_lock_bh(self.as_ptr()) };
        // SAFETY: Just locked.
        unsafe { AddrLists::assume_locked(self) }.sync_to(port);
        // SAFETY: Locked above.
        unsafe { helpers::netif_addr_unlock_bh(self.as_ptr()) };
    }

    /// Takes from `port` the addresses it has of this device.
    pub fn unsync_addresses(&self, port: &NetDevice, _rtnl: &Rtnl) {
        // SAFETY: Both devices are alive. The locks of both lists are taken inside.
        unsafe {
            bindings::dev_uc_unsync(port.as_ptr(), self.as_ptr());
            bindings::dev_mc_unsync(port.as_ptr(), self.as_ptr());
        }
    }

    /// Derives from the ports what this device can offer to those stacked on it: segmentation,
    /// headroom, features for tagged and tunnelled frames.
    pub fn inherit_features(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::netdev_compute_master_upper_features(self.as_ptr(), true) };
    }

    /// Tells whoever watches that `port` has a link or not, and is used to transmit or not.
    pub fn lower_state_changed(
        &self,
        port: &NetDevice,
        link_up: bool,
        tx_enabled: bool,
        rtnl: &Rtnl,
    ) {
        if !port
            .master(rtnl)
            .is_some_and(|master| ptr::eq(master, &**self))
        {
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
