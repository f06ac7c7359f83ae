// SPDX-License-Identifier: GPL-2.0

//! Ports: how a device joins a trunk and leaves it.

use crate::{
    device::Trunk,
    pure::port::PortId, //
};
use core::sync::atomic::{
    AtomicBool,
    Ordering, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu,
        Arc, //
    },
    types::ScopeGuard, //
};
use netdev::{
    addr::MacAddr,
    device::{
        Device,
        NetDevice, //
    },
    netlink::ExtAck,
    rtnl::Rtnl, //
};

/// A port of a trunk.
pub(crate) struct Port {
    pub(crate) id: PortId,
    pub(crate) dev: ARef<NetDevice>,
    pub(crate) trunk: ARef<Device<Trunk>>,
    /// Whether the table takes the link to be usable. Written under the table's lock.
    act: AtomicBool,
    /// What the device had before, and gets back.
    own_mac: MacAddr,
    own_mtu: u32,
}

impl Port {
    /// Is the link usable, as far as the table knows?
    pub(crate) fn is_act(&self) -> bool {
        self.act.load(Ordering::Relaxed)
    }

    /// Notes whether the link is usable now, and returns it.
    pub(crate) fn note_link(&self) -> bool {
        let act = self.dev.is_operational();
        self.act.store(act, Ordering::Relaxed);
        act
    }

    /// Makes `port` a port of the trunk `dev`.
    ///
    /// # Errors
    ///
    /// Each refusal says in `extack` what is wrong, and leaves both devices as they were.
    pub(crate) fn join(
        dev: &Device<Trunk>,
        port: &NetDevice,
        extack: &mut ExtAck,
        rtnl: &Rtnl,
    ) -> Result {
        let id = Self::admit(dev, port, extack, rtnl)?;
        let trunk = dev.data();
        let own_mac = port.mac(rtnl);
        let own_mtu = port.mtu();

        if own_mtu != dev.mtu() {
            port.set_mtu(dev.mtu(), rtnl).map_err(|err| {
                extack.refuse(err, c"trunk: the port does not take the trunk's MTU")
            })?;
        }
        let mtu = ScopeGuard::new(|| undo("MTU", port.set_mtu(own_mtu, rtnl)));

        // Set before the device is opened: many cannot change it afterwards.
        let inherit = Trunk::inherits_mac(dev, rtnl);
        if !inherit && own_mac != dev.mac(rtnl) {
            port.set_mac(dev.mac(rtnl), extack, rtnl).map_err(|err| {
                extack.refuse_weakly(
                    err,
                    c"trunk: the port does not take the trunk's MAC address",
                )
            })?;
        }
        let mac = ScopeGuard::new(|| undo("MAC address", port.restore_mac(own_mac, rtnl)));

        port.set_no_addrconf(true, rtnl);
        let addrconf = ScopeGuard::new(|| port.set_no_addrconf(false, rtnl));

        port.open(extack, rtnl)
            .map_err(|err| extack.refuse_weakly(err, c"trunk: the port cannot be set up"))?;
        let open = ScopeGuard::new(|| port.close(rtnl));
        port.disable_lro(rtnl);

        let new = Arc::new(
            Self {
                id,
                dev: port.into(),
                trunk: dev.into(),
                act: AtomicBool::new(false),
                own_mac,
                own_mtu,
            },
            GFP_KERNEL,
        )?;
        dev.enslave(port, new.clone(), trunk.lag_hash(), extack, rtnl)
            .map_err(|err| {
                extack.refuse_weakly(err, c"trunk: the port cannot be linked to the trunk")
            })?;
        let link = ScopeGuard::new(|| drop(dev.release(port, rtnl)));

        receive_modes(dev, port, true, rtnl).map_err(|err| {
            extack.refuse_weakly(err, c"trunk: the port refuses a receive mode of the trunk")
        })?;

        // Nothing can fail from here on.
        link.dismiss();
        open.dismiss();
        addrconf.dismiss();
        mac.dismiss();
        mtu.dismiss();

        if inherit {
            Trunk::inherit_mac(dev, own_mac, rtnl);
        }
        if dev.is_up(rtnl) {
            dev.sync_addresses(port, rtnl);
        }
        if let Some(slot) = trunk.ports.get(id.index()) {
            drop(slot.replace(Some(new)));
        }
        {
            let guard = rcu::read_lock();
            trunk.table.add(dev, id, (&guard).into());
        }
        dev.inherit_features(rtnl);
        let act = port.is_operational();
        dev.lower_state_changed(port, act, act, rtnl);
        Ok(())
    }

    /// Decides whether `port` may become a port of `dev`, and under which number.
    fn admit(
        dev: &Device<Trunk>,
        port: &NetDevice,
        extack: &mut ExtAck,
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
        dev.data()
            .table
            .free_id()
            .ok_or_else(|| extack.refuse(ENOSPC, c"trunk: a trunk has at most 64 ports"))
    }

    /// Ends what [`Port::join`] began. With `going`, the device is being unregistered, or moved to
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

        {
            let guard = rcu::read_lock();
            trunk.table.remove(dev, id, (&guard).into());
        }
        if let Some(slot) = trunk.ports.get(id.index()) {
            // Frames that had looked the port up before are on their way after this.
            drop(slot.replace(None));
        }
        undo("receive mode", receive_modes(dev, port, false, rtnl));
        dev.unsync_addresses(port, rtnl);
        let data = dev.release(port, rtnl).ok_or(EINVAL)?;

        port.close(rtnl);
        undo("MAC address", port.restore_mac(data.own_mac, rtnl));
        if dev.has_ports(rtnl) && data.own_mac == dev.mac(rtnl) {
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
        dev.inherit_features(rtnl);
        Ok(())
    }

    /// All ports leave.
    pub(crate) fn release_all(dev: &Device<Trunk>, rtnl: &Rtnl) {
        for slot in &dev.data().ports {
            let port: Option<ARef<NetDevice>> = {
                let guard = rcu::read_lock();
                slot.get((&guard).into()).map(|port| port.dev.clone())
            };
            if let Some(port) = port {
                undo("membership", Self::leave(dev, &port, false, rtnl));
            }
        }
    }
}

/// Has `port` receive all that the trunk `dev` wants to receive, or no longer.
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

/// What cannot be undone is at least said.
fn undo(what: &str, result: Result) {
    if let Err(err) = result {
        pr_warn!(
            "a port does not give back its {what}: error {}\n",
            err.to_errno()
        );
    }
}
