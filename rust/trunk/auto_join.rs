// SPDX-License-Identifier: GPL-2.0

//! Devices that join a trunk by themselves.
//!
//! A device that appears, or gets a name, and fits the rule of a trunk waits there by its interface
//! index. It joins in the trunk's work, not at once: its driver may still be setting it up, and
//! udev may be about to give it a name. It is looked up again then. So it may go away or change
//! before that, and its removal does not wait for the trunk.

use crate::{
    enslave,
    netns::Count,
    pure::{
        join::{
            Candidate,
            Rule, //
        },
        state::Input, //
    },
    settle::Busy,
    switch::step_later,
    trunk::Trunk, //
};
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

/// Returns whether rules apply to `dev`: not if it is stacked on other devices, takes ports itself,
/// or is a port of a trunk already.
fn is_nic(dev: &NetDevice, rtnl: &Rtnl) -> bool {
    dev.is_ethernet()
        && !dev.is_loopback()
        && !dev.takes_ports()
        && !dev.has_lower(rtnl)
        && dev
            .master(rtnl)
            .and_then(Device::<Trunk>::from_netdev)
            .is_none()
}

/// Returns the trunk that is to have `dev`, and its rule: of the trunks whose rule `dev` fits, the
/// first by interface index. With `renamed`, only rules that are about names count.
fn trunk_for<'a>(
    dev: &NetDevice,
    net: &'a Net,
    renamed: bool,
    rtnl: &'a Rtnl,
) -> Option<(&'a Device<Trunk>, Rule)> {
    let count = Count::Rules.get(net);
    if count == 0 || !is_nic(dev, rtnl) {
        return None;
    }
    let candidate = Candidate {
        name: dev.name(rtnl).to_bytes(),
        driver: dev.parent_driver(rtnl).map(CStr::to_bytes),
        bus: dev.parent_bus(rtnl).map(CStr::to_bytes),
        address: dev.permanent_mac(rtnl).map(|mac| *mac.octets()),
    };
    // The devices of the namespace are looked at up to the trunk with its last rule.
    let trunks = Device::<Trunk>::all(net, rtnl);
    let mut rules = trunks
        .filter_map(|trunk| Some((trunk, rule(trunk)?)))
        .take(count);
    rules.find(|(_, rule)| rule.matches(&candidate) && !(renamed && rule.name.is_empty()))
}

/// Has `dev` wait to join `trunk`.
fn wait(dev: &NetDevice, trunk: &Device<Trunk>, renamed: bool, rtnl: &Rtnl) {
    let ifindex = dev.ifindex();
    match trunk.data().waiting.add(ifindex, renamed) {
        Ok(()) => trunk.schedule_work(0),
        Err(_) => refused(trunk, dev, ENOMEM, fmt!("no memory"), rtnl),
    }
}

/// Has `dev`, which is new or has a new name, wait to join the trunk whose rule it fits.
pub(crate) fn appeared(dev: &NetDevice, renamed: bool, rtnl: &Rtnl) {
    let Some(net) = dev.net(rtnl) else {
        return;
    };
    if let Some((trunk, _)) = trunk_for(dev, net, renamed, rtnl) {
        wait(dev, trunk, renamed, rtnl);
    }
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
        let first = trunk_for(dev, net, false, rtnl);
        if first.is_some_and(|(first, _)| first.is(trunk)) {
            wait(dev, trunk, false, rtnl);
        }
    }
}

/// Takes note that `trunk` goes away from `net`, and its rule with it.
pub(crate) fn end(trunk: &Device<Trunk>, net: &Net, _rtnl: &Rtnl) {
    if rule(trunk).is_some() {
        Count::Rules.sub(net, 1);
    }
}

/// Has the first device join that waits for it. Each other one joins in a further run of the work:
/// opening a device may take long, and the work has more to do.
pub(crate) fn admit(trunk: &Device<Trunk>) -> Result<(), Busy> {
    let waiting = &trunk.data().waiting;
    if waiting.is_empty() {
        return Ok(());
    }
    let rtnl = &rtnl::try_lock().ok_or(Busy)?;
    if let (Some(net), Some((ifindex, renamed))) = (trunk.net(rtnl), waiting.take()) {
        if let Some(dev) = NetDevice::by_index(net, ifindex, rtnl) {
            join(trunk, dev, net, renamed, rtnl);
        }
    }
    if !waiting.is_empty() {
        trunk.schedule_work(0);
    }
    Ok(())
}

fn join(trunk: &Device<Trunk>, dev: &NetDevice, net: &Net, renamed: bool, rtnl: &Rtnl) {
    // Both may have changed since: the rules and the device.
    let Some((first, rule)) = trunk_for(dev, net, renamed, rtnl) else {
        return;
    };
    if !first.is(trunk) {
        wait(dev, first, renamed, rtnl);
        return;
    }
    let (joined, reason) =
        ExtAck::keep(|extack| enslave::join(trunk, dev, rule.priority, extack, rtnl));
    if let Err(err) = joined {
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
