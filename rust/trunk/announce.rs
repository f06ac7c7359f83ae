// SPDX-License-Identifier: GPL-2.0

//! After frames have taken another way: whoever lives behind the trunk is announced by it, so that
//! switches learn the way.
//!
//! The host announces its own addresses, and reports its groups. For stations behind bridges and
//! for macvlans, which may be silent, the trunk itself sends a frame in their name.

use crate::{
    pure::rarp,
    stations::{
        Station,
        Stations, //
    },
    trunk::Trunk, //
};
use kernel::prelude::*;
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    rcu::read_lock_bh,
    rtnl::Rtnl,
    skb::SkBuff, //
};

/// The most stations that are announced after one change.
const MOST: usize = 4096;

/// So many are announced in one go, and the time until the next, in ms: a queue of a thousand frames
/// takes all of them, and the data between.
const AT_ONCE: usize = 64;
const PAUSE: u32 = 5;

/// Announces the addresses of the host. With `stations`, notes those that [`go_on`] is to announce.
pub(crate) fn begin(dev: &Device<Trunk>, stations: bool, rtnl: &Rtnl) {
    dev.notify_peers(rtnl);
    dev.rejoin_groups(rtnl);
    let mut found = Stations::new();
    let most = if stations { MOST } else { 0 };
    go_up(dev, &mut found, most, rtnl);
    *dev.data().stations.lock() = found;
}

/// Announces the next stations. Returns the time until there are more to be announced, in ms.
pub(crate) fn go_on(dev: &Device<Trunk>) -> Option<u32> {
    let mut stations = dev.data().stations.lock();
    for _ in 0..AT_ONCE {
        let Some(station) = stations.pop() else {
            *stations = Stations::new();
            return None;
        };
        let (frame, len) = rarp::request(*station.mac.octets(), station.vlan);
        if let Some(skb) = frame
            .get(..len)
            .and_then(|frame| SkBuff::new_frame(frame, 0))
        {
            // What a queue refuses is lost, as any frame of the station would be.
            let _ = skb.transmit(&station.by, &read_lock_bh());
        }
    }
    Some(PAUSE)
}

/// Announces no more. For a trunk that goes: it may itself be what stations are reached by.
pub(crate) fn end(dev: &Device<Trunk>, _rtnl: &Rtnl) {
    *dev.data().stations.lock() = Stations::new();
}

/// Announces the addresses of the bridges above `dev`, and notes up to `most` stations that are reached by
/// `dev`: those behind a bridge that it is a port of, its macvlans, and those of the devices stacked on
/// it. The kernel stacks at most eight devices on each other. What there is no memory for is left out.
fn go_up(dev: &NetDevice, stations: &mut Stations, most: usize, rtnl: &Rtnl) {
    let mut add = |mac, vlan| {
        if stations.len() >= most {
            return Err(ENOSPC);
        }
        let by = dev.into();
        Ok(stations.push(Station { mac, vlan, by }, GFP_KERNEL)?)
    };
    let uppers = dev.uppers(rtnl).unwrap_or_default();
    for upper in &uppers {
        if upper.is_bridge(rtnl) {
            // A bridge passes the report of groups on, and not this.
            upper.notify_peers(rtnl);
            let _ = upper.for_each_station_behind(dev, rtnl, &mut add);
        } else if upper.is_macvlan(rtnl) {
            let _ = add(upper.mac(rtnl), None);
        }
    }
    for upper in &uppers {
        // A trunk above this one announces what is behind it when its port does.
        if Device::<Trunk>::from_netdev(upper).is_none() {
            go_up(upper, stations, most, rtnl);
        }
    }
}
