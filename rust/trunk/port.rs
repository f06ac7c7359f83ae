// SPDX-License-Identifier: GPL-2.0

//! Ports: how a device joins a trunk and leaves it.

use crate::{
    decided::Record,
    device::Trunk,
    pure::{
        health::{
            Link,
            Verdict, //
        },
        port::PortId,
        uapi::Reason, //
    },
    xdp,
};
use core::sync::atomic::{
    AtomicBool,
    AtomicU16,
    AtomicU64,
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
    lower::Lower,
    netlink::ExtAck,
    rtnl::Rtnl, //
};

/// All that the table's use of a port depends on, but its settings, in a word to be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition(u64);

impl Condition {
    const REASON: u64 = 0xff;
    const PROVEN: u64 = 1 << 8;
    const HELD: u64 = 1 << 9;
    const OPERATIONAL: u64 = 1 << 10;
    const ENABLED: u64 = 1 << 11;
    const STARTED: u64 = 1 << 12;
    const RANK_SHIFT: u32 = 16;
    /// The digest of the peer's identity, if it is proven.
    const PEER_SHIFT: u32 = 32;

    /// What the health check has to say, about a port of that rank.
    const fn of(verdict: &Verdict, rank: u8) -> Self {
        let mut word = verdict.reason as u64 | (rank as u64) << Self::RANK_SHIFT;
        if let Some(peer) = verdict.proven {
            word |= Self::PROVEN | (peer.digest() as u64) << Self::PEER_SHIFT;
        }
        if verdict.held {
            word |= Self::HELD;
        }
        Self(word)
    }

    const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// What the health check has against the port.
    fn verdict(self) -> Reason {
        Reason::from_u32((self.0 & Self::REASON) as u32).unwrap_or(Reason::None)
    }

    /// Is the port usable?
    pub(crate) fn is_act(self) -> bool {
        self.carries() && self.verdict() == Reason::None
    }

    /// Is it, as far as this end can tell? What the peer is told, who decides for itself.
    pub(crate) fn is_usable_here(self) -> bool {
        self.carries() && matches!(self.verdict(), Reason::None | Reason::PeerSby)
    }

    /// Will it do if there is nothing better? Not if frames would go astray.
    pub(crate) fn is_last_resort(self) -> bool {
        self.carries() && self.verdict() != Reason::PeerMismatch
    }

    fn carries(self) -> bool {
        self.has(Self::OPERATIONAL) && self.has(Self::ENABLED)
    }

    /// What tells its peer from others, if that is known to be a trunk.
    fn proven_peer(self) -> Option<u32> {
        self.has(Self::PROVEN)
            .then_some((self.0 >> Self::PEER_SHIFT) as u32)
    }

    /// Does a claim of the peer hold it?
    pub(crate) const fn is_held(self) -> bool {
        self.has(Self::HELD)
    }

    /// Its place among ports of its priority.
    pub(crate) const fn rank(self) -> u8 {
        (self.0 >> Self::RANK_SHIFT) as u8
    }
}

/// A port of a trunk.
pub(crate) struct Port {
    pub(crate) id: PortId,
    pub(crate) dev: ARef<NetDevice>,
    pub(crate) trunk: ARef<Device<Trunk>>,
    /// The condition the table knows of. Written under the table's lock.
    noted: AtomicU64,
    /// What the health check has to say: part of a [`Condition`]. Written under its lock.
    verdict: AtomicU64,
    /// The link has failed, and the health check does not know yet, so thinks too well of it. Set
    /// under the table's lock, cleared under the health check's.
    lost: AtomicBool,
    /// When the link was last known to work both ways, in ns; 0 if never.
    good: AtomicU64,
    /// Whether the user lets it be used. Written under the table's lock.
    enabled: AtomicBool,
    /// What the device had before, and gets back.
    own_mac: MacAddr,
    own_mtu: u32,
    /// The trunk's address, if the port receives for it beside its own. Written under RTNL.
    second_mac: AtomicU64,
    /// The address that its probes come from.
    probe_mac: MacAddr,
    /// The EtherType of probes, in network order. Here, since each frame is compared with it.
    probe_type: AtomicU16,
}

/// A port, as the link to it owns it.
pub(crate) type LinkedPort = Arc<Lower<Trunk>>;

impl Port {
    /// Can frames leave by it? Once they could, for as long as it is up and has a carrier; and not
    /// again before the health check knows of the failure.
    pub(crate) fn is_operational(&self) -> bool {
        let before = Condition(self.noted.load(Ordering::Relaxed));
        let ready = before.has(Condition::OPERATIONAL) || self.dev.is_activated();
        self.dev.is_operational() && ready && !self.lost.load(Ordering::Relaxed)
    }

    /// The health check knows that the link has failed. Under its lock.
    pub(crate) fn loss_is_known(&self) {
        self.lost.store(false, Ordering::Relaxed);
    }

    /// The port's condition now.
    pub(crate) fn condition(&self) -> Condition {
        let mut word = self.verdict.load(Ordering::Relaxed);
        if self.is_operational() {
            word |= Condition::OPERATIONAL;
        }
        if self.is_enabled() {
            word |= Condition::ENABLED;
        }
        if self.dev.is_started() {
            word |= Condition::STARTED;
        }
        Condition(word)
    }

    /// Is that news to the table?
    pub(crate) fn has_changed(&self) -> bool {
        self.noted.load(Ordering::Relaxed) != self.condition().0
    }

    /// Notes the port's condition, and returns it. Under the table's lock.
    pub(crate) fn note_condition(&self) -> Condition {
        let condition = self.condition();
        let before = Condition(self.noted.swap(condition.0, Ordering::Relaxed));
        if before.has(Condition::OPERATIONAL) && !condition.has(Condition::OPERATIONAL) {
            self.lost.store(true, Ordering::Relaxed);
        }
        condition
    }

    /// What tells its peer from others, if that is known to be a trunk.
    pub(crate) fn proven_peer(&self) -> Option<u32> {
        Condition(self.noted.load(Ordering::Relaxed)).proven_peer()
    }

    /// Takes what the health check has to say, and another rank if there is one. Under its lock.
    pub(crate) fn judge(&self, verdict: &Verdict, rank: Option<u8>) {
        let old = Condition(self.verdict.load(Ordering::Relaxed)).rank();
        let rank = rank.unwrap_or(old);
        if let Some(good) = verdict.good {
            self.good.store(good, Ordering::Relaxed);
        }
        self.verdict
            .store(Condition::of(verdict, rank).0, Ordering::Relaxed);
    }

    /// How long the link may have failed before that was noticed at `now`, in ns, if probes found
    /// out.
    pub(crate) fn unnoticed(&self, reason: Reason, now: u64) -> Option<u64> {
        let probes = matches!(
            reason,
            Reason::ProbeTimeout | Reason::OneWayRx | Reason::OneWayTx | Reason::PeerSilent
        );
        let good = self.good.load(Ordering::Relaxed);
        (probes && good != 0).then(|| now.saturating_sub(good))
    }

    /// Why the port is not usable.
    pub(crate) fn reason(&self) -> Reason {
        if !self.is_enabled() {
            Reason::Disabled
        } else if self.is_operational() {
            self.condition().verdict()
        } else if self.dev.is_started() {
            Reason::NoCarrier
        } else {
            Reason::AdminDown
        }
    }

    /// The EtherType of probes, in network order.
    #[inline(always)]
    pub(crate) fn probe_type(&self) -> u16 {
        self.probe_type.load(Ordering::Relaxed)
    }

    /// Makes this the EtherType of probes.
    pub(crate) fn set_probe_type(&self, ethertype: u16) {
        self.probe_type.store(ethertype.to_be(), Ordering::Relaxed);
    }

    /// The address that its probes come from: its own, never that of the trunk, which a switch would
    /// take to have moved.
    pub(crate) fn probe_mac(&self) -> MacAddr {
        /// Locally administered, not assigned by a manufacturer.
        const LOCAL: u8 = 2;

        let mac = self.probe_mac;
        if mac.to_u64() != self.trunk.data().mac() {
            return mac;
        }
        let [first, rest @ ..] = *mac.octets();
        let [b, c, d, e, f] = rest;
        MacAddr::new([first ^ LOCAL, b, c, d, e, f])
    }

    /// May the port be used?
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Says whether the port may be used. Under the table's lock.
    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// The trunk's address, if the port receives for it beside its own, which it keeps.
    #[inline(always)]
    pub(crate) fn second_mac(&self) -> Option<MacAddr> {
        let mac = self.second_mac.load(Ordering::Relaxed);
        (mac != 0).then_some(MacAddr::from_u64(mac))
    }

    /// Has the port receive for `mac`, the trunk's new address, instead of the old one.
    pub(crate) fn take_mac(&self, mac: MacAddr, rtnl: &Rtnl) -> Result {
        let second = set_or_add_mac(&self.dev, mac, &mut ExtAck::none(), rtnl)?;
        forget_mac(&self.dev, self.second_mac(), rtnl);
        self.second_mac
            .store(second.map_or(0, MacAddr::to_u64), Ordering::Relaxed);
        Ok(())
    }

    /// Makes `port` a port of the trunk `dev`, of that priority.
    ///
    /// # Errors
    ///
    /// Each refusal says in `extack` what is wrong, and leaves both devices as they were.
    pub(crate) fn join(
        dev: &Device<Trunk>,
        port: &NetDevice,
        priority: u16,
        extack: &mut ExtAck<'_>,
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

        // Before it is opened: many begin anew for another program.
        xdp::join(dev, port, extack, rtnl)?;
        let program = ScopeGuard::new(|| xdp::leave(dev, port, rtnl));

        port.open(extack, rtnl)
            .map_err(|err| extack.refuse_weakly(err, c"trunk: the port cannot be set up"))?;
        let open = ScopeGuard::new(|| port.close(rtnl));
        port.disable_lro(rtnl);

        trunk
            .prober
            .listen(port, rtnl)
            .map_err(|err| extack.refuse_weakly(err, c"trunk: the port cannot listen to probes"))?;
        let probes = ScopeGuard::new(|| trunk.prober.ignore(port, rtnl));

        dev.add_vlans_to(port, rtnl).map_err(|err| {
            extack.refuse_weakly(
                err,
                c"trunk: the port refuses a VLAN that the trunk is used by",
            )
        })?;
        let vlans = ScopeGuard::new(|| dev.remove_vlans_from(port, rtnl));

        let speed = port.link_speed(rtnl).map(|(speed, _)| speed);
        let record = Record::new(speed)?;
        let tested = KBox::new(Link::new(priority), GFP_KERNEL)?;
        let new = Self {
            id,
            dev: port.into(),
            trunk: dev.into(),
            noted: AtomicU64::new(0),
            verdict: AtomicU64::new((id.index() as u64) << Condition::RANK_SHIFT),
            lost: AtomicBool::new(false),
            good: AtomicU64::new(0),
            enabled: AtomicBool::new(true),
            own_mac,
            own_mtu,
            second_mac: AtomicU64::new(second_mac.map_or(0, MacAddr::to_u64)),
            probe_mac: port.permanent_mac(rtnl).unwrap_or(own_mac),
            probe_type: AtomicU16::new(trunk.prober.ethertype().to_be()),
        };
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
        if inherit {
            Trunk::inherit_mac(dev, own_mac, rtnl);
        }
        if dev.is_up(rtnl) {
            dev.sync_addresses(port, rtnl);
        }
        if let Some(slot) = trunk.ports.get(id.index()) {
            drop(slot.replace(Some(new.clone())));
        }
        trunk.prober.add(&new, tested);
        {
            let guard = rcu::read_lock();
            trunk
                .table
                .add(dev, &new, priority, record, (&guard).into());
        }
        Trunk::derive_features(dev, rtnl);
        xdp::inherit_features(dev, rtnl);
        let act = port.is_operational();
        dev.lower_state_changed(port, act, act, rtnl);
        Ok(())
    }

    /// Decides whether `port` may become a port of `dev`, and under which number.
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

        trunk.prober.leave(&data);
        {
            let guard = rcu::read_lock();
            trunk.table.remove(dev, &data, (&guard).into());
        }
        if let Some(slot) = trunk.ports.get(id.index()) {
            // Frames that had looked the port up before are on their way after this.
            drop(slot.replace(None));
        }
        trunk.prober.remove(id);
        undo("receive mode", receive_modes(dev, port, false, rtnl));
        trunk.prober.ignore(port, rtnl);
        dev.unsync_addresses(port, rtnl);
        drop(dev.release(port, rtnl));
        dev.remove_vlans_from(port, rtnl);
        forget_mac(port, data.second_mac(), rtnl);

        port.close(rtnl);
        xdp::leave(dev, port, rtnl);
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
        Trunk::derive_features(dev, rtnl);
        xdp::inherit_features(dev, rtnl);
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

/// Has `port` receive for `mac`: as its own address; or, if it does not change that while it is up or
/// at all, beside its own. It is returned then.
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
        // Another has it, who would get the frames.
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

/// Undoes the latter.
fn forget_mac(port: &NetDevice, mac: Option<MacAddr>, rtnl: &Rtnl) {
    if let Some(mac) = mac {
        undo("second MAC address", port.remove_unicast(mac, rtnl));
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
pub(crate) fn undo(what: &str, result: Result) {
    if let Err(err) = result {
        pr_warn!(
            "a port does not give back its {what}: error {}\n",
            err.to_errno()
        );
    }
}
