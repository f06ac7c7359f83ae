// SPDX-License-Identifier: GPL-2.0

//! What follows from a decision, but can wait until RTNL is free.

use crate::{
    announce,
    probe,
    trunk::{
        Port,
        Trunk, //
    }, //
};
use netdev::{
    device::Device,
    rcu::read_lock,
    rtnl::{
        self,
        Rtnl, //
    }, //
};

/// RTNL is held by another thread.
pub(crate) struct Busy;

/// Notifies watchers of the ports of the ports' states, and neighbours of the way that frames take
/// now; starts tests, or stops those that nobody needs.
///
/// # Errors
///
/// [`Busy`]: the caller tries again.
pub(crate) fn settle(dev: &Device<Trunk>) -> Result<(), Busy> {
    let trunk = dev.data();
    if !trunk.state.lock().is_unsettled() {
        return Ok(());
    }
    // Does not wait for RTNL, since events and the next failback would wait, too.
    let rtnl = &rtnl::try_lock().ok_or(Busy)?;
    let unsettled = trunk.state.lock().take_unsettled();
    if !dev.is_registered(rtnl) {
        return Ok(());
    }
    // Devices above the trunk are notified of its carrier at once, as above a bond.
    dev.sync_carrier(rtnl);
    probe::run(dev, rtnl);
    dev.for_each_port(rtnl, |_, port| notify_lower_state(dev, port, rtnl));
    if unsettled.announce && dev.is_up(rtnl) {
        let stations = trunk.state.lock().announces_stations();
        announce::begin(dev, stations, rtnl);
    }
    Ok(())
}

/// Notifies watchers of `port` whether its link is up, and whether the trunk sends by it.
pub(crate) fn notify_lower_state(dev: &Device<Trunk>, port: &Port, rtnl: &Rtnl) {
    let act = dev.data().live.act().contains(port.id);
    let up = port.dev.has_link(&read_lock());
    dev.lower_state_changed(&port.dev, up, up && act, rtnl);
}
