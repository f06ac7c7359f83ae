// SPDX-License-Identifier: GPL-2.0

//! What happens to ports.
//!
//! The table does not wait for these events, since the loss of a carrier may be announced up to a
//! second late: transmit and receive look for themselves. They serve for what nobody sends a frame
//! into: a link that comes back, and one that fails in silence.

use crate::{
    auto_join,
    enslave,
    probe,
    pure::state::Input,
    settle,
    switch,
    trunk::Trunk,
    xdp, //
};
use kernel::prelude::*;
use netdev::{
    device::Device,
    notifier::{
        Event,
        Notice,
        Notifier, //
    },
    rcu::read_lock_bh, //
};

/// Watches the devices that are ports, and those that may become some.
pub(crate) struct Events;

impl Notifier for Events {
    fn notify(notice: &Notice<'_>) -> Result {
        let (dev, rtnl) = (notice.dev(), notice.rtnl());
        if let Event::Register | Event::ChangeName = notice.event() {
            auto_join::appeared(dev, notice.event() == Event::ChangeName, rtnl);
        }
        let Some((trunk, port)) = Device::<Trunk>::of_port(dev, rtnl) else {
            return Ok(());
        };
        match notice.event() {
            Event::Up | Event::Down | Event::Change => {
                // The timer knows when there is more to do.
                probe::step_and_send(trunk, Input::Time, &read_lock_bh());
                if let Some((speed, _)) = notice.link_speed().filter(|_| dev.is_operational()) {
                    let speed = Input::Speed(port.id, speed);
                    switch::step_later(trunk, speed);
                }
                settle::tell_lower_state(trunk, &port, rtnl);
                Ok(())
            }
            Event::FeaturesChanged => {
                Trunk::derive_features(trunk, rtnl);
                Ok(())
            }
            Event::XdpFeaturesChanged => {
                xdp::inherit_features(trunk, rtnl);
                Ok(())
            }
            Event::Unregister => enslave::leave(trunk, dev, true, rtnl),
            // The trunk says what MTU its ports have: frames of its own would not fit otherwise.
            Event::PreChangeMtu if !trunk.data().sets_mtu(rtnl) => Err(EBUSY),
            Event::PreChangeMtu
            | Event::PreTypeChange
            | Event::Register
            | Event::ChangeName
            | Event::Other => Ok(()),
        }
    }
}
