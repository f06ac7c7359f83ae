// SPDX-License-Identifier: GPL-2.0

//! The data that is shown: JSON has the fields of these types, whose names never change; text.rs
//! makes text of them.

use serde::Serialize;
use trunk_nl::uapi::{EventKind, Reason, Redundancy, State};
use trunk_nl::{
    Bucket, ClaimState, Clock, Compared, Counters, Event, Link, Mac, MissingPort, Named, Peer,
    Port, Statistics, System, Trunk,
};

use crate::time;

/// A trunk, its device and its ports.
#[derive(Clone, Debug)]
pub struct Group {
    pub link: Link,
    pub trunk: Trunk,
    pub ports: Vec<Port>,
    /// Ports whose devices are not there.
    pub missing: Vec<MissingPort>,
}

impl Group {
    /// Returns the name of a port, or its number if it has gone.
    pub fn port_name(&self, ifindex: u32) -> String {
        port_name(&self.ports, ifindex)
    }
}

pub fn port_name(ports: &[Port], ifindex: u32) -> String {
    let port = ports.iter().find(|port| port.ifindex == ifindex);
    port.map_or_else(|| format!("if{ifindex}"), |port| port.ifname.clone())
}

/// An object of `show`.
#[derive(Debug, Serialize)]
pub struct TrunkView<'a> {
    #[serde(flatten)]
    pub trunk: &'a Trunk,
    /// Number of ports.
    pub ports: usize,
    /// Number of ports that are act.
    pub act: usize,
    /// Names of ports whose devices are not there.
    pub missing: Vec<&'a str>,
    pub up: bool,
    pub carrier: bool,
    pub mtu: u32,
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<&'a Counters>,
}

impl<'a> TrunkView<'a> {
    pub fn new(group: &'a Group, statistics: &'a [Statistics]) -> Self {
        let own = |s: &&Statistics| s.trunk == group.trunk.ifindex && s.port.is_none();
        Self {
            trunk: &group.trunk,
            ports: group.ports.len(),
            act: act(&group.ports),
            missing: group.missing.iter().map(|p| p.ifname.as_str()).collect(),
            up: group.link.up,
            carrier: group.link.carrier,
            mtu: group.link.mtu,
            address: address(&group.link.address),
            statistics: statistics.iter().find(own).map(|s| &s.counters),
        }
    }
}

pub fn act(ports: &[Port]) -> usize {
    ports.iter().filter(|port| port.state == State::Act).count()
}

fn address(octets: &[u8]) -> String {
    let octets: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

/// An object of `port show`.
#[derive(Debug, Serialize)]
pub struct PortView<'a> {
    pub ifindex: u32,
    pub ifname: &'a str,
    pub trunk: &'a str,
    pub id: u32,
    pub priority: u32,
    /// 0 is auto.
    pub weight: u32,
    pub share: u32,
    pub enabled: bool,
    pub state: Named<State>,
    pub reason: Named<Reason>,
    /// When the state changed last, in UTC.
    pub since: String,
    /// It serves buckets or a claim.
    pub in_use: bool,
    /// Number of claims that it serves.
    pub claims: u32,
    pub homes: u32,
    pub buckets: u32,
    pub stands_in_for: Option<String>,
    pub stand_in: Option<String>,
    pub held_back: bool,
    /// Probes decide its state, not the carrier alone.
    pub probed: bool,
    /// The peer that answered last.
    pub peer: Option<PeerView>,
    pub rounds: u64,
    pub rounds_missed: u64,
    /// These four are in ns.
    pub round_trip_last: Option<u64>,
    pub round_trip_min: Option<u64>,
    pub round_trip_avg: Option<u64>,
    pub round_trip_late: Option<u64>,
    /// Replies come, but too late.
    pub late: bool,
    /// It loses frames from the trunk's own address, frames as long as the MTU, and those of VLANs.
    pub loses_source: bool,
    pub loses_mtu: bool,
    pub loses_vlans: &'a [u32],
    /// What both ends have counted lately.
    pub compared: Option<Compared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<&'a Counters>,
    /// How long ago the state changed last.
    #[serde(skip)]
    pub age: String,
}

impl<'a> PortView<'a> {
    /// Returns the view of a port. `all` has the ports of its trunk.
    pub fn new(port: &'a Port, all: &[Port], statistics: &'a [Statistics], clock: Clock) -> Self {
        let own = |s: &&Statistics| s.port == Some(port.ifindex);
        let name = |ifindex| port_name(all, ifindex);
        Self {
            ifindex: port.ifindex,
            ifname: &port.ifname,
            trunk: &port.trunk_name,
            id: port.id,
            priority: port.priority,
            weight: port.weight,
            share: port.share,
            enabled: port.enabled,
            state: port.state,
            reason: port.reason,
            since: time::utc(clock.wall(port.since)),
            in_use: port.in_use,
            claims: port.claims,
            homes: port.homes,
            buckets: port.buckets,
            stands_in_for: port.stands_in_for.map(name),
            stand_in: port.stand_in.map(name),
            held_back: port.held_back,
            probed: port.probed,
            peer: port.peer.as_ref().map(|peer| PeerView::new(peer, clock)),
            rounds: port.rounds,
            rounds_missed: port.rounds_missed,
            round_trip_last: port.round_trip_last,
            round_trip_min: port.round_trip_min,
            round_trip_avg: port.round_trip_avg,
            round_trip_late: port.round_trip_late,
            late: port.late,
            loses_source: port.loses_source,
            loses_mtu: port.loses_mtu,
            loses_vlans: &port.loses_vlans,
            compared: port.compared,
            statistics: statistics.iter().find(own).map(|s| &s.counters),
            age: time::brief(clock.since(port.since)),
        }
    }
}

/// The other end of a port's link.
#[derive(Debug, Serialize)]
pub struct PeerView {
    pub system: System,
    pub trunk: u32,
    pub port: u32,
    pub priority: u32,
    /// The link is usable for it.
    pub usable: bool,
    pub in_use: bool,
    /// Microseconds.
    pub interval: u32,
    /// When its last probe came, in UTC.
    pub heard: String,
    /// How long ago that was.
    #[serde(skip)]
    pub age: String,
    /// MAC address of its trunk.
    pub address: Option<Mac>,
}

impl PeerView {
    fn new(peer: &Peer, clock: Clock) -> Self {
        Self {
            system: peer.system,
            trunk: peer.trunk,
            port: peer.port,
            priority: peer.priority,
            usable: peer.usable,
            in_use: peer.in_use,
            interval: peer.interval,
            heard: time::utc(clock.wall(peer.heard)),
            age: time::short(
                clock
                    .since(peer.heard)
                    .as_nanos()
                    .try_into()
                    .unwrap_or(u64::MAX),
            ),
            address: peer.address,
        }
    }
}

/// An object of `claim show`, and of `claim` while it holds a claim.
#[derive(Debug, Serialize)]
pub struct ClaimView<'a> {
    pub trunk: &'a str,
    pub mark: u32,
    /// The wanted port; none once that has left the trunk.
    pub port: Option<String>,
    /// The port that it has; none if no spare is free.
    pub link: Option<String>,
    /// Its number at the peer, if that is known.
    pub peer_port: Option<u32>,
    pub name: Option<&'a str>,
    pub holder: Option<u32>,
}

impl<'a> ClaimView<'a> {
    /// Returns the view of a claim. `name` returns the name of a device.
    pub fn new(claim: &'a ClaimState, mut name: impl FnMut(u32) -> String) -> Self {
        Self {
            trunk: &claim.trunk_name,
            mark: claim.mark,
            port: claim.port.map(&mut name),
            link: claim.link.map(&mut name),
            peer_port: claim.peer_port,
            name: claim.name.as_deref(),
            holder: claim.holder,
        }
    }
}

/// An object of `table show`.
#[derive(Debug, Serialize)]
pub struct TableView {
    pub ifindex: u32,
    pub ifname: String,
    pub bits: u32,
    pub buckets: Vec<BucketView>,
}

#[derive(Debug, Serialize)]
pub struct BucketView {
    pub index: u32,
    /// None if there is no working port.
    pub home: Option<String>,
    /// None if no port is usable.
    pub port: Option<String>,
    pub user_set: bool,
    pub tx_packets: u64,
    pub tx_bytes: u64,
}

impl TableView {
    pub fn new(group: &Group, table: &[Bucket]) -> Self {
        let bucket = |bucket: &Bucket| BucketView {
            index: bucket.index,
            home: bucket.home.map(|port| group.port_name(port)),
            port: bucket.port.map(|port| group.port_name(port)),
            user_set: bucket.user_set,
            tx_packets: bucket.tx_packets,
            tx_bytes: bucket.tx_bytes,
        };
        Self {
            ifindex: group.trunk.ifindex,
            ifname: group.trunk.ifname.clone(),
            bits: group.trunk.bits,
            buckets: table.iter().map(bucket).collect(),
        }
    }
}

/// An object of `stats`: the counters of a trunk, and in `ports` those of its ports.
#[derive(Debug, Serialize)]
pub struct StatisticsView<'a> {
    pub ifindex: u32,
    pub ifname: &'a str,
    pub statistics: &'a Counters,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<StatisticsView<'a>>>,
}

impl<'a> StatisticsView<'a> {
    pub fn all(statistics: &'a [Statistics]) -> Vec<Self> {
        let trunk = |trunk: &'a Statistics| {
            let port = |port: &'a Statistics| {
                let ifindex = port.port.filter(|_| port.trunk == trunk.trunk)?;
                Some(StatisticsView {
                    ifindex,
                    ifname: port.port_name.as_deref().unwrap_or_default(),
                    statistics: &port.counters,
                    ports: None,
                })
            };
            StatisticsView {
                ifindex: trunk.trunk,
                ifname: &trunk.trunk_name,
                statistics: &trunk.counters,
                ports: Some(statistics.iter().filter_map(port).collect()),
            }
        };
        let trunks = statistics.iter().filter(|s| s.port.is_none());
        trunks.map(trunk).collect()
    }
}

/// An object of `history` and `monitor`. It has no fields that do not apply.
#[derive(Debug, Serialize)]
pub struct EventView<'a> {
    pub event: Named<EventKind>,
    /// UTC.
    pub time: String,
    /// ns of CLOCK_MONOTONIC.
    pub monotonic: u64,
    pub trunk: &'a str,
    pub seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_state: Option<Named<State>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_state: Option<Named<State>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Named<Reason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch_ns: Option<u64>,
    /// The mark of the claim that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// For a refusal: the kernel's word for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long ago it happened.
    #[serde(skip)]
    pub age: String,
}

impl<'a> EventView<'a> {
    pub fn new(event: &'a Event, clock: Clock) -> Self {
        let name = |name: &Option<String>, ifindex: Option<u32>| {
            let number = || ifindex.map(|ifindex| format!("if{ifindex}"));
            name.clone().or_else(number)
        };
        Self {
            event: event.kind,
            time: time::utc(clock.wall(event.time)),
            monotonic: event.time,
            trunk: &event.trunk_name,
            seq: event.seq,
            port: name(&event.port_name, event.port),
            other: name(&event.other_name, event.other),
            old_state: event.old_state,
            new_state: event.new_state,
            reason: event.reason,
            buckets: event.buckets,
            detection_ns: event.detection_ns,
            switch_ns: event.switch_ns,
            mark: event.mark,
            error: event.error.map(|errno| trunk_nl::describe(errno as i32)),
            age: time::brief(clock.since(event.time)),
        }
    }
}

/// An object of `monitor`, in place of lost events.
#[derive(Debug, Serialize)]
pub struct LostView {
    /// `lost`.
    pub event: &'static str,
    /// When the loss was noticed, in UTC.
    pub time: String,
    /// Number of events, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// An object of `monitor` after events were lost: the present state.
#[derive(Debug, Serialize)]
pub struct ResyncView<'a> {
    /// `resync`.
    pub event: &'static str,
    pub time: String,
    pub trunks: Vec<TrunkView<'a>>,
    pub ports: Vec<PortView<'a>>,
}

/// Returns the redundancy as a number for alarms: 0 none, 1 degraded, 2 full.
pub fn redundancy_level(redundancy: Named<Redundancy>) -> u32 {
    match redundancy {
        Named::Known(value) => value as u32,
        Named::Unknown(number) => number,
    }
}

/// Returns JSON, on one line or indented.
pub fn json<T: Serialize>(value: &T, pretty: bool) -> String {
    let text = match pretty {
        true => serde_json::to_string_pretty(value),
        false => serde_json::to_string(value),
    };
    // All keys are text, and no value fails.
    text.unwrap_or_else(|error| unreachable!("JSON: {error}")) + "\n"
}
