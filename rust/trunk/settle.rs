// SPDX-License-Identifier: GPL-2.0

//! What follows from a decision, but can wait until RTNL is free.

use crate::{
    probe,
    trunk::{
        Port,
        Trunk, //
    }, //
};
use netdev::{
    device::Device,
    rtnl::{
        self,
        Rtnl, //
    }, //
};

/// Somebody else holds RTNL.
pub(crate) struct Busy;

/// Notifies those who watch the ports of their states and neighbours of the way that frames take
/// now, and stops tests that nobody needs.
///
/// # Errors
///
/// [`Busy`]: to be tried again.
pub(crate) fn settle(dev: &Device<Trunk>) -> Result<(), Busy> {
    let trunk = dev.data();
    if !trunk.state.lock().is_unsettled() {
        return Ok(());
    }
    // Events are not to wait for it, nor is the next failback.
    let rtnl = &rtnl::try_lock().ok_or(Busy)?;
    let unsettled = trunk.state.lock().take_unsettled();
    if !dev.is_registered(rtnl) {
        return Ok(());
    }
    // Who is above the trunk hears of its carrier at once, as above a bond.
    dev.sync_carrier(rtnl);
    probe::run(dev, rtnl);
    dev.for_each_port(rtnl, |_, port| tell_lower_state(dev, port, rtnl));
    if unsettled.announce && dev.is_up(rtnl) {
        dev.notify_peers(rtnl);
        dev.rejoin_groups(rtnl);
    }
    Ok(())
}

/// Notifies those who watch `port` whether its link is up, and whether the trunk sends by it.
pub(crate) fn tell_lower_state(dev: &Device<Trunk>, port: &Port, rtnl: &Rtnl) {
    let act = dev.data().live.act().contains(port.id);
    let up = port.dev.is_operational();
    dev.lower_state_changed(&port.dev, up, up && act, rtnl);
}
