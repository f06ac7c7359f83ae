// SPDX-License-Identifier: GPL-2.0

//! How a device becomes a port of a trunk, and how it leaves.

use crate::{
    probe,
    pure::{
        port::PortId,
        state::{
            self,
            Input,
            PortSettings, //
        },
    },
    settle,
    switch::{
        set_mac,
        step_later, //
    },
    trunk::{
        Port,
        Trunk, //
    },
    undo::undo,
    xdp, //
};
use kernel::{
    prelude::*,
    types::ScopeGuard, //
};
use netdev::{
    addr::MacAddr,
    device::{
        AddrSource,
        Device,
        NetDevice, //
    },
    netlink::ExtAck,
    rcu::{
        read_lock,
        read_lock_bh, //
    },
    rtnl::Rtnl,
    time, //
};

/// The priority of a port that is none's in particular.
const WORKING: u16 = 1;

/// Has `port` receive for `mac`, the trunk's new address, instead of the old one.
pub(crate) fn take_mac(port: &Port, mac: MacAddr, rtnl: &Rtnl) -> Result {
    let second = set_or_add_mac(&port.dev, mac, &mut ExtAck::none(), rtnl)?;
    forget_mac(&port.dev, port.second_mac(), rtnl);
    port.set_second_mac(second, rtnl);
    Ok(())
}

/// Has `port` go on receiving for the trunk `dev` after somebody has given it another address.
pub(crate) fn keep_mac(dev: &Device<Trunk>, port: &Port, rtnl: &Rtnl) {
    if dev.data().changes_ports(rtnl) {
        return;
    }
    let mac = dev.mac(rtnl);
    let (old, new) = (
        port.second_mac(),
        (port.dev.mac(rtnl) != mac).then_some(mac),
    );
    if old == new {
        return;
    }
    let added = new.map_or(Ok(()), |mac| port.dev.add_unicast(mac, rtnl));
    if added.is_err() {
        pr_warn!(
            "{}: does not receive for the trunk any more\n",
            port.dev.name(rtnl)
        );
    }
    forget_mac(&port.dev, old, rtnl);
    port.set_second_mac(new.filter(|_| added.is_ok()), rtnl);
}

/// Returns whether the trunk may take over the MAC address of its first port: not if the user has
/// set an address.
fn inherits_mac(dev: &Device<Trunk>, rtnl: &Rtnl) -> bool {
    let made_up = matches!(dev.mac_source(), AddrSource::Random | AddrSource::Stolen);
    made_up && !dev.has_lower(rtnl)
}

/// Makes `port` a port of the trunk `dev`, with those settings. It is a working port unless they say
/// otherwise.
///
/// # Errors
///
/// Each refusal gives its reason in `extack`, and leaves both devices as they were.
pub(crate) fn join(
    dev: &Device<Trunk>,
    port: &NetDevice,
    settings: PortSettings,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let id = admit(dev, port, extack, rtnl)?;
    let trunk = dev.data();
    let own_mac = port.mac(rtnl);
    let own_mtu = port.mtu();

    if own_mtu != dev.mtu() {
        port.set_mtu(dev.mtu(), rtnl)
            .map_err(|err| extack.refuse(err, c"trunk: the port does not take the trunk's MTU"))?;
    }
    let mtu = ScopeGuard::new(|| undo("MTU", port.set_mtu(own_mtu, rtnl)));

    // Set before the device is opened: many drivers cannot change it afterwards.
    let inherit = inherits_mac(dev, rtnl);
    let second_mac = if inherit {
        dev.announce_mac(own_mac, extack, rtnl)?;
        None
    } else {
        set_or_add_mac(port, dev.mac(rtnl), extack, rtnl).map_err(|err| {
            extack.refuse_weakly(
                err,
                c"trunk: the port does not take the trunk's MAC address",
            )
        })?
    };
    let mac = ScopeGuard::new(|| {
        forget_mac(port, second_mac, rtnl);
        undo("MAC address", port.restore_mac(own_mac, rtnl));
    });

    port.set_no_addrconf(true, rtnl);
    let addrconf = ScopeGuard::new(|| port.set_no_addrconf(false, rtnl));

    // Before the device is opened: many drivers restart it for another program.
    xdp::join(dev, port, extack, rtnl)?;
    let program = ScopeGuard::new(|| xdp::leave(dev, port, rtnl));

    port.open(extack, rtnl)
        .map_err(|err| extack.refuse_weakly(err, c"trunk: the port cannot be set up"))?;
    let open = ScopeGuard::new(|| port.close(rtnl));
    port.disable_lro(rtnl);

    probe::listen(port, trunk.probes.address(), rtnl)
        .map_err(|err| extack.refuse_weakly(err, c"trunk: the port cannot listen to probes"))?;
    let probes = ScopeGuard::new(|| probe::ignore(port, trunk.probes.address(), rtnl));

    dev.add_vlans_to(port, rtnl).map_err(|err| {
        extack.refuse_weakly(
            err,
            c"trunk: the port refuses a VLAN that the trunk is used by",
        )
    })?;
    let vlans = ScopeGuard::new(|| dev.remove_vlans_from(port, rtnl));

    let speed = port.link_speed(rtnl).map(|(speed, _)| speed);
    let now = time::monotonic_ns();
    let priority = settings.priority.unwrap_or(WORKING);
    let known = state::Port::new(port.ifindex(), priority, speed, now);
    let mut known = KBox::new(known, GFP_KERNEL)?;
    known.configure(settings);
    let probe_mac = port.permanent_mac(rtnl).unwrap_or(own_mac);
    let own = (own_mac, own_mtu);
    let new = Port::new(id, port, dev, own, second_mac, probe_mac);
    let new = dev
        .enslave(port, new, trunk.lag_hash(), extack, rtnl)
        .map_err(|err| {
            let reason = match err == ENOTSUPP {
                true => c"trunk: netpoll cannot send by the port, as by the trunk",
                false => c"trunk: the port cannot be linked to the trunk",
            };
            extack.refuse_weakly(err, reason)
        })?;
    let link = ScopeGuard::new(|| drop(dev.release(port, rtnl)));

    receive_modes(dev, port, true, rtnl).map_err(|err| {
        extack.refuse_weakly(err, c"trunk: the port refuses a receive mode of the trunk")
    })?;

    // Nothing can fail from here on.
    link.dismiss();
    vlans.dismiss();
    probes.dismiss();
    open.dismiss();
    program.dismiss();
    addrconf.dismiss();
    mac.dismiss();
    mtu.dismiss();

    port.has_joined(rtnl);
    if let Some(net) = dev.net(rtnl) {
        trunk.missing.found(port, net, rtnl);
    }
    if inherit {
        set_mac(dev, own_mac, rtnl);
        dev.steal_mac(own_mac, rtnl);
    }
    if let Some(slot) = trunk.ports.get(id.index()) {
        drop(slot.replace(Some(new.clone())));
    }
    if dev.is_up(rtnl) {
        dev.sync_addresses(port, rtnl);
    }
    step_later(dev, Input::Join(id, known));
    Trunk::derive_features(dev, rtnl);
    xdp::inherit_features(dev, rtnl);
    settle::notify_lower_state(dev, &new, rtnl);
    Ok(())
}

/// Returns the number under which `port` may become a port of `dev`.
///
/// # Errors
///
/// Why it may not, with the reason in `extack`.
fn admit(
    dev: &Device<Trunk>,
    port: &NetDevice,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result<PortId> {
    if port.is(dev) {
        return Err(extack.refuse(EINVAL, c"trunk: a trunk cannot be a port of itself"));
    }
    if port.is_loopback() {
        return Err(extack.refuse(EINVAL, c"trunk: a loopback device cannot be a port"));
    }
    if !port.is_ethernet() {
        return Err(extack.refuse(EINVAL, c"trunk: only an Ethernet device can be a port"));
    }
    if port.is_vlan_challenged(rtnl) {
        return Err(extack.refuse(EOPNOTSUPP, c"trunk: the device takes no frames of VLANs"));
    }
    if dev.has_upper(port, rtnl) {
        return Err(extack.refuse(
            EBUSY,
            c"trunk: the device is stacked on this trunk, so cannot be its port",
        ));
    }
    if port.is_up(rtnl) {
        return Err(extack.refuse(EBUSY, c"trunk: the device is up; set it down first"));
    }
    if port.master(rtnl).is_some() {
        return Err(extack.refuse(EBUSY, c"trunk: the device has another master"));
    }
    if port.is_rx_handler_busy(rtnl) {
        return Err(extack.refuse(
            EBUSY,
            c"trunk: another device, such as a macvlan, receives for this one",
        ));
    }
    let id = dev.data().state.lock().free_id();
    id.ok_or_else(|| extack.refuse(ENOSPC, c"trunk: a trunk has at most 64 ports"))
}

/// Ends what [`join`] began. With `going`, the device is being unregistered, or moved to
/// another network namespace.
///
/// # Errors
///
/// `EINVAL` if `port` is not a port of `dev`.
pub(crate) fn leave(dev: &Device<Trunk>, port: &NetDevice, going: bool, rtnl: &Rtnl) -> Result {
    let trunk = dev.data();
    let (_, data) = Device::<Trunk>::of_port(port, rtnl)
        .filter(|(upper, _)| upper.is(dev))
        .ok_or(EINVAL)?;
    let id = data.id;

    probe::say_goodbye(dev, &data, &read_lock_bh());
    let left = step_later(dev, Input::Leave(id)).left;
    drop(left);
    trunk.tallies.lock().forget(id);
    if let Some(slot) = trunk.ports.get(id.index()) {
        // This waits until frames that have looked the port up have been handed to it.
        drop(slot.replace(None));
    }
    undo("receive mode", receive_modes(dev, port, false, rtnl));
    probe::ignore(port, trunk.probes.address(), rtnl);
    dev.unsync_addresses(port, rtnl);
    drop(dev.release(port, rtnl));
    dev.remove_vlans_from(port, rtnl);
    forget_mac(port, data.second_mac(), rtnl);

    port.close(rtnl);
    xdp::leave(dev, port, rtnl);
    undo("MAC address", port.restore_mac(data.own_mac, rtnl));
    if dev.has_lower(rtnl) && data.own_mac == dev.mac(rtnl) {
        pr_warn!(
            "{}: keeps the MAC address of {}, which is no longer a port: two devices have it\n",
            dev.name(rtnl),
            port.name(rtnl)
        );
    }
    let mtu = if going {
        port.set_mtu_silently(data.own_mtu, rtnl)
    } else {
        port.set_mtu(data.own_mtu, rtnl)
    };
    undo("MTU", mtu);
    port.set_no_addrconf(false, rtnl);
    Trunk::derive_features(dev, rtnl);
    xdp::inherit_features(dev, rtnl);
    Ok(())
}

/// Has all ports leave.
pub(crate) fn release_all(dev: &Device<Trunk>, rtnl: &Rtnl) {
    for slot in &dev.data().ports {
        let port = slot.hold(&read_lock());
        if let Some(port) = port {
            undo("membership", leave(dev, &port.dev, false, rtnl));
        }
    }
}

/// Has `port` receive for `mac`: as its own address, or, if its driver refuses to change that, as a
/// second address, which is returned.
fn set_or_add_mac(
    port: &NetDevice,
    mac: MacAddr,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result<Option<MacAddr>> {
    if port.mac(rtnl) == mac {
        return Ok(None);
    }
    match port.set_mac(mac, extack, rtnl) {
        Ok(()) => Ok(None),
        // Another device has the address, and would get the frames.
        Err(err) if err == EADDRINUSE => Err(err),
        Err(_) => {
            port.add_unicast(mac, rtnl)?;
            pr_info!(
                "{} keeps its MAC address, and receives for the trunk's beside it\n",
                port.name(rtnl)
            );
            Ok(Some(mac))
        }
    }
}

/// Has `port` no longer receive for `mac`, which [`set_or_add_mac`] has added.
fn forget_mac(port: &NetDevice, mac: Option<MacAddr>, rtnl: &Rtnl) {
    if let Some(mac) = mac {
        undo("second MAC address", port.remove_unicast(mac, rtnl));
    }
}

/// Has `port` receive all that the trunk `dev` wants to receive; unless `on`, no longer.
fn receive_modes(dev: &Device<Trunk>, port: &NetDevice, on: bool, rtnl: &Rtnl) -> Result {
    if dev.is_promiscuous(rtnl) {
        port.promiscuous(on, rtnl)?;
    }
    if dev.is_all_multicast(rtnl) {
        let result = port.all_multicast(on, rtnl);
        if result.is_err() && on && dev.is_promiscuous(rtnl) {
            undo("receive mode", port.promiscuous(false, rtnl));
        }
        result?;
    }
    Ok(())
}
