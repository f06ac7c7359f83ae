// SPDX-License-Identifier: GPL-2.0

//! What the C side calls of a driver: the operations of ethtool.
//!
//! Driver name and version need no code: the core takes them from the link operations.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use super::{optional, under_rtnl};
use crate::{
    device::Device,
    driver::Driver, //
};
use core::marker::PhantomData;
use kernel::prelude::*;
use netdev_bindings as bindings;

/// The C side of a driver's part in ethtool.
pub(crate) struct EthtoolAdapter<T: Driver>(PhantomData<T>);

impl<T: Driver> EthtoolAdapter<T> {
    pub(crate) const OPS: bindings::ethtool_ops = bindings::ethtool_ops {
        get_link: Some(bindings::ethtool_op_get_link),
        get_link_ksettings: optional(T::HAS_LINK_SETTINGS, Self::link_settings),
        get_sset_count: optional(T::HAS_STATISTICS, Self::count),
        get_strings: optional(T::HAS_STATISTICS, Self::names),
        get_ethtool_stats: optional(T::HAS_STATISTICS, Self::statistics),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// For `ethtool_ops` of a device of this driver alone.
    unsafe extern "C" fn link_settings(
        dev: *mut bindings::net_device,
        settings: *mut bindings::ethtool_link_ksettings,
    ) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        let link = T::link_settings(dev, rtnl);
        // SAFETY: The caller gives room for the answer, with all fields zero.
        let base = unsafe { &mut (*settings).base };
        base.speed = link.speed.unwrap_or(bindings::SPEED_UNKNOWN as u32);
        base.duplex = match link.full_duplex {
            Some(true) => bindings::DUPLEX_FULL as u8,
            Some(false) => bindings::DUPLEX_HALF as u8,
            None => bindings::DUPLEX_UNKNOWN as u8,
        };
        base.port = bindings::PORT_OTHER as u8;
        0
    }

    /// # Safety
    ///
    /// For `ethtool_ops` of a device of this driver alone.
    unsafe extern "C" fn count(_dev: *mut bindings::net_device, set: c_int) -> c_int {
        if set == bindings::ethtool_stringset_ETH_SS_STATS as c_int {
            T::STATISTICS.len() as c_int
        } else {
            EOPNOTSUPP.to_errno()
        }
    }

    /// # Safety
    ///
    /// For `ethtool_ops` of a device of this driver alone; `data` has room for as many names as `count`
    /// returns.
    unsafe extern "C" fn names(_dev: *mut bindings::net_device, set: u32, mut data: *mut u8) {
        if set != bindings::ethtool_stringset_ETH_SS_STATS {
            return;
        }
        for name in T::STATISTICS {
            // SAFETY: There is room for one more name, which is NUL-terminated.
            unsafe { bindings::ethtool_puts(&mut data, name.as_char_ptr()) };
        }
    }

    /// # Safety
    ///
    /// For `ethtool_ops` of a device of this driver alone; `data` has room for as many figures as `count`
    /// returns.
    unsafe extern "C" fn statistics(
        dev: *mut bindings::net_device,
        _stats: *mut bindings::ethtool_stats,
        data: *mut u64,
    ) {
        // SAFETY: Called for a registered device of this driver.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: By the safety requirement, and the room is zeroed.
        let values = unsafe { core::slice::from_raw_parts_mut(data, T::STATISTICS.len()) };
        T::statistics(dev, values);
    }
}
