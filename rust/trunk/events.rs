// SPDX-License-Identifier: GPL-2.0

//! What happens to ports.
//!
//! The table does not wait for these events, since the loss of a carrier may be announced up to a
//! second late: transmit and receive look for themselves. They serve for what nobody sends a frame
//! into: a link that comes back, and one that fails in silence.

use crate::{
    device::Trunk,
    port::Port, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    notifier::{
        Event,
        Notifier, //
    },
    rtnl::Rtnl,
};

/// Watches the devices that are ports.
pub(crate) struct Events;

impl Notifier for Events {
    fn notify(event: Event, dev: &NetDevice, rtnl: &Rtnl) -> Result {
        let Some((trunk, _)) = Device::<Trunk>::of_port(dev, rtnl) else {
            return Ok(());
        };
        match event {
            Event::Up | Event::Down | Event::Change => {
                {
                    let guard = rcu::read_lock();
                    trunk.data().table.follow_ports(trunk, (&guard).into());
                }
                let act = dev.is_operational();
                trunk.lower_state_changed(dev, act, act, rtnl);
                Ok(())
            }
            Event::FeaturesChanged => {
                trunk.inherit_features(rtnl);
                Ok(())
            }
            Event::Unregister => Port::leave(trunk, dev, true, rtnl),
            // It would not be an Ethernet device any more.
            Event::PreTypeChange => Err(EBUSY),
            Event::PreChangeMtu | Event::Other => Ok(()),
        }
    }
}
