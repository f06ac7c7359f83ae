// SPDX-License-Identifier: GPL-2.0

//! What happens to ports.
//!
//! The table does not wait for these events, because the loss of a carrier may be announced up to a
//! second late: transmit and receive look at the links themselves. The events matter for links that
//! no frame is sent by: one that comes back, and one that fails while it is idle.

use crate::{
    auto_join,
    enslave,
    probe,
    pure::state::Input,
    settle,
    switch,
    trunk::Trunk,
    waiting::Wish,
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
    rcu::{
        read_lock,
        read_lock_bh, //
    },
};

/// Watches the devices that are ports, and those that may become ports.
pub(crate) struct Events;

impl Notifier for Events {
    fn notify(notice: &Notice<'_>) -> Result {
        let (dev, rtnl) = (notice.dev(), notice.rtnl());
        let wish = match notice.event() {
            Event::Register => Some(Wish::Any),
            Event::ChangeName => Some(Wish::Name),
            // It may have got an alternative name before, of which nobody is notified.
            Event::Up => Some(Wish::Missing),
            _ => None,
        };
        if let Some(wish) = wish {
            auto_join::appeared(dev, wish, rtnl);
        }
        if let Event::Up | Event::Down | Event::Change = notice.event() {
            // The links of ports that stand on this device.
            dev.for_each_upper(rtnl, &mut |upper| {
                if let Some((trunk, _)) = Device::<Trunk>::of_port(upper, rtnl) {
                    switch::follow_links(trunk, &read_lock());
                }
            });
        }
        let Some((trunk, port)) = Device::<Trunk>::of_port(dev, rtnl) else {
            return Ok(());
        };
        match notice.event() {
            Event::Up | Event::Down | Event::Change => {
                // When the next probe is due, the timer comes.
                probe::step_and_send(trunk, Input::Time, &read_lock_bh());
                if let Some((speed, _)) = notice.link_speed().filter(|_| dev.is_operational()) {
                    let speed = Input::Speed(port.id, speed);
                    switch::step_later(trunk, speed);
                }
                settle::notify_lower_state(trunk, &port, rtnl);
                Ok(())
            }
            // A port that stands on other links has taken another way, or a virtual machine is on
            // another host.
            Event::Announce => {
                switch::step_later(trunk, Input::Moved(port.id));
                Ok(())
            }
            Event::ChangeAddress => {
                enslave::keep_mac(trunk, &port, rtnl);
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
            // Only the trunk changes the MTU of its ports: its frames would not fit otherwise.
            Event::PreChangeMtu if !trunk.data().changes_ports(rtnl) => Err(EBUSY),
            Event::PreChangeMtu
            | Event::PreTypeChange
            | Event::Register
            | Event::ChangeName
            | Event::Other => Ok(()),
        }
    }
}
