// SPDX-License-Identifier: GPL-2.0

//! What kind of device a driver makes.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::features::Features;
use kernel::prelude::*;
use netdev_bindings::{self as bindings, helpers};

/// A device that is being set up: an Ethernet device, to which these functions add properties.
///
/// # Invariants
///
/// The device is allocated and not registered, and nobody else uses it.
pub struct Setup(*mut bindings::net_device);

impl Setup {
    /// Sets up `dev`.
    ///
    /// # Safety
    ///
    /// `dev` must be allocated and not registered, and nobody else may use it before this is gone.
    pub(crate) unsafe fn new(dev: *mut bindings::net_device) -> Self {
        // INVARIANT: By the safety requirement.
        Self(dev)
    }

    pub(crate) fn raw(&mut self) -> &mut bindings::net_device {
        // SAFETY: By the type invariant.
        unsafe { &mut *self.0 }
    }

    pub(crate) fn change_flags(
        &mut self,
        clear: bindings::netdev_priv_flags,
        set: bindings::netdev_priv_flags,
    ) {
        // SAFETY: Both views of the union are the same bits.
        let fast = unsafe { &mut self.raw().__bindgen_anon_1.__bindgen_anon_1 };
        let flags = fast.priv_flags() & !(clear as c_ulong) | set as c_ulong;
        fast.set_priv_flags(flags);
    }

    /// Makes the device send frames without queueing them, on any number of CPUs at once.
    pub fn queueless(&mut self) -> &mut Self {
        self.change_flags(0, bindings::netdev_priv_flags_IFF_NO_QUEUE);
        // SAFETY: Both views of the union are the same bits.
        unsafe { self.raw().__bindgen_anon_1.__bindgen_anon_1.set_lltx(1) };
        self
    }

    /// Makes it a device that hands its frames on to another one, for which they keep their route. It
    /// filters no addresses itself.
    pub fn stacked(&mut self) -> &mut Self {
        self.change_flags(
            bindings::netdev_priv_flags_IFF_XMIT_DST_RELEASE,
            bindings::netdev_priv_flags_IFF_UNICAST_FLT,
        );
        self
    }

    /// Allows the MAC address to be changed while the device is up.
    pub fn live_address_change(&mut self) -> &mut Self {
        self.change_flags(0, bindings::netdev_priv_flags_IFF_LIVE_ADDR_CHANGE);
        self
    }

    /// Keeps the device in the network namespace it was made in.
    pub fn netns_immutable(&mut self) -> &mut Self {
        self.raw().set_netns_immutable(1);
        self
    }

    /// Makes the device begin without a carrier.
    pub fn no_carrier(&mut self) -> &mut Self {
        // SAFETY: The device is allocated, and not registered yet.
        unsafe { bindings::netif_carrier_off(self.0) };
        self
    }

    /// Sets the largest MTU there may be, in bytes.
    pub fn max_mtu(&mut self, mtu: u32) -> &mut Self {
        self.raw().max_mtu = mtu;
        self
    }

    /// Makes the device begin with a random MAC address.
    pub fn random_mac(&mut self) -> &mut Self {
        // SAFETY: The device is allocated, and not registered yet.
        unsafe { helpers::eth_hw_addr_random(self.0) };
        self
    }

    /// Adds features of the device, each of which the user may switch off.
    pub fn features(&mut self, features: Features) -> &mut Self {
        let dev = self.raw();
        dev.hw_features |= features.0;
        dev.features |= features.0;
        self
    }
}
