// SPDX-License-Identifier: GPL-2.0

//! The data of the family `trunk`, as types.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::attr::{Attr, Attributes, Fields, Typed, Writer};
use crate::error::{malformed, Result};
use crate::uapi::{
    attr, auto_join, bucket, claim, compared, event, peer, port, statistics, EventKind, Failback,
    FarEnd, FarEndReason, Peers, ProbeMode, Reason, Redundancy, Role, Selector, State,
};
use crate::values::{Key, Mac, MacPrefix, System};

/// A value of an enumeration, or the number of a value that is newer than this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<E> {
    /// A value that has a name.
    Known(E),
    /// A number without a name here.
    Unknown(u32),
}

impl<E: Copy> Named<E> {
    /// Returns the value, if it is known.
    pub fn known(self) -> Option<E> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<E: PartialEq> PartialEq<E> for Named<E> {
    fn eq(&self, other: &E) -> bool {
        matches!(self, Self::Known(value) if value == other)
    }
}

macro_rules! named {
    ($($enumeration:ident)*) => {$(
        impl From<u32> for Named<$enumeration> {
            fn from(number: u32) -> Self {
                $enumeration::from_u32(number).map_or(Self::Unknown(number), Self::Known)
            }
        }

        impl fmt::Display for $enumeration {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $enumeration {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl std::str::FromStr for $enumeration {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                Self::ALL
                    .into_iter()
                    .find(|value| value.as_str() == word)
                    .ok_or_else(|| {
                        let all = Self::ALL.map(|value| value.as_str());
                        format!("\"{word}\" is none of {}", all.join(", "))
                    })
            }
        }
    )*};
}

named!(EventKind FarEnd FarEndReason Failback Peers ProbeMode Reason Redundancy Role Selector State);

impl Role {
    /// Returns the selector that it stands for.
    pub fn selector(self) -> Selector {
        match self {
            Self::Server => Selector::Dmac,
            Self::Switch => Selector::Smac,
        }
    }

    /// Returns the far end that it stands for.
    pub fn far_end(self) -> FarEnd {
        FarEnd::Auto
    }
}

impl<E: fmt::Display> fmt::Display for Named<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unknown(number) => number.fmt(f),
        }
    }
}

/// As its name, or its number.
impl<E: Serialize> Serialize for Named<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Unknown(number) => serializer.serialize_u32(*number),
        }
    }
}

/// Settings and state of a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trunk {
    /// Interface index.
    pub ifindex: u32,
    /// Name of the device.
    pub ifname: String,
    /// M; the table has 2^M buckets.
    pub bits: u32,
    /// What picks the bucket of a frame.
    pub selector: Named<Selector>,
    /// The role that selector and far-end have, if there is one.
    pub role: Option<Named<Role>>,
    /// When buckets go back to a working port.
    pub failback: Named<Failback>,
    /// Delay of failback, in milliseconds.
    pub failback_delay: u32,
    /// What the ports lead to, as the user has set it.
    pub far_end: Named<FarEnd>,
    /// The trunk has carrier only while so many ports are act.
    pub min_links: u32,
    /// Whether links are tested, beyond their carrier.
    pub probe: Named<ProbeMode>,
    /// Microseconds from one round of probes to the next.
    pub interval: u32,
    /// Microseconds after a probe in which a reply is in time.
    pub reply_timeout: u32,
    /// Rounds in a row without reply that make a port sby.
    pub misses: u32,
    /// Rounds in a row with reply that make it act again.
    pub hits: u32,
    /// The longest time for which a port that fails often is held down, in milliseconds; 0 is not
    /// at all.
    pub hold_down: u32,
    /// Whether all ports lead to one trunk.
    pub peers: Named<Peers>,
    /// EtherType of probes.
    pub probe_ethertype: u32,
    /// Where probes are sent to.
    pub probe_address: Mac,
    /// There is a key.
    pub keyed: bool,
    /// Identity of this system in probes.
    pub system: System,
    /// The redundancy.
    pub redundancy: Named<Redundancy>,
    /// Devices that become ports by themselves.
    pub auto_join: Option<AutoJoin>,
    /// What the ports lead to, as far as is known.
    pub far_end_is: Named<FarEnd>,
    /// Why they lead to that.
    pub far_end_reason: Named<FarEndReason>,
    /// Its MAC address, unless it would have that anyway.
    #[serde(skip)]
    pub own_address: Option<Mac>,
}

/// The rule for devices that become ports by themselves when they appear: all that is given must
/// match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoJoin {
    /// A pattern for its name: `*` stands for any characters, `?` for any one.
    pub name: Option<String>,
    /// Name of the driver of its parent.
    pub driver: Option<String>,
    /// Name of the bus of its parent.
    pub bus: Option<String>,
    /// The beginning of its permanent MAC address.
    pub address: Option<MacPrefix>,
    /// Its priority as a port.
    pub priority: u32,
}

/// Settings of a trunk to be changed; those that are `None` stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrunkSettings {
    /// M, 0 to 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// What picks the bucket of a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Not to be combined with `selector` and `far_end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// When buckets go back to a working port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failback: Option<Failback>,
    /// Milliseconds, up to a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failback_delay: Option<u32>,
    /// What the ports lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub far_end: Option<FarEnd>,
    /// 0 to 64 ports; 0 for any usable port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_links: Option<u32>,
    /// Whether links are tested, beyond their carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeMode>,
    /// Microseconds, 1 ms to 60 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Microseconds, 100 us or more, not longer than the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_timeout: Option<u32>,
    /// 1 to 255 rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misses: Option<u32>,
    /// 1 to 255 rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits: Option<u32>,
    /// Milliseconds, up to an hour; 0 for not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_down: Option<u32>,
    /// Whether all ports lead to one trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Peers>,
    /// EtherType of probes, 0x0600 or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_ethertype: Option<u32>,
    /// Where probes are sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_address: Option<Mac>,
    /// Devices that become ports by themselves; `Some(None)` is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_join: Option<Option<AutoJoin>>,
    /// The secret of both ends; not shown.
    #[serde(skip)]
    pub key: Option<Key>,
}

/// Settings and state of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Interface index.
    pub ifindex: u32,
    /// Name of the device.
    pub ifname: String,
    /// Interface index of the trunk.
    pub trunk: u32,
    /// Name of the trunk.
    pub trunk_name: String,
    /// Number within the trunk, 0 to 63; ports of one priority rank by it.
    pub id: u32,
    /// 1 is a working port; 2 and more a spare, lower numbers first.
    pub priority: u32,
    /// Share of a working port in proportion to the other shares; 0 is by link speed.
    pub weight: u32,
    /// The weight in use, also for weight 0.
    pub share: u32,
    /// The user has not disabled it.
    pub enabled: bool,
    /// Whether its link is usable.
    pub state: Named<State>,
    /// Why its link is not usable.
    pub reason: Named<Reason>,
    /// Time of the last change of state, in ns of CLOCK_MONOTONIC.
    pub since: u64,
    /// The number of buckets whose home it is.
    pub homes: u32,
    /// The number of buckets that it carries.
    pub buckets: u32,
    /// The working port for which this spare stands in, by interface index.
    pub stands_in_for: Option<u32>,
    /// The spare that stands in for this working port, by interface index.
    pub stand_in: Option<u32>,
    /// It is act again, and waits for its buckets as failback requires.
    pub held_back: bool,
    /// It serves buckets or a claim.
    pub in_use: bool,
    /// The number of claims that it serves.
    pub claims: u32,
    /// Probes decide its state, not the carrier alone.
    pub probed: bool,
    /// The peer that answered last; none if no peer did.
    pub peer: Option<Peer>,
    /// Rounds of probes since it became a port.
    pub rounds: u64,
    /// Rounds without a reply in time.
    pub rounds_missed: u64,
    /// Round trip of the last reply, in ns; none before the first reply.
    pub round_trip_last: Option<u64>,
    /// The shortest round trip.
    pub round_trip_min: Option<u64>,
    /// The average round trip, in which the last one counts for an eighth.
    pub round_trip_avg: Option<u64>,
    /// Round trip of the last reply that came too late, in ns.
    pub round_trip_late: Option<u64>,
    /// Replies come, but too late.
    pub late: bool,
    /// It loses frames from the trunk's own address.
    pub loses_source: bool,
    /// It loses frames as long as the MTU.
    pub loses_mtu: bool,
    /// It loses frames of these VLANs.
    pub loses_vlans: Vec<u32>,
    /// What both ends have counted lately.
    pub compared: Option<Compared>,
}

/// What both ends of a link have counted in the last one to two minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// How long that is, in ns.
    pub time: u64,
    /// Frames that this end has sent, but for the last ones, which may be under way.
    pub sent: u64,
    /// Frames that the peer has received.
    pub arrived: u64,
    /// Frames that the peer has sent.
    pub peer_sent: u64,
    /// Frames that this end has received, perhaps some of shortly before.
    pub peer_arrived: u64,
}

/// The other end of a port's link, by its own probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Identity of its system.
    pub system: System,
    /// Identity of its trunk within its system.
    pub trunk: u32,
    /// Number of its port.
    pub port: u32,
    /// Priority of its port.
    pub priority: u32,
    /// The link is usable for it.
    pub usable: bool,
    /// It uses the link.
    pub in_use: bool,
    /// Microseconds between its rounds.
    pub interval: u32,
    /// Time when its last probe came, in ns of CLOCK_MONOTONIC.
    pub heard: u64,
    /// MAC address of its trunk, if its probes contain it.
    pub address: Option<Mac>,
}

/// Settings of a port to be changed; those that are `None` stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PortSettings {
    /// 1 to 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// 0 to 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// False takes it out of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A port that a trunk gets once there is a device of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MissingPort {
    /// The trunk, by interface index.
    pub trunk: u32,
    /// A name of the device.
    pub ifname: String,
    /// The settings that it gets, all of them.
    #[serde(flatten)]
    pub settings: PortSettings,
}

/// A bucket of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The low bits that the selector uses.
    pub index: u32,
    /// The working port that it belongs to, by interface index; none if there is no working port.
    pub home: Option<u32>,
    /// The port that carries it, by interface index; none if no port is usable.
    pub port: Option<u32>,
    /// The user has set the home.
    pub user_set: bool,
    /// Frames sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}

/// A home of a bucket to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketHome {
    /// Index of the bucket.
    pub index: u32,
    /// A working port by interface index; `None` is automatic.
    pub home: Option<u32>,
}

/// Counters of a trunk or of one of its ports, since it was made or they were reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// The trunk, by interface index.
    pub trunk: u32,
    /// Name of the trunk.
    pub trunk_name: String,
    /// The port, by interface index; none if the counters are the trunk's.
    pub port: Option<u32>,
    /// Name of the port.
    pub port_name: Option<String>,
    /// The counters.
    #[serde(flatten)]
    pub counters: Counters,
}

/// Defines the counters and the attributes that they are read from.
macro_rules! counters {
    ($($(#[doc = $doc:literal])* $field:ident $number:ident;)*) => {
        /// Counters. A counter that only trunks have is `None` for a port; one that only ports
        /// have, for a trunk.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Counters {$(
            $(#[doc = $doc])*
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $field: Option<u64>,
        )*}

        impl Counters {
            /// Returns names and values of the counters that there are.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field)),*]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
            }

            fn set(&mut self, attribute: Attr<'_>) -> Result<()> {
                match attribute.kind() {
                    $(statistics::$number => self.$field = Some(attribute.uint()?),)*
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

counters! {
    /// Frames received.
    rx_packets RX_PACKETS;
    /// Bytes received.
    rx_bytes RX_BYTES;
    /// Frames sent.
    tx_packets TX_PACKETS;
    /// Bytes sent.
    tx_bytes TX_BYTES;
    /// Frames dropped on receipt.
    rx_dropped RX_DROPPED;
    /// Frames dropped instead of being sent.
    tx_dropped TX_DROPPED;
    /// Frames dropped because no port was usable.
    tx_no_port TX_NO_PORT;
    /// Frames dropped because the trunk itself had sent them.
    rx_own_source RX_OWN_SOURCE;
    /// Copies of broadcast and multicast frames dropped as the far end demands.
    rx_multicast_filtered RX_MULTICAST_FILTERED;
    /// Copies of unicast frames dropped as the far end demands.
    rx_unicast_filtered RX_UNICAST_FILTERED;
    /// Times that a port became act.
    port_up PORT_UP;
    /// Times that a port became sby.
    port_down PORT_DOWN;
    /// Times that replies of a port began to come too late.
    port_late PORT_LATE;
    /// Times that buckets moved because a port became sby.
    failovers FAILOVERS;
    /// Times that buckets moved back because a port was act again.
    failbacks FAILBACKS;
    /// Buckets moved from port to port, for any reason.
    buckets_moved BUCKETS_MOVED;
    /// Events that were overwritten before they could be sent.
    events_lost EVENTS_LOST;
    /// Probes sent.
    probes_sent PROBES_SENT;
    /// Probes of the peer received.
    probes_received PROBES_RECEIVED;
    /// Replies sent.
    replies_sent REPLIES_SENT;
    /// Replies received in time.
    replies_received REPLIES_RECEIVED;
    /// Replies received too late.
    replies_late REPLIES_LATE;
    /// Probes not answered because there were too many.
    probes_limited PROBES_LIMITED;
    /// Parts of probes and replies that were skipped because they are newer than the module.
    tlvs_unknown TLVS_UNKNOWN;
    /// Frames with the EtherType of probes that were malformed, of another version, without the
    /// right tag, or replies without a probe.
    probes_refused PROBES_REFUSED;
}

/// An event of a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The trunk, by interface index.
    pub trunk: u32,
    /// Name of the trunk.
    pub trunk_name: String,
    /// Number within the trunk, from 1; a gap means lost events.
    pub seq: u64,
    /// Its time, in ns of CLOCK_MONOTONIC.
    pub time: u64,
    /// Its kind.
    pub kind: Named<EventKind>,
    /// The port that it concerns, by interface index.
    pub port: Option<u32>,
    /// Its name, if it still exists.
    pub port_name: Option<String>,
    /// The port that took over or gave back, by interface index; none if buckets were spread.
    pub other: Option<u32>,
    /// Its name, if it still exists.
    pub other_name: Option<String>,
    /// The state before.
    pub old_state: Option<Named<State>>,
    /// The state after.
    pub new_state: Option<Named<State>>,
    /// The reason.
    pub reason: Option<Named<Reason>>,
    /// The number of buckets that moved.
    pub buckets: Option<u32>,
    /// Time until the failure was noticed.
    pub detection_ns: Option<u64>,
    /// Time from then to the last slot of the table.
    pub switch_ns: Option<u64>,
    /// The claim that it concerns, by its mark.
    pub mark: Option<u32>,
    /// For a refusal, the error, as a positive errno.
    pub error: Option<u32>,
}

/// A claim: a process holds a link of a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimState {
    /// The trunk, by interface index.
    pub trunk: u32,
    /// Name of the trunk.
    pub trunk_name: String,
    /// Frames with this mark leave by the claim's link. It names the claim within its trunk.
    pub mark: u32,
    /// The port that it should have, by interface index.
    pub port: Option<u32>,
    /// The port that it has, by interface index; none if no spare is free.
    pub link: Option<u32>,
    /// Number of that port at the peer, if it is known.
    pub peer_port: Option<u32>,
    /// In a notification: the port that it had before, by interface index.
    pub old_link: Option<u32>,
    /// In a notification: why it lost that port.
    pub reason: Option<Named<Reason>>,
    /// Name of the holder.
    pub name: Option<String>,
    /// Port id of the netlink socket that holds it.
    pub holder: Option<u32>,
}

impl TrunkSettings {
    /// Returns whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.optional_u32(attr::BITS, self.bits);
        w.optional_u32(attr::SELECTOR, self.selector.map(|value| value as u32));
        w.optional_u32(attr::ROLE, self.role.map(|value| value as u32));
        w.optional_u32(attr::FAILBACK, self.failback.map(|value| value as u32));
        w.optional_u32(attr::FAILBACK_DELAY, self.failback_delay);
        w.optional_u32(attr::FAR_END, self.far_end.map(|value| value as u32));
        w.optional_u32(attr::MIN_LINKS, self.min_links);
        w.optional_u32(attr::PROBE, self.probe.map(|value| value as u32));
        w.optional_u32(attr::INTERVAL, self.interval);
        w.optional_u32(attr::REPLY_TIMEOUT, self.reply_timeout);
        w.optional_u32(attr::MISSES, self.misses);
        w.optional_u32(attr::HITS, self.hits);
        w.optional_u32(attr::HOLD_DOWN, self.hold_down);
        w.optional_u32(attr::PEERS, self.peers.map(|value| value as u32));
        w.optional_u32(attr::PROBE_ETHERTYPE, self.probe_ethertype);
        if let Some(address) = self.probe_address {
            w.put(attr::PROBE_ADDRESS, &address.0);
        }
        if let Some(rule) = &self.auto_join {
            w.nest(attr::AUTO_JOIN, |w| {
                if let Some(rule) = rule {
                    rule.write(w);
                }
            });
        }
        match self.key {
            Some(Key::Secret(octets)) => w.put(attr::KEY, &octets),
            Some(Key::None) => w.put(attr::KEY, &[]),
            None => {}
        }
    }
}

impl AutoJoin {
    /// Returns whether there is no condition. The kernel refuses such a rule, which would match
    /// every device.
    pub fn is_empty(&self) -> bool {
        let Self {
            name,
            driver,
            bus,
            address,
            priority: _,
        } = self;
        name.is_none() && driver.is_none() && bus.is_none() && address.is_none()
    }

    fn write(&self, w: &mut Writer) {
        for (kind, text) in [
            (auto_join::NAME, &self.name),
            (auto_join::DRIVER, &self.driver),
            (auto_join::BUS, &self.bus),
        ] {
            if let Some(text) = text {
                w.string(kind, text);
            }
        }
        if let Some(prefix) = &self.address {
            w.put(auto_join::ADDRESS, &prefix.0);
        }
        w.u32(auto_join::PRIORITY, self.priority);
    }

    fn read(attributes: Attributes<'_>) -> Result<Self> {
        let fields = Fields::read(attributes, &auto_join::NAMES, "auto-join.")?;
        Ok(Self {
            name: fields.get(auto_join::NAME, Typed::text)?,
            driver: fields.get(auto_join::DRIVER, Typed::text)?,
            bus: fields.get(auto_join::BUS, Typed::text)?,
            address: fields.get(auto_join::ADDRESS, |prefix| {
                Ok(MacPrefix(prefix.value().to_vec()))
            })?,
            priority: fields.get(auto_join::PRIORITY, Typed::u32)?.unwrap_or(1),
        })
    }
}

impl PortSettings {
    /// Returns whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn write(&self, ifindex: u32, w: &mut Writer) {
        w.nest(attr::PORT, |w| {
            w.u32(port::IFINDEX, ifindex);
            self.write_within(w);
        });
    }

    /// Writes them into a nest that says which port it is.
    pub(crate) fn write_within(&self, w: &mut Writer) {
        w.optional_u32(port::PRIORITY, self.priority);
        w.optional_u32(port::WEIGHT, self.weight);
        w.optional_u32(port::ENABLED, self.enabled.map(u32::from));
    }
}

impl BucketHome {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.nest(attr::BUCKET, |w| {
            w.u32(bucket::INDEX, self.index);
            w.optional_u32(bucket::HOME, self.home);
        });
    }
}

/// Returns a field that each answer has.
fn need<T>(field: Option<T>, name: &str) -> Result<T> {
    field.ok_or_else(|| malformed(format!("there is no {name}")))
}

/// Returns the attributes of a message, by type.
fn message(attributes: Attributes<'_>) -> Result<Fields<'_>> {
    Fields::read(attributes, &attr::NAMES, "")
}

/// Returns the device that a message concerns.
fn subject(fields: &Fields<'_>) -> Result<(u32, String)> {
    Ok((
        fields.need(attr::IFINDEX, Typed::u32)?,
        fields.need(attr::IFNAME, Typed::text)?,
    ))
}

/// Returns a value of an enumeration.
fn named<E>(attribute: &Attr<'_>) -> Result<Named<E>>
where
    Named<E>: From<u32>,
{
    attribute.u32().map(Named::from)
}

fn mac(attribute: &Attr<'_>) -> Result<Mac> {
    let octets = attribute.value().try_into();
    let wrong = |_| malformed("a MAC address has 6 bytes");
    octets.map(Mac).map_err(wrong)
}

fn system(attribute: &Attr<'_>) -> Result<System> {
    attribute.uint().map(System)
}

impl Trunk {
    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self> {
        let fields = message(attributes)?;
        let (ifindex, ifname) = subject(&fields)?;
        Ok(Self {
            ifindex,
            ifname,
            bits: fields.need(attr::BITS, Typed::u32)?,
            selector: fields.need(attr::SELECTOR, named)?,
            role: fields.get(attr::ROLE, named)?,
            failback: fields.need(attr::FAILBACK, named)?,
            failback_delay: fields.get(attr::FAILBACK_DELAY, Typed::u32)?.unwrap_or(0),
            far_end: fields.need(attr::FAR_END, named)?,
            min_links: fields.get(attr::MIN_LINKS, Typed::u32)?.unwrap_or(0),
            probe: fields.need(attr::PROBE, named)?,
            interval: fields.need(attr::INTERVAL, Typed::u32)?,
            reply_timeout: fields.need(attr::REPLY_TIMEOUT, Typed::u32)?,
            misses: fields.need(attr::MISSES, Typed::u32)?,
            hits: fields.need(attr::HITS, Typed::u32)?,
            hold_down: fields.need(attr::HOLD_DOWN, Typed::u32)?,
            peers: fields.need(attr::PEERS, named)?,
            probe_ethertype: fields.need(attr::PROBE_ETHERTYPE, Typed::u32)?,
            probe_address: fields.need(attr::PROBE_ADDRESS, mac)?,
            keyed: fields.has(attr::KEYED),
            system: fields.need(attr::SYSTEM, system)?,
            redundancy: fields.need(attr::REDUNDANCY, named)?,
            auto_join: fields.get(attr::AUTO_JOIN, |rule| AutoJoin::read(rule.nest()))?,
            far_end_is: fields.need(attr::FAR_END_IS, named)?,
            far_end_reason: fields.need(attr::FAR_END_REASON, named)?,
            own_address: fields.get(attr::ADDRESS, mac)?,
        })
    }
}

impl Port {
    /// Returns whether its link loses frames of some kind.
    pub fn is_lossy(&self) -> bool {
        self.loses_source || self.loses_mtu || !self.loses_vlans.is_empty()
    }

    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self> {
        let outer = message(attributes)?;
        let (trunk, trunk_name) = subject(&outer)?;
        let nest = outer.need(attr::PORT, |nest| Ok(*nest))?;
        let fields = Fields::read(nest.nest(), &port::NAMES, "port.")?;
        let peer = fields.get(port::PEER, |peer| Peer::read(peer.nest()))?;
        let reason = fields.get(port::REASON, named)?;
        Ok(Self {
            ifindex: fields.need(port::IFINDEX, Typed::u32)?,
            ifname: fields.need(port::IFNAME, Typed::text)?,
            trunk,
            trunk_name,
            id: fields.need(port::ID, Typed::u32)?,
            priority: fields.need(port::PRIORITY, Typed::u32)?,
            weight: fields.need(port::WEIGHT, Typed::u32)?,
            share: fields.need(port::SHARE, Typed::u32)?,
            enabled: fields.need(port::ENABLED, Typed::u32)? != 0,
            state: fields.need(port::STATE, named)?,
            reason: reason.unwrap_or(Named::Known(Reason::None)),
            since: fields.get(port::SINCE, Typed::uint)?.unwrap_or(0),
            homes: fields.need(port::HOMES, Typed::u32)?,
            buckets: fields.need(port::BUCKETS, Typed::u32)?,
            stands_in_for: fields.get(port::STANDS_IN_FOR, Typed::u32)?,
            stand_in: fields.get(port::STAND_IN, Typed::u32)?,
            held_back: fields.has(port::HELD_BACK),
            in_use: fields.has(port::IN_USE),
            claims: fields.get(port::CLAIMS, Typed::u32)?.unwrap_or(0),
            probed: fields.has(port::PROBED),
            peer,
            rounds: fields.get(port::ROUNDS, Typed::uint)?.unwrap_or(0),
            rounds_missed: fields.get(port::ROUNDS_MISSED, Typed::uint)?.unwrap_or(0),
            round_trip_last: fields.get(port::ROUND_TRIP_LAST, Typed::uint)?,
            round_trip_min: fields.get(port::ROUND_TRIP_MIN, Typed::uint)?,
            round_trip_avg: fields.get(port::ROUND_TRIP_AVG, Typed::uint)?,
            round_trip_late: fields.get(port::ROUND_TRIP_LATE, Typed::uint)?,
            late: fields.has(port::LATE),
            loses_source: fields.has(port::LOSES_SOURCE),
            loses_mtu: fields.has(port::LOSES_MTU),
            compared: fields.get(port::COMPARED, |nest| Compared::read(nest.nest()))?,
            loses_vlans: each(nest.nest(), port::LOSES_VLAN, Typed::u32)?,
        })
    }
}

impl Compared {
    fn read(nest: Attributes<'_>) -> Result<Self> {
        let fields = Fields::read(nest, &compared::NAMES, "port.compared.")?;
        Ok(Self {
            time: fields.need(compared::TIME, Typed::uint)?,
            sent: fields.need(compared::SENT, Typed::uint)?,
            arrived: fields.need(compared::ARRIVED, Typed::uint)?,
            peer_sent: fields.need(compared::PEER_SENT, Typed::uint)?,
            peer_arrived: fields.need(compared::PEER_ARRIVED, Typed::uint)?,
        })
    }
}

impl MissingPort {
    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self> {
        let outer = message(attributes)?;
        let (trunk, _) = subject(&outer)?;
        let nest = outer.need(attr::PORT, |nest| Ok(*nest))?;
        let fields = Fields::read(nest.nest(), &port::NAMES, "port.")?;
        Ok(Self {
            trunk,
            ifname: fields.need(port::IFNAME, Typed::text)?,
            settings: PortSettings {
                priority: Some(fields.need(port::PRIORITY, Typed::u32)?),
                weight: Some(fields.need(port::WEIGHT, Typed::u32)?),
                enabled: Some(fields.need(port::ENABLED, Typed::u32)? != 0),
            },
        })
    }
}

impl Peer {
    fn read(nest: Attributes<'_>) -> Result<Self> {
        let fields = Fields::read(nest, &peer::NAMES, "port.peer.")?;
        Ok(Self {
            system: fields.need(peer::SYSTEM, system)?,
            trunk: fields.need(peer::TRUNK, Typed::u32)?,
            port: fields.need(peer::PORT, Typed::u32)?,
            priority: fields.need(peer::PRIORITY, Typed::u32)?,
            usable: fields.has(peer::USABLE),
            in_use: fields.has(peer::IN_USE),
            interval: fields.need(peer::INTERVAL, Typed::u32)?,
            heard: fields.get(peer::HEARD, Typed::uint)?.unwrap_or(0),
            address: fields.get(peer::ADDRESS, mac)?,
        })
    }
}

impl ClaimState {
    /// Returns all claims of a message.
    pub(crate) fn read_all(attributes: Attributes<'_>) -> Result<Vec<Self>> {
        let (trunk, name) = subject(&message(attributes)?)?;
        each(attributes, attr::CLAIM, |nest| {
            Self::read(trunk, &name, nest.nest())
        })
    }

    fn read(trunk: u32, trunk_name: &str, nest: Attributes<'_>) -> Result<Self> {
        let fields = Fields::read(nest, &claim::NAMES, "claim.")?;
        Ok(Self {
            trunk,
            trunk_name: trunk_name.to_string(),
            mark: fields.need(claim::MARK, Typed::u32)?,
            port: fields.get(claim::PORT, Typed::u32)?,
            link: fields.get(claim::LINK, Typed::u32)?,
            peer_port: fields.get(claim::PEER_PORT, Typed::u32)?,
            old_link: fields.get(claim::OLD_LINK, Typed::u32)?,
            reason: fields.get(claim::REASON, named)?,
            name: fields.get(claim::NAME, Typed::text)?,
            holder: fields.get(claim::HOLDER, Typed::u32)?,
        })
    }
}

impl Bucket {
    /// Returns all buckets of a message.
    pub(crate) fn read_all(attributes: Attributes<'_>) -> Result<Vec<Self>> {
        each(attributes, attr::BUCKET, |nest| Self::read(nest.nest()))
    }

    fn read(nest: Attributes<'_>) -> Result<Self> {
        let (mut index, mut home, mut carrier, mut user_set) = (None, None, None, false);
        let (mut tx_packets, mut tx_bytes) = (0, 0);
        for attribute in nest {
            let attribute = attribute?;
            match attribute.kind() {
                bucket::INDEX => index = Some(attribute.u32()?),
                bucket::HOME => home = Some(attribute.u32()?),
                bucket::PORT => carrier = Some(attribute.u32()?),
                bucket::USER_SET => user_set = true,
                bucket::TX_PACKETS => tx_packets = attribute.uint()?,
                bucket::TX_BYTES => tx_bytes = attribute.uint()?,
                _ => {}
            }
        }
        Ok(Self {
            index: need(index, "bucket.index")?,
            home,
            port: carrier,
            user_set,
            tx_packets,
            tx_bytes,
        })
    }
}

impl Statistics {
    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self> {
        let fields = message(attributes)?;
        let (trunk, trunk_name) = subject(&fields)?;
        let mut all = Self {
            trunk,
            trunk_name,
            ..Self::default()
        };
        if let Some(nest) = fields.get(attr::PORT, |nest| Ok(*nest))? {
            let fields = Fields::read(nest.nest(), &port::NAMES, "port.")?;
            all.port = Some(fields.need(port::IFINDEX, Typed::u32)?);
            all.port_name = Some(fields.need(port::IFNAME, Typed::text)?);
        }
        if let Some(nest) = fields.get(attr::STATISTICS, |nest| Ok(*nest))? {
            for counter in nest.nest() {
                all.counters.set(counter?)?;
            }
        }
        Ok(all)
    }
}

impl Event {
    /// Returns all events of a message.
    pub(crate) fn read_all(attributes: Attributes<'_>) -> Result<Vec<Self>> {
        let (trunk, name) = subject(&message(attributes)?)?;
        each(attributes, attr::EVENT, |nest| {
            Self::read(trunk, &name, nest.nest())
        })
    }

    fn read(trunk: u32, trunk_name: &str, nest: Attributes<'_>) -> Result<Self> {
        let fields = Fields::read(nest, &event::NAMES, "event.")?;
        Ok(Self {
            trunk,
            trunk_name: trunk_name.to_string(),
            seq: fields.need(event::SEQ, Typed::uint)?,
            time: fields.need(event::TIME, Typed::uint)?,
            kind: fields.need(event::KIND, named)?,
            port: fields.get(event::PORT, Typed::u32)?,
            port_name: fields.get(event::PORT_NAME, Typed::text)?,
            other: fields.get(event::OTHER, Typed::u32)?,
            other_name: fields.get(event::OTHER_NAME, Typed::text)?,
            old_state: fields.get(event::OLD_STATE, named)?,
            new_state: fields.get(event::NEW_STATE, named)?,
            reason: fields.get(event::REASON, named)?,
            buckets: fields.get(event::BUCKETS, Typed::u32)?,
            detection_ns: fields.get(event::DETECTION_NS, Typed::uint)?,
            switch_ns: fields.get(event::SWITCH_NS, Typed::uint)?,
            mark: fields.get(event::MARK, Typed::u32)?,
            error: fields.get(event::ERROR, Typed::u32)?,
        })
    }
}

/// Returns what `read` makes of each attribute of a type.
fn each<'a, T>(
    attributes: Attributes<'a>,
    kind: u16,
    mut read: impl FnMut(&Attr<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut all = Vec::new();
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind() == kind {
            all.push(read(&attribute)?);
        }
    }
    Ok(all)
}

/// Returns the number of buckets of a table with that many bits.
pub fn buckets(bits: u32) -> u32 {
    1u32.checked_shl(bits).unwrap_or(u32::MAX)
}
