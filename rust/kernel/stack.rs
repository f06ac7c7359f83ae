// SPDX-License-Identifier: GPL-2.0

//! What is above and below a device: devices stacked on it, devices it is stacked on, its hardware, and
//! the handler of the frames it receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::NetDevice,
    rcu::Rcu,
    rtnl::Rtnl, //
};
use core::{
    iter,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};
use netdev_bindings as bindings;

impl NetDevice {
    /// Returns whether `upper` is stacked on this device, directly or over others.
    pub fn has_upper(&self, upper: &NetDevice, _rtnl: &Rtnl) -> bool {
        // SAFETY: Both devices are alive, and RTNL is held.
        unsafe { bindings::netdev_has_upper_dev(self.as_ptr(), upper.as_ptr()) }
    }

    /// Returns whether the device is stacked on others, as a VLAN is, or a bridge with ports.
    pub fn has_lower(&self, _rtnl: &Rtnl) -> bool {
        self.is_stacked()
    }

    /// Returns whether the device is stacked on others just now.
    pub fn is_stacked(&self) -> bool {
        // SAFETY: Alive by the type invariant. The list is empty if its head is what follows its head.
        unsafe {
            let list = &raw mut (*self.as_ptr()).adj_list.lower;
            let first = ptr::read_volatile(&raw const (*list).next);
            !ptr::eq(first, list)
        }
    }

    /// Returns whether frames that are handed to the device now are likely to leave the host: the device
    /// is [operational](NetDevice::is_operational), and so is one of those that it is stacked on, down
    /// to the lowest. The kernel passes on the loss of a carrier from a device to those above it late,
    /// and with RTNL held.
    ///
    /// The kernel stacks at most `MAX_NEST_DEV` devices on each other, so this does not go deeper.
    pub fn has_link(&self, rcu: &Rcu) -> bool {
        let mut lowers = self.lowers_rcu(rcu);
        self.is_operational() && (!self.is_stacked() || lowers.any(|lower| lower.has_link(rcu)))
    }

    /// Returns the devices that this one is stacked on directly.
    fn lowers_rcu<'a>(&'a self, _rcu: &'a Rcu) -> impl Iterator<Item = &'a NetDevice> {
        // SAFETY: Alive by the type invariant.
        let mut place = unsafe { &raw mut (*self.as_ptr()).adj_list.lower };
        iter::from_fn(move || {
            // SAFETY: The device is alive. What is taken from the list is freed a grace period later, so
            // not in this RCU read-side critical section.
            let lower = unsafe { bindings::netdev_next_lower_dev_rcu(self.as_ptr(), &mut place) };
            // SAFETY: A lower device that is unlinked may be freed only after it has been
            // unregistered, which waits for such sections.
            NonNull::new(lower).map(|lower| unsafe { Self::from_raw(lower.as_ptr()) })
        })
    }

    /// Returns the devices that this one is stacked on directly.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn lowers(&self, _rtnl: &Rtnl) -> Result<KVVec<ARef<NetDevice>>> {
        let mut lowers = KVVec::new();
        // SAFETY: Alive by the type invariant.
        let mut place = unsafe { (*self.as_ptr()).adj_list.lower.next };
        loop {
            // SAFETY: The device is alive and RTNL is held, so the list does not change.
            let lower = unsafe { bindings::netdev_lower_get_next(self.as_ptr(), &mut place) };
            let Some(lower) = NonNull::new(lower.cast()) else {
                return Ok(lowers);
            };
            // SAFETY: The link holds a reference to the lower device.
            lowers.push(unsafe { Self::from_raw(lower.as_ptr()) }.into(), GFP_KERNEL)?;
        }
    }

    /// Returns the devices that are stacked on this one directly.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn uppers(&self, _rtnl: &Rtnl) -> Result<KVVec<ARef<NetDevice>>> {
        let mut uppers = KVVec::new();
        // SAFETY: Alive by the type invariant.
        let mut place = unsafe { &raw mut (*self.as_ptr()).adj_list.upper };
        loop {
            // SAFETY: The device is alive and RTNL is held, so the list does not change.
            let upper =
                unsafe { bindings::netdev_upper_get_next_dev_rcu(self.as_ptr(), &mut place) };
            let Some(upper) = NonNull::new(upper) else {
                return Ok(uppers);
            };
            // SAFETY: The link holds a reference to the upper device.
            uppers.push(unsafe { Self::from_raw(upper.as_ptr()) }.into(), GFP_KERNEL)?;
        }
    }

    /// Calls `f` for each device that is stacked on this one, directly or over others; for some of them
    /// more than once. If there is no memory, some are left out.
    ///
    /// The kernel stacks at most `MAX_NEST_DEV` devices on each other, so this does not go deeper.
    pub fn for_each_upper(&self, rtnl: &Rtnl, f: &mut impl FnMut(&NetDevice)) {
        for upper in self.uppers(rtnl).unwrap_or_default() {
            f(&upper);
            upper.for_each_upper(rtnl, f);
        }
    }

    /// Returns whether this is a macvlan.
    pub fn is_macvlan(&self, rtnl: &Rtnl) -> bool {
        self.has_priv_flag(bindings::netdev_priv_flags_IFF_MACVLAN, rtnl)
    }

    /// Returns whether ports may be added to the device: it is a bridge, a bond, a trunk.
    pub fn takes_ports(&self) -> bool {
        self.ops().ndo_add_slave.is_some()
    }

    /// Returns the name of the driver of the hardware behind the device. `None` for most virtual
    /// devices.
    pub fn parent_driver<'a>(&'a self, rtnl: &'a Rtnl) -> Option<&'a CStr> {
        let parent = self.parent(rtnl)?;
        // SAFETY: The parent is alive. It is unbound from its driver, and the driver removed, only after
        // the driver has unregistered this device, for which it needs RTNL. If the parent's driver is
        // another one, the pointer may still become null at any time, so it is read once.
        unsafe {
            let driver = ptr::read_volatile(&raw const (*parent.as_ptr()).driver);
            Self::name_at(driver.as_ref()?.name)
        }
    }

    /// Returns the kind of bus that the hardware behind the device is on, such as `pci`.
    pub fn parent_bus<'a>(&'a self, rtnl: &'a Rtnl) -> Option<&'a CStr> {
        let parent = self.parent(rtnl)?;
        // SAFETY: The parent is alive, and so is the kind of its bus, which never changes.
        unsafe { Self::name_at((*parent.as_ptr()).bus.as_ref()?.name) }
    }

    fn parent(&self, rtnl: &Rtnl) -> Option<NonNull<bindings::device>> {
        if !self.is_registered(rtnl) {
            return None;
        }
        // SAFETY: Alive by the type invariant. A registered device refers to its parent, and stays
        // registered while RTNL is held.
        NonNull::new(unsafe { (*self.as_ptr()).dev.parent })
    }

    /// # Safety
    ///
    /// `name` must be null, or valid for all of `'a`.
    unsafe fn name_at<'a>(name: *const c_char) -> Option<&'a CStr> {
        // SAFETY: By the safety requirement.
        (!name.is_null()).then(|| unsafe { CStr::from_char_ptr(name) })
    }

    /// Returns whether a handler takes the frames that the device receives (of a bridge, a macvlan, a
    /// bond).
    pub fn is_rx_handler_busy(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::netdev_is_rx_handler_busy(self.as_ptr()) }
    }

    /// Returns the device that this one is a port of.
    pub fn master<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
        // SAFETY: The device is alive, and RTNL is held.
        let master = unsafe { bindings::netdev_master_upper_dev_get(self.as_ptr()) };
        // SAFETY: The link to the master holds a reference to it, and lasts at least as long as
        // RTNL is held by this thread.
        (!master.is_null()).then(|| unsafe { Self::from_raw(master) })
    }

    /// Returns the device that this one is a port of, without RTNL: it may change meanwhile.
    pub fn master_rcu<'a>(&'a self, _rcu: &'a Rcu) -> Option<&'a NetDevice> {
        // SAFETY: The device is alive, and this is an RCU read-side critical section.
        let master = unsafe { bindings::netdev_master_upper_dev_get_rcu(self.as_ptr()) };
        // SAFETY: A master that is unlinked may be freed only after it has been unregistered, which
        // waits for such sections.
        (!master.is_null()).then(|| unsafe { Self::from_raw(master) })
    }

    /// Notifies the users of the device that it has become part of another one. Netconsole stops
    /// sending by it then.
    pub fn has_joined(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_JOIN) };
    }
}
