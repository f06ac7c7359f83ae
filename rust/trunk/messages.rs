// SPDX-License-Identifier: GPL-2.0

//! What netlink messages say of a trunk. Attributes are those of
//! `Documentation/netlink/specs/trunk.yaml`.

use crate::{
    claims::{
        Holder,
        Told, //
    },
    decided::Decided,
    device::Trunk,
    port::Port,
    probe,
    pure::{
        claims::Claim,
        health::{
            Health,
            Link,
            Peer,
            RoundTrip, //
        },
        history::{
            Event,
            EventKind,
            Reason, //
        },
        join::Rule,
        port::PortId,
        selector::Selector,
        uapi::{
            attr,
            auto_join,
            bucket,
            claim as claim_attr,
            cmd,
            event,
            peer,
            port,
            Role,
            RxGroup, //
        }, //
    },
    stats, //
};
use kernel::prelude::*;
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    genl::Message,
    net::Net,
    rcu::Rcu, //
};

/// Octets that are enough for any message about one trunk, port, bucket or event.
pub(crate) const SIZE: usize = 1024;

/// Octets that are enough for [`put_trunk`], its attribute included.
pub(crate) const TRUNK_SIZE: usize = 512;

/// Which trunk it is.
pub(crate) fn put_identity(message: &mut Message<'_>, dev: &Device<Trunk>) -> Result {
    message.put_u32(attr::IFINDEX, dev.ifindex())?;
    message.put_str(attr::IFNAME, &dev.current_name())
}

/// A trunk's settings and state.
pub(crate) fn put_trunk(message: &mut Message<'_>, dev: &Device<Trunk>, rcu: &Rcu) -> Result {
    let state = dev.data().table.trunk(rcu).ok_or(ENODEV)?;
    let settings = state.settings;
    let role = match (state.selector, settings.rx_group) {
        (Selector::Dmac, RxGroup::Auto) => Some(Role::Server),
        (Selector::Smac, RxGroup::Auto) => Some(Role::Switch),
        _ => None,
    };

    message.put_u32(attr::BITS, state.bits)?;
    message.put_u32(attr::SELECTOR, state.selector as u32)?;
    if let Some(role) = role {
        message.put_u32(attr::ROLE, role as u32)?;
    }
    message.put_u32(attr::FAILBACK, settings.failback as u32)?;
    message.put_u32(attr::FAILBACK_DELAY, settings.failback_delay)?;
    message.put_u32(attr::RX_GROUP, settings.rx_group as u32)?;
    let probes = settings.probes;
    message.put_u32(attr::PROBE, probes.mode as u32)?;
    message.put_u32(attr::INTERVAL, probes.interval)?;
    message.put_u32(attr::REPLY_TIMEOUT, probes.reply_timeout)?;
    message.put_u32(attr::MISSES, probes.misses.into())?;
    message.put_u32(attr::HITS, probes.hits.into())?;
    message.put_u32(attr::HOLD_DOWN, probes.hold_down)?;
    message.put_u32(attr::PEERS, probes.peers as u32)?;
    message.put_u32(attr::PROBE_ETHERTYPE, settings.probe_ethertype.into())?;
    message.put(attr::PROBE_ADDRESS, settings.probe_address.octets())?;
    if settings.keyed {
        message.put_flag(attr::KEYED)?;
    }
    message.put_uint(attr::SYSTEM, dev.net_rcu(rcu).map_or(0, probe::system))?;
    message.put_u32(attr::REDUNDANCY, state.redundancy as u32)?;
    settings.join.map_or(Ok(()), |rule| {
        message.nest(attr::AUTO_JOIN, |message| put_rule(message, &rule))
    })
}

/// What devices must be like to join by themselves.
fn put_rule(message: &mut Message<'_>, rule: &Rule) -> Result {
    for (kind, text) in [
        (auto_join::NAME, rule.name.with_nul()),
        (auto_join::DRIVER, rule.driver.with_nul()),
        (auto_join::BUS, rule.bus.with_nul()),
    ] {
        // No more than the NUL says nothing.
        if text.len() > 1 {
            message.put(kind, text)?;
        }
    }
    if !rule.address.octets().is_empty() {
        message.put(auto_join::ADDRESS, rule.address.octets())?;
    }
    message.put_u32(auto_join::PRIORITY, rule.priority.into())
}

/// A port's settings and state. `ENODEV` for one that is just joining or leaving.
pub(crate) fn put_port(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let trunk = port.trunk.data();
    let state = trunk.table.port(port.id, rcu).ok_or(ENODEV)?;
    let ifindex = |id: PortId| trunk.port(id, rcu).map(|port| port.dev.ifindex());
    let reason = match state.view.is_act() {
        true => Reason::None,
        // As it is now: what keeps it from being used may have changed since.
        false => port.reason(),
    };

    message.nest(attr::PORT, |message| {
        put_port_identity(message, port)?;
        message.put_u32(port::ID, port.id.index() as u32)?;
        message.put_u32(port::PRIORITY, state.view.priority.into())?;
        message.put_u32(port::WEIGHT, state.weight.into())?;
        message.put_u32(port::SHARE, state.view.weight.into())?;
        message.put_u32(port::ENABLED, port.is_enabled().into())?;
        message.put_u32(port::STATE, state.view.state as u32)?;
        message.put_u32(port::REASON, reason as u32)?;
        message.put_uint(port::SINCE, state.since)?;
        message.put_u32(port::HOMES, state.homes)?;
        message.put_u32(port::BUCKETS, state.buckets as u32)?;
        if let Some(home) = state.stands_in_for.and_then(ifindex) {
            message.put_u32(port::STANDS_IN_FOR, home)?;
        }
        if let Some(spare) = state.stand_in.and_then(ifindex) {
            message.put_u32(port::STAND_IN, spare)?;
        }
        if state.view.is_held_back() {
            message.put_flag(port::HELD_BACK)?;
        }
        if state.in_use {
            message.put_flag(port::IN_USE)?;
        }
        message.put_u32(port::CLAIMS, state.claims)?;
        let link = trunk
            .prober
            .look(|health| health.link(port.id).map(Tested::of));
        put_tested(message, &link.ok_or(ENODEV)?)
    })
}

/// What is known of a link from probes.
struct Tested {
    probed: bool,
    peer: Option<Peer>,
    trip: Option<RoundTrip>,
    late: Option<u64>,
    rounds: u64,
    missed: u64,
}

impl Tested {
    fn of(link: &Link) -> Self {
        Self {
            probed: link.is_probed(),
            peer: link.peer().copied(),
            trip: link.round_trip(),
            late: link.late(),
            rounds: link.counts().rounds,
            missed: link.counts().missed,
        }
    }
}

fn put_tested(message: &mut Message<'_>, link: &Tested) -> Result {
    if link.probed {
        message.put_flag(port::PROBED)?;
    }
    if let Some(peer) = &link.peer {
        message.nest(port::PEER, |message| {
            message.put_uint(peer::SYSTEM, peer.identity.system)?;
            message.put_u32(peer::TRUNK, peer.identity.trunk)?;
            message.put_u32(peer::PORT, peer.port.into())?;
            message.put_u32(peer::PRIORITY, peer.priority.into())?;
            if peer.usable {
                message.put_flag(peer::USABLE)?;
            }
            if peer.in_use {
                message.put_flag(peer::IN_USE)?;
            }
            message.put_u32(peer::INTERVAL, peer.interval)?;
            message.put_uint(peer::HEARD, peer.heard)?;
            match &peer.address {
                Some(address) => message.put(peer::ADDRESS, address),
                None => Ok(()),
            }
        })?;
    }
    message.put_uint(port::ROUNDS, link.rounds)?;
    message.put_uint(port::ROUNDS_MISSED, link.missed)?;
    if let Some(trip) = link.trip {
        message.put_uint(port::ROUND_TRIP_LAST, trip.last)?;
        message.put_uint(port::ROUND_TRIP_MIN, trip.min)?;
        message.put_uint(port::ROUND_TRIP_AVG, trip.avg)?;
    }
    match link.late {
        Some(late) => message.put_uint(port::ROUND_TRIP_LATE, late),
        None => Ok(()),
    }
}

fn put_port_identity(message: &mut Message<'_>, port: &Port) -> Result {
    message.put_u32(port::IFINDEX, port.dev.ifindex())?;
    message.put_str(port::IFNAME, &port.dev.current_name())
}

/// What a bucket belongs to and has carried. `ENODEV` if there are not so many any more.
pub(crate) fn put_bucket(
    message: &mut Message<'_>,
    trunk: &Trunk,
    number: usize,
    rcu: &Rcu,
) -> Result {
    let state = trunk.table.bucket(number, rcu).ok_or(ENODEV)?;
    let ifindex = |id: PortId| trunk.port(id, rcu).map(|port| port.dev.ifindex());
    let [frames, octets] = state.sent;

    message.put_u32(bucket::INDEX, number as u32)?;
    if let Some(home) = state.home.and_then(ifindex) {
        message.put_u32(bucket::HOME, home)?;
    }
    if let Some(port) = state.port.and_then(ifindex) {
        message.put_u32(bucket::PORT, port)?;
    }
    if state.user_set {
        message.put_flag(bucket::USER_SET)?;
    }
    message.put_uint(bucket::TX_PACKETS, frames)?;
    message.put_uint(bucket::TX_BYTES, octets)
}

/// The counters of a trunk since they were last reset.
pub(crate) fn put_trunk_figures(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    rcu: &Rcu,
) -> Result {
    let trunk = dev.data().get_ref();
    let (totals, base) = trunk.table.look(|decided| (decided.totals, decided.base));
    let figures = trunk.statistics.of_trunk(&dev.counters(rcu), totals);
    put_figures(message, &figures, &base)
}

/// The counters of a port since they were last reset. `ENODEV` as for [`put_port`].
pub(crate) fn put_port_figures(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let record = |decided: &mut Decided| {
        let record = decided.record(port.id)?;
        Some((record.ups, record.downs, record.base))
    };
    let trunk = port.trunk.data();
    let (ups, downs, base) = trunk.table.look(record).ok_or(ENODEV)?;
    let counts = |health: &mut Health<_>| Some(*health.link(port.id)?.counts());
    let counts = trunk.prober.look(counts).ok_or(ENODEV)?;
    message.nest(attr::PORT, |message| put_port_identity(message, port))?;
    put_figures(
        message,
        &stats::of_port(&port.dev.counters(rcu), ups, downs, &counts),
        &base,
    )
}

fn put_figures(message: &mut Message<'_>, figures: &[(u16, u64)], base: &[u64]) -> Result {
    message.nest(attr::STATISTICS, |message| {
        for ((attribute, figure), base) in figures.iter().zip(base) {
            message.put_uint(*attribute, figure.wrapping_sub(*base))?;
        }
        Ok(())
    })
}

/// Something that happened, the `seq`th thing.
pub(crate) fn put_event(
    message: &mut Message<'_>,
    seq: u64,
    happened: &Event,
    net: &Net,
    rcu: &Rcu,
) -> Result {
    let put_device = |message: &mut Message<'_>, ifindex: u32, index: u16, name: u16| {
        if ifindex == 0 {
            return Ok(());
        }
        message.put_u32(index, ifindex)?;
        NetDevice::by_index_rcu(net, ifindex, rcu)
            .map_or(Ok(()), |dev| message.put_str(name, &dev.current_name()))
    };

    message.put_uint(event::SEQ, seq)?;
    message.put_uint(event::TIME, happened.time)?;
    message.put_u32(event::KIND, happened.kind as u32)?;
    put_device(message, happened.port, event::PORT, event::PORT_NAME)?;
    put_device(message, happened.other, event::OTHER, event::OTHER_NAME)?;
    if let Some((old, new)) = happened.states {
        message.put_u32(event::OLD_STATE, old as u32)?;
        message.put_u32(event::NEW_STATE, new as u32)?;
    }
    if happened.mark != 0 {
        message.put_u32(event::MARK, happened.mark)?;
    }
    if let Some(detection) = happened.detection {
        message.put_uint(event::DETECTION_NS, detection)?;
    }
    match happened.kind {
        EventKind::PortState => message.put_u32(event::REASON, happened.reason as u32)?,
        EventKind::Failover | EventKind::Failback | EventKind::ClaimMoved => {
            message.put_u32(event::REASON, happened.reason as u32)?;
            message.put_uint(event::SWITCH_NS, happened.switch.into())?;
        }
        _ => {}
    }
    match notification(happened.kind) {
        cmd::PORT_NTF if happened.states.is_some() => Ok(()),
        _ if happened.kind == EventKind::JoinRefused => {
            message.put_u32(event::ERROR, happened.error.into())
        }
        cmd::PEER_NTF | cmd::CLAIM_NTF => Ok(()),
        _ => message.put_u32(event::BUCKETS, happened.buckets),
    }
}

/// The notification that tells of an event of that kind.
pub(crate) fn notification(kind: EventKind) -> u8 {
    match kind {
        EventKind::PortState | EventKind::Join | EventKind::Leave | EventKind::JoinRefused => {
            cmd::PORT_NTF
        }
        EventKind::Failover => cmd::FAILOVER_NTF,
        EventKind::Failback => cmd::FAILBACK_NTF,
        EventKind::Table => cmd::TABLE_NTF,
        EventKind::Config => cmd::CONFIG_NTF,
        EventKind::PeerFound
        | EventKind::PeerBye
        | EventKind::PeerLost
        | EventKind::PeerDiffers => cmd::PEER_NTF,
        EventKind::Claim | EventKind::Release | EventKind::ClaimMoved => cmd::CLAIM_NTF,
    }
}

/// All that such a notification says.
pub(crate) fn put_notification(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    seq: u64,
    happened: &Event,
    net: &Net,
    rcu: &Rcu,
) -> Result {
    put_identity(message, dev)?;
    if let EventKind::Config = happened.kind {
        put_trunk(message, dev, rcu)?;
        let mut ports = dev.data().get_ref().ports(rcu);
        if let Some(port) = ports.find(|port| port.dev.ifindex() == happened.port) {
            put_port(message, port, rcu)?;
        }
    }
    message.nest(attr::EVENT, |message| {
        put_event(message, seq, happened, net, rcu)
    })
}

/// A claim: what it is about, and who holds it.
pub(crate) fn put_claim(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    claim: &Claim,
    holder: &Holder,
    rcu: &Rcu,
) -> Result {
    message.put_u32(claim_attr::MARK, holder.mark)?;
    message.put_u32(claim_attr::PORT, holder.port)?;
    put_link(message, claim_attr::LINK, dev, claim.link(), rcu)?;
    put_peer_port(message, dev, claim.link())?;
    message.put_u32(claim_attr::HOLDER, holder.socket.port_id())?;
    match CStr::from_bytes_until_nul(&holder.name) {
        Ok(name) if !name.is_empty() => message.put_str(claim_attr::NAME, name),
        _ => Ok(()),
    }
}

fn put_link(
    message: &mut Message<'_>,
    kind: u16,
    dev: &Device<Trunk>,
    link: Option<PortId>,
    rcu: &Rcu,
) -> Result {
    let trunk = dev.data().get_ref();
    match link.and_then(|id| trunk.port(id, rcu)) {
        Some(port) => message.put_u32(kind, port.dev.ifindex()),
        None => Ok(()),
    }
}

/// The other end of a claim's link.
fn put_peer_port(message: &mut Message<'_>, dev: &Device<Trunk>, link: Option<PortId>) -> Result {
    let peer = |health: &mut Health<_>| Some(health.link(link?)?.peer()?.port);
    match dev.data().prober.look(peer) {
        Some(port) => message.put_u32(claim_attr::PEER_PORT, port.into()),
        None => Ok(()),
    }
}

/// The claim of that mark. `ENOENT` if it has ended.
pub(crate) fn put_claim_of(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    mark: u32,
    rcu: &Rcu,
) -> Result {
    let claim = dev.data().table.look(|decided| {
        let (claim, holder) = decided.claims().find(|(_, h)| h.mark == mark)?;
        Some((*claim, *holder))
    });
    let (claim, holder) = claim.ok_or(ENOENT)?;
    message.nest(attr::CLAIM, |message| {
        put_claim(message, dev, &claim, &holder, rcu)
    })
}

/// What the holder of a claim is told.
pub(crate) fn put_told(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    told: &Told,
    rcu: &Rcu,
) -> Result {
    put_identity(message, dev)?;
    message.nest(attr::CLAIM, |message| {
        message.put_u32(claim_attr::MARK, told.holder.mark)?;
        message.put_u32(claim_attr::PORT, told.holder.port)?;
        put_link(message, claim_attr::LINK, dev, told.new, rcu)?;
        put_peer_port(message, dev, told.new)?;
        put_link(message, claim_attr::OLD_LINK, dev, told.old, rcu)?;
        message.put_u32(claim_attr::REASON, told.holder.reason as u32)
    })
}
