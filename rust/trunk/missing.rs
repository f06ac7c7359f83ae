// SPDX-License-Identifier: GPL-2.0

//! The ports that a trunk is to have, and whose devices are not there.

use crate::{
    netns::Count,
    pure::{
        join::MissingPort,
        state::PortSettings,
        MAX_PORTS, //
    }, //
};
use kernel::prelude::*;
use netdev::{
    device::NetDevice,
    lock::{
        new_spinlock_bh,
        SpinLockBh, //
    },
    net::Net,
    rtnl::Rtnl, //
};

/// The missing ports of a trunk, in the order in which they were named.
#[pin_data]
pub(crate) struct Missing {
    /// Changed under RTNL.
    #[pin]
    ports: SpinLockBh<KVec<MissingPort>>,
}

/// Returns whether `port` is to have `dev` as its device.
fn is_of(port: &MissingPort, dev: &NetDevice, rtnl: &Rtnl) -> bool {
    dev.names(rtnl)
        .any(|name| name.to_bytes() == port.name.octets())
}

impl Missing {
    /// Makes an empty list.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ports <- new_spinlock_bh!(KVec::new(), "trunk_missing"),
        })
    }

    /// Returns the missing port of that place in the list.
    pub(crate) fn get(&self, at: usize) -> Option<MissingPort> {
        self.ports.lock().get(at).copied()
    }

    /// Returns what is to be set for `dev`, if it is the device of a missing port.
    pub(crate) fn settings_of(&self, dev: &NetDevice, rtnl: &Rtnl) -> Option<PortSettings> {
        let ports = self.ports.lock();
        let port = ports.iter().find(|port| is_of(port, dev, rtnl))?;
        Some(PortSettings {
            priority: Some(port.priority),
            weight: Some(port.weight),
            enabled: Some(port.enabled),
        })
    }

    /// Adds a port of a trunk in `net`. If one of that name is missing already, changes its settings.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there are as many as a trunk can have; `ENOMEM`.
    pub(crate) fn add(&self, port: MissingPort, net: &Net, _rtnl: &Rtnl) -> Result {
        let mut ports = self.ports.lock();
        if let Some(known) = ports.iter_mut().find(|known| known.name == port.name) {
            *known = port;
            return Ok(());
        }
        let len = ports.len();
        if len >= MAX_PORTS {
            return Err(ENOSPC);
        }
        drop(ports);
        // Others only read meanwhile, since RTNL is held.
        let mut longer = KVec::with_capacity(len.saturating_add(1), GFP_KERNEL)?;
        let mut ports = self.ports.lock();
        // There is room for all.
        for port in ports.iter() {
            let _ = longer.push_within_capacity(*port);
        }
        let _ = longer.push_within_capacity(port);
        core::mem::swap(&mut *ports, &mut longer);
        Count::Missing.add(net, 1);
        Ok(())
    }

    /// Removes the port of that name from a trunk in `net`. Returns whether there was one.
    pub(crate) fn remove(&self, name: &[u8], net: &Net, rtnl: &Rtnl) -> bool {
        self.retain(|port| port.name.octets() != name, net, rtnl)
    }

    /// Removes the port whose device is `dev`, which is no longer missing.
    pub(crate) fn found(&self, dev: &NetDevice, net: &Net, rtnl: &Rtnl) {
        self.retain(|port| !is_of(port, dev, rtnl), net, rtnl);
    }

    /// Removes all ports of a trunk that goes away from `net`.
    pub(crate) fn end(&self, net: &Net, rtnl: &Rtnl) {
        self.retain(|_| false, net, rtnl);
    }

    /// Keeps those ports for which `stays` says so. Returns whether another was there.
    fn retain(&self, stays: impl Fn(&MissingPort) -> bool, net: &Net, _rtnl: &Rtnl) -> bool {
        let mut ports = self.ports.lock();
        let before = ports.len();
        ports.retain(|port| stays(port));
        let gone = before.saturating_sub(ports.len());
        Count::Missing.sub(net, gone);
        gone > 0
    }
}
