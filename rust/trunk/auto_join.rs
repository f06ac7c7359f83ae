// SPDX-License-Identifier: GPL-2.0

//! Devices that join a trunk by themselves.
//!
//! A device that appears, or gets a name, and fits the rule of a trunk or one of its missing ports
//! waits there by its interface index. It joins in the trunk's work, not at once: its driver may still be setting it up, and
//! udev may be about to give it a name. It is looked up again then. So it may go away or change
//! before that, and its removal does not wait for the trunk.

use crate::{
    enslave,
    netns::Count,
    pure::{
        join::{
            Candidate,
            MissingPort,
            Rule, //
        },
        state::{
            Input,
            PortSettings, //
        }, //
    },
    settle::Busy,
    switch::step_later,
    trunk::Trunk,
    undo::undo,
    waiting::Wish, //
};
use core::sync::atomic::Ordering;
use kernel::{
    fmt,
    prelude::*, //
};
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    net::Net,
    netlink::ExtAck,
    rtnl::{
        self,
        Rtnl, //
    }, //
};

/// Returns the rule of a trunk.
fn rule(dev: &Device<Trunk>) -> Option<Rule> {
    dev.data().state.lock().settings().join
}

/// A trunk that is to have a device.
struct Place<'a> {
    trunk: &'a Device<Trunk>,
    /// The settings of the device as a port.
    settings: PortSettings,
    /// The device is one that the user has named. So it may be brought down in order to join.
    by_name: bool,
}

/// Returns whether `dev` is a port of a trunk.
fn is_port(dev: &NetDevice, rtnl: &Rtnl) -> bool {
    let master = dev.master(rtnl);
    master.and_then(Device::<Trunk>::from_netdev).is_some()
}

/// Returns whether rules apply to `dev`: not if it is stacked on other devices, or takes ports
/// itself.
fn is_nic(dev: &NetDevice, rtnl: &Rtnl) -> bool {
    dev.is_ethernet() && !dev.is_loopback() && !dev.takes_ports() && !dev.has_lower(rtnl)
}

/// Returns the trunk that is to have `dev`: the one where it is missing, or else of the trunks whose
/// rule it fits, the first by interface index. `wish` limits what it may fit.
fn place_for<'a>(dev: &NetDevice, net: &'a Net, wish: Wish, rtnl: &'a Rtnl) -> Option<Place<'a>> {
    // Nothing is asked of a device in a namespace where no trunk waits for any.
    let nobody_waits = Count::Missing.get(net) == 0 && Count::Rules.get(net) == 0;
    if nobody_waits || is_port(dev, rtnl) {
        return None;
    }
    missed_by(dev, net, rtnl).or_else(|| ruled_by(dev, net, wish, rtnl))
}

/// Returns the trunk where `dev` is a missing port.
fn missed_by<'a>(dev: &NetDevice, net: &'a Net, rtnl: &'a Rtnl) -> Option<Place<'a>> {
    if Count::Missing.get(net) == 0 {
        return None;
    }
    Device::<Trunk>::all(net, rtnl).find_map(|trunk| {
        let settings = trunk.data().missing.settings_of(dev, rtnl)?;
        Some(Place {
            trunk,
            settings,
            by_name: true,
        })
    })
}

/// Returns the trunk whose rule `dev` fits.
fn ruled_by<'a>(dev: &NetDevice, net: &'a Net, wish: Wish, rtnl: &'a Rtnl) -> Option<Place<'a>> {
    let count = Count::Rules.get(net);
    if wish == Wish::Missing || count == 0 || !is_nic(dev, rtnl) {
        return None;
    }
    let candidate = Candidate {
        driver: dev.parent_driver(rtnl).map(CStr::to_bytes),
        bus: dev.parent_bus(rtnl).map(CStr::to_bytes),
        address: dev.permanent_mac(rtnl).map(|mac| *mac.octets()),
    };
    // The devices of the namespace are looked at up to the trunk with its last rule.
    let trunks = Device::<Trunk>::all(net, rtnl);
    let mut rules = trunks
        .filter_map(|trunk| Some((trunk, rule(trunk)?)))
        .take(count);
    let names = || dev.names(rtnl).map(CStr::to_bytes);
    let counts = |rule: &Rule| wish == Wish::Any || !rule.name.is_empty();
    let (trunk, rule) =
        rules.find(|(_, rule)| counts(rule) && rule.matches(&candidate, names()))?;
    Some(Place {
        trunk,
        settings: PortSettings {
            priority: Some(rule.priority),
            ..PortSettings::default()
        },
        by_name: false,
    })
}

/// Has `dev` wait to join `trunk`.
fn wait(dev: &NetDevice, trunk: &Device<Trunk>, wish: Wish, rtnl: &Rtnl) {
    let ifindex = dev.ifindex();
    match trunk.data().waiting.add(ifindex, wish) {
        Ok(()) => trunk.schedule_work(0),
        Err(_) => refused(trunk, dev, ENOMEM, fmt!("no memory"), rtnl),
    }
}

/// Has `dev`, to which something has happened, wait to join the trunk that is to have it.
pub(crate) fn appeared(dev: &NetDevice, wish: Wish, rtnl: &Rtnl) {
    let Some(net) = dev.net(rtnl) else {
        return;
    };
    if let Some(place) = place_for(dev, net, wish, rtnl) {
        if !place.trunk.data().sets_up.load(Ordering::Relaxed) {
            wait(dev, place.trunk, wish, rtnl);
        }
    }
}

/// Has `trunk` get the missing port `port`. If its device is there after all, it joins.
///
/// # Errors
///
/// `EEXIST` if it is a port of the trunk already; `ENOSPC` if too many are missing; `ENOMEM`.
pub(crate) fn await_port(trunk: &Device<Trunk>, port: MissingPort, rtnl: &Rtnl) -> Result {
    let net = trunk.net(rtnl).ok_or(ENODEV)?;
    let name = CStr::from_bytes_with_nul(port.name.with_nul()).map_err(|_| EINVAL)?;
    let dev = NetDevice::by_name(net, name, rtnl);
    let master = dev.and_then(|dev| dev.master(rtnl));
    if master.is_some_and(|master| master.is(trunk)) {
        return Err(EEXIST);
    }
    trunk.data().missing.add(port, net, rtnl)?;
    if let Some(dev) = dev {
        appeared(dev, Wish::Missing, rtnl);
    }
    Ok(())
}

/// Takes note of the rule of `trunk`, which was `old` before: devices that exist already join by
/// it.
pub(crate) fn rule_changed(trunk: &Device<Trunk>, old: &Option<Rule>, rtnl: &Rtnl) {
    let new = rule(trunk);
    if new == *old {
        return;
    }
    let Some(net) = trunk.net(rtnl) else {
        return;
    };
    match (old.is_some(), new.is_some()) {
        (false, true) => Count::Rules.add(net, 1),
        (true, false) => Count::Rules.sub(net, 1),
        _ => {}
    }
    if new.is_none() {
        return;
    }
    for dev in NetDevice::all(net, rtnl) {
        let place = place_for(dev, net, Wish::Any, rtnl);
        if place.is_some_and(|place| place.trunk.is(trunk)) {
            wait(dev, trunk, Wish::Any, rtnl);
        }
    }
}

/// Takes note that `trunk` goes away from `net`, and its rule and its missing ports with it.
pub(crate) fn end(trunk: &Device<Trunk>, net: &Net, rtnl: &Rtnl) {
    if rule(trunk).is_some() {
        Count::Rules.sub(net, 1);
    }
    trunk.data().missing.end(net, rtnl);
}

/// Has the first device join that waits for it. Each other one joins in a further run of the work:
/// opening a device may take long, and the work has more to do.
pub(crate) fn admit(trunk: &Device<Trunk>) -> Result<(), Busy> {
    let waiting = &trunk.data().waiting;
    if waiting.is_empty() {
        return Ok(());
    }
    let rtnl = &rtnl::try_lock().ok_or(Busy)?;
    if let (Some(net), Some((ifindex, wish))) = (trunk.net(rtnl), waiting.take()) {
        if let Some(dev) = NetDevice::by_index(net, ifindex, rtnl) {
            join(trunk, dev, net, wish, rtnl);
        }
    }
    if !waiting.is_empty() {
        trunk.schedule_work(0);
    }
    Ok(())
}

fn join(trunk: &Device<Trunk>, dev: &NetDevice, net: &Net, wish: Wish, rtnl: &Rtnl) {
    // Both may have changed since: what trunks wish, and the device.
    let Some(place) = place_for(dev, net, wish, rtnl) else {
        return;
    };
    if !place.trunk.is(trunk) {
        wait(dev, place.trunk, wish, rtnl);
        return;
    }
    let closes = place.by_name && dev.is_up(rtnl) && dev.master(rtnl).is_none();
    if closes {
        dev.close(rtnl);
    }
    let (joined, reason) =
        ExtAck::keep(|extack| enslave::join(trunk, dev, place.settings, extack, rtnl));
    if let Err(err) = joined {
        if closes {
            // It does not try again because of that.
            trunk.data().sets_up.store(true, Ordering::Relaxed);
            undo("state", dev.open(&mut ExtAck::none(), rtnl));
            trunk.data().sets_up.store(false, Ordering::Relaxed);
        }
        match reason.is_empty() {
            true => refused(trunk, dev, err, fmt!("error {}", err.to_errno()), rtnl),
            false => refused(trunk, dev, err, fmt!("{}", &*reason), rtnl),
        }
    }
}

/// Logs and records that `dev` does not join, and why.
fn refused(
    trunk: &Device<Trunk>,
    dev: &NetDevice,
    error: Error,
    reason: fmt::Arguments<'_>,
    rtnl: &Rtnl,
) {
    let (trunk_name, name) = (trunk.name(rtnl), dev.name(rtnl));
    pr_warn!("{trunk_name}: {name} does not join: {reason}\n");
    let error = error.to_errno().unsigned_abs() as u16;
    let refusal = Input::Refusal(dev.ifindex(), error);
    step_later(trunk, refusal);
}
