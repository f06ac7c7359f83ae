// SPDX-License-Identifier: GPL-2.0

//! The fixtures of the tests: a trunk with two working ports, one of which has failed, and a spare.

use trunk_nl::uapi::{
    EventKind, Failback, FarEnd, FarEndReason, Peers, ProbeMode, Reason, Redundancy, Role,
    Selector, State,
};
use trunk_nl::{
    Bucket, ClaimState, Clock, Compared, Counters, Event, Link, LinkSettings, Mac, Named, Peer,
    Port, PortSettings, Statistics, System, Trunk, TrunkSettings,
};

use crate::config::{PortConfig, TrunkConfig};
use crate::plan::{Device, World};
use crate::view::Group;

/// Compares with a file of `golden/` exactly. Its first line has the license, unless it is JSON.
/// With `TRUNKCTL_GOLDEN=write` in the environment, writes the file instead.
pub fn golden(file: &str, got: &str) {
    let path = format!("{}/src/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let head = match file.ends_with(".json") {
        true => "",
        false => "# SPDX-License-Identifier: GPL-2.0\n",
    };
    let got = format!("{head}{got}");
    if std::env::var_os("TRUNKCTL_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap();
    assert!(
        got == want,
        "{path}: it has\n{want}\nbut what is printed is\n{got}"
    );
}

const SECOND: u64 = 1_000_000_000;

/// 1000 s after boot, 2026-11-21 08:06:39 UTC.
pub fn clock() -> Clock {
    Clock::at(1000 * SECOND, 1_795_248_399 * SECOND)
}

pub fn link() -> Link {
    Link {
        ifindex: 3,
        ifname: "trunk0".into(),
        kind: Some("trunk".into()),
        up: true,
        carrier: true,
        mtu: 1500,
        address: vec![2, 0, 0, 0, 0, 1],
        ..Link::default()
    }
}

pub fn trunk() -> Trunk {
    Trunk {
        ifindex: 3,
        ifname: "trunk0".into(),
        bits: 3,
        selector: Named::Known(Selector::Dmac),
        role: Some(Named::Known(Role::Server)),
        failback: Named::Known(Failback::Delay),
        failback_delay: 2000,
        far_end: Named::Known(FarEnd::Auto),
        min_links: 0,
        probe: Named::Known(ProbeMode::Auto),
        interval: 100_000,
        reply_timeout: 10_000,
        misses: 3,
        hits: 3,
        hold_down: 60_000,
        peers: Named::Known(Peers::One),
        probe_ethertype: 0x88b5,
        probe_address: NEAREST_BRIDGE,
        keyed: false,
        system: System(0x0242_ac11_0002_0001),
        redundancy: Named::Known(Redundancy::Degraded),
        auto_join: None,
        far_end_is: Named::Known(FarEnd::Trunk),
        far_end_reason: Named::Known(FarEndReason::Answers),
        own_address: None,
    }
}

const NEAREST_BRIDGE: Mac = Mac([1, 0x80, 0xc2, 0, 0, 0xe]);

/// Returns the other end of a port's link, which has the same priority there.
fn peer(port: u32, priority: u32) -> Peer {
    Peer {
        system: System(0x0242_ac11_0003_9c1e),
        trunk: 4,
        port,
        priority,
        usable: true,
        in_use: port == 0,
        interval: 100_000,
        heard: 1000 * SECOND - 20_000_000,
        address: Some(Mac([2, 0, 0, 0, 0, 4])),
    }
}

fn port(ifindex: u32, name: &str, priority: u32) -> Port {
    Port {
        ifindex,
        ifname: name.into(),
        trunk: 3,
        trunk_name: "trunk0".into(),
        id: ifindex - 4,
        priority,
        weight: 1,
        share: 1,
        enabled: true,
        state: Named::Known(State::Act),
        reason: Named::Known(Reason::None),
        since: 900 * SECOND,
        homes: 0,
        buckets: 0,
        stands_in_for: None,
        stand_in: None,
        held_back: false,
        in_use: false,
        claims: 0,
        probed: true,
        peer: Some(peer(ifindex - 4, priority)),
        rounds: 9000,
        rounds_missed: 0,
        round_trip_last: Some(118_000),
        round_trip_min: Some(97_000),
        round_trip_avg: Some(121_456),
        round_trip_late: None,
        late: false,
        loses_source: false,
        loses_mtu: false,
        loses_vlans: Vec::new(),
        compared: None,
    }
}

/// eth1 is act, eth2 is disabled, and eth3 stands in for eth2.
pub fn ports() -> Vec<Port> {
    vec![
        Port {
            weight: 0,
            share: 10,
            homes: 5,
            buckets: 5,
            in_use: true,
            rounds_missed: 2,
            round_trip_late: Some(12_345_678),
            compared: Some(Compared {
                time: 90 * SECOND,
                sent: 123_456,
                arrived: 123_455,
                peer_sent: 1_000,
                peer_arrived: 990,
            }),
            ..port(4, "eth1", 1)
        },
        Port {
            weight: 0,
            share: 10,
            enabled: false,
            state: Named::Known(State::Sby),
            reason: Named::Known(Reason::Disabled),
            since: 993 * SECOND,
            homes: 3,
            stand_in: Some(6),
            rounds_missed: 69,
            ..port(5, "eth2", 1)
        },
        Port {
            buckets: 3,
            stands_in_for: Some(5),
            in_use: true,
            ..port(6, "eth3", 2)
        },
    ]
}

pub fn table() -> Vec<Bucket> {
    let home = |index| if [1, 3, 7].contains(&index) { 5 } else { 4 };
    let bucket = |index| Bucket {
        index,
        home: Some(home(index)),
        port: Some(if home(index) == 5 { 6 } else { 4 }),
        user_set: [4, 5].contains(&index),
        tx_packets: u64::from(index) * 1000,
        tx_bytes: u64::from(index) * 1_000_000,
    };
    (0..8).map(bucket).collect()
}

pub fn statistics() -> Vec<Statistics> {
    let of = |port: Option<(u32, &str)>, packets: u64, counters: Counters| Statistics {
        trunk: 3,
        trunk_name: "trunk0".into(),
        port: port.map(|(ifindex, _)| ifindex),
        port_name: port.map(|(_, name)| name.to_string()),
        counters: Counters {
            rx_packets: Some(packets),
            rx_bytes: Some(packets * 100),
            tx_packets: Some(packets * 2),
            tx_bytes: Some(packets * 2000),
            rx_dropped: Some(0),
            tx_dropped: Some(1),
            port_up: Some(3),
            port_down: Some(1),
            port_late: Some(0),
            ..counters
        },
    };
    let trunk = Counters {
        tx_no_port: Some(1),
        rx_own_source: Some(2),
        rx_multicast_filtered: Some(30),
        rx_unicast_filtered: Some(0),
        failovers: Some(1),
        failbacks: Some(0),
        buckets_moved: Some(3),
        events_lost: Some(0),
        ..Counters::default()
    };
    let probes = Counters {
        probes_sent: Some(9000),
        probes_received: Some(8990),
        replies_sent: Some(8990),
        replies_received: Some(8997),
        replies_late: Some(1),
        probes_limited: Some(0),
        tlvs_unknown: Some(0),
        probes_refused: Some(2),
        ..Counters::default()
    };
    vec![
        of(None, 12_345, trunk),
        of(Some((4, "eth1")), 12_000, probes.clone()),
        of(Some((5, "eth2")), 300, probes.clone()),
        of(Some((6, "eth3")), 45, probes),
    ]
}

pub fn event(kind: EventKind) -> Event {
    Event {
        trunk: 3,
        trunk_name: "trunk0".into(),
        seq: 7,
        time: 993 * SECOND + 1_234_567,
        kind: Named::Known(kind),
        port: None,
        port_name: None,
        other: None,
        other_name: None,
        old_state: None,
        new_state: None,
        reason: None,
        buckets: None,
        detection_ns: None,
        switch_ns: None,
        mark: None,
        error: None,
    }
}

pub fn failover() -> Event {
    Event {
        port: Some(5),
        port_name: Some("eth2".into()),
        other: Some(6),
        other_name: Some("eth3".into()),
        reason: Some(Named::Known(Reason::NoCarrier)),
        buckets: Some(3),
        switch_ns: Some(1834),
        ..event(EventKind::Failover)
    }
}

/// Returns events with all that an event may contain.
pub fn events() -> Vec<Event> {
    let about = |seq, kind| Event {
        seq,
        time: (980 + seq) * SECOND + 1_234_567,
        port: Some(5),
        port_name: Some("eth2".into()),
        ..event(kind)
    };
    vec![
        Event {
            seq: 1,
            time: 981 * SECOND,
            ..event(EventKind::Config)
        },
        Event {
            old_state: Some(Named::Known(State::Act)),
            new_state: Some(Named::Known(State::Sby)),
            reason: Some(Named::Known(Reason::ProbeTimeout)),
            detection_ns: Some(31_200_000),
            ..about(2, EventKind::PortState)
        },
        Event {
            other: Some(6),
            other_name: Some("eth3".into()),
            reason: Some(Named::Known(Reason::ProbeTimeout)),
            buckets: Some(11),
            detection_ns: Some(31_200_000),
            switch_ns: Some(4100),
            ..about(3, EventKind::Failover)
        },
        Event {
            other: Some(6),
            other_name: Some("eth3".into()),
            reason: Some(Named::Known(Reason::ProbeTimeout)),
            mark: Some(7),
            ..about(4, EventKind::ClaimMoved)
        },
        // A port that has gone has only its number.
        Event {
            port: Some(9),
            ..event(EventKind::Leave)
        },
    ]
}

/// Returns a claim that wants eth1 and has it.
pub fn claim() -> ClaimState {
    ClaimState {
        trunk: 3,
        trunk_name: "trunk0".into(),
        mark: 7,
        port: Some(4),
        link: Some(4),
        peer_port: Some(0),
        old_link: None,
        reason: None,
        name: Some("metering".into()),
        holder: Some(4242),
    }
}

pub fn group() -> Group {
    Group {
        link: link(),
        trunk: trunk(),
        ports: ports(),
        missing: Vec::new(),
    }
}

pub fn config() -> TrunkConfig {
    let port = |name: &str, priority, weight, enabled| PortConfig {
        ifname: name.into(),
        settings: PortSettings {
            priority: Some(priority),
            weight: Some(weight),
            enabled: Some(enabled),
        },
        missing: false,
    };
    TrunkConfig {
        ifname: "trunk0".into(),
        link: LinkSettings {
            address: None,
            mtu: Some(1500),
        },
        settings: TrunkSettings {
            bits: Some(3),
            selector: Some(Selector::Dmac),
            role: None,
            failback: Some(Failback::Delay),
            failback_delay: Some(2000),
            far_end: Some(FarEnd::Auto),
            min_links: Some(0),
            probe: Some(ProbeMode::Auto),
            interval: Some(100_000),
            reply_timeout: Some(10_000),
            misses: Some(3),
            hits: Some(3),
            hold_down: Some(60_000),
            peers: Some(Peers::One),
            probe_ethertype: Some(0x88b5),
            probe_address: Some(NEAREST_BRIDGE),
            auto_join: Some(None),
            key: None,
        },
        keyed: false,
        ports: vec![
            port("eth1", 1, 0, true),
            port("eth2", 1, 0, false),
            port("eth3", 2, 1, true),
        ],
        table: [(4, "eth1".to_string()), (5, "eth1".to_string())].into(),
    }
}

/// trunk0 as in the other fixtures, eth5 up, eth6 down, eth7 in a bridge.
pub fn world() -> World {
    let device = |is_trunk, master: Option<&str>, up| Device {
        is_trunk,
        master: master.map(str::to_string),
        up,
        address: None,
    };
    let devices = [
        ("trunk0", device(true, None, true)),
        ("eth1", device(false, Some("trunk0"), true)),
        ("eth2", device(false, Some("trunk0"), true)),
        ("eth3", device(false, Some("trunk0"), true)),
        ("eth5", device(false, None, true)),
        ("eth6", device(false, None, false)),
        ("br0", device(false, None, true)),
        ("eth7", device(false, Some("br0"), true)),
    ];
    World {
        trunks: [("trunk0".to_string(), config())].into(),
        devices: devices
            .map(|(name, device)| (name.to_string(), device))
            .into(),
        altnames: Default::default(),
    }
}
