// SPDX-License-Identifier: GPL-2.0

//! Tests: messages of the kernel are read, requests compared byte by byte, and noise is survived.

use netlink_packet_core::Emitable;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::attr::{Attributes, Writer};
use crate::claim::{change, Change, ClaimRequest};
use crate::error::Error;
use crate::events::{Notification, Queue};
use crate::generic::Family;
use crate::inet::{Address, Route};
use crate::link::{tells_end, Link};
use crate::message::{messages, Answer, Request, HEADER};
use crate::names::Set;
use crate::types::{
    AutoJoin, Bucket, BucketHome, ClaimState, Compared, Event, Named, Peer, Port, PortSettings,
    Statistics, Trunk, TrunkSettings,
};
use crate::uapi::{
    attr, bucket, claim, compared, event, peer, port, statistics, EventKind, Failback, FarEnd,
    FarEndReason, Peers, ProbeMode, Reason, Redundancy, Role, Selector, State,
};
use crate::values::{Key, Mac, MacPrefix, System};

/// Bytes in hexadecimal, blanks ignored.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// Returns attributes as they are sent.
pub(crate) fn written(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    fill(&mut writer);
    let mut bytes = vec![0; writer.buffer_len()];
    writer.emit(&mut bytes);
    bytes
}

fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes::new(bytes)
}

/// Returns the family of the kernel's answer, with number 0x21 and version 1.
fn family() -> Family {
    let mut body = vec![1, 2, 0, 0];
    body.extend(written(|w| {
        w.string(2, "trunk");
        w.put(1, &0x21u16.to_ne_bytes());
        w.u32(3, 1);
        // Of a newer kernel.
        w.u32(99, 0);
        w.nest(7, |w| {
            for (index, name) in [(1, "others"), (2, "events")] {
                w.nest(index, |w| {
                    w.u32(2, 20 + u32::from(index));
                    w.string(1, name);
                });
            }
        });
    }));
    Family::read(&body, 1, Set::TRUNK).unwrap()
}

#[test]
fn a_family_is_read() {
    let family = family();
    assert!(family.owns(0x21) && !family.owns(0x20));
    assert_eq!(family.group("events").unwrap(), 22);
    assert!(family.group("event").is_err());
}

/// Returns the attributes of a trunk-get reply for trunk0.
fn trunk() -> Vec<u8> {
    written(|w| {
        w.u32(attr::IFINDEX, 3);
        w.string(attr::IFNAME, "trunk0");
        w.u32(attr::BITS, 5);
        w.u32(attr::SELECTOR, 0);
        w.u32(attr::ROLE, 0);
        w.u32(attr::FAILBACK, 1);
        w.u32(attr::FAILBACK_DELAY, 2000);
        w.u32(attr::FAR_END, 0);
        w.u32(attr::PROBE, 1);
        w.u32(attr::INTERVAL, 100_000);
        w.u32(attr::REPLY_TIMEOUT, 1500);
        w.u32(attr::MISSES, 3);
        w.u32(attr::HITS, 4);
        w.u32(attr::HOLD_DOWN, 60_000);
        w.u32(attr::PEERS, 1);
        w.u32(attr::PROBE_ETHERTYPE, 0x88b5);
        w.put(attr::PROBE_ADDRESS, &NEAREST_BRIDGE.0);
        w.flag(attr::KEYED);
        w.put(attr::SYSTEM, &0xfeed_0000_0000_0001u64.to_ne_bytes());
        w.u32(attr::REDUNDANCY, 2);
        let settings = TrunkSettings {
            auto_join: Some(Some(rule())),
            ..Default::default()
        };
        settings.write(w);
        w.u32(attr::FAR_END_IS, 1);
        w.u32(attr::FAR_END_REASON, 1);
        w.u32(attr::MIN_LINKS, 2);
    })
}

fn rule() -> AutoJoin {
    AutoJoin {
        name: Some("enp*".into()),
        driver: Some("ixgbe".into()),
        bus: None,
        address: Some(MacPrefix(vec![0x52, 0x54])),
        priority: 2,
    }
}

const NEAREST_BRIDGE: Mac = Mac([1, 0x80, 0xc2, 0, 0, 0xe]);

// The fixtures are those of a little-endian machine.
#[cfg(target_endian = "little")]
#[test]
fn requests_octet_by_octet() {
    let request = family().once(2, |w| {
        w.u32(attr::IFINDEX, 3);
        let settings = TrunkSettings {
            bits: Some(6),
            selector: Some(Selector::Flow),
            failback: Some(Failback::Delay),
            failback_delay: Some(2000),
            ..Default::default()
        };
        settings.write(w);
    });
    assert_eq!(
        request.bytes,
        hex("3c000000 2100 0500 00000000 00000000 02010000
             0800 0100 03000000
             0800 0300 06000000
             0800 0400 03000000
             0800 0600 01000000
             0800 0700 d0070000")
    );
    let request = family().once(2, |w| {
        w.u32(attr::IFINDEX, 3);
        for rule in [None, Some(rule())] {
            let settings = TrunkSettings {
                auto_join: Some(rule),
                ..Default::default()
            };
            settings.write(w);
        }
    });
    assert_eq!(
        request.bytes[28..],
        hex("0400 1c80
             2c00 1c80
             0900 0100 656e702a00000000
             0a00 0200 697867626500 0000
             0600 0400 52540000
             0800 0500 02000000")
    );

    let request = family().once(4, |w| {
        let settings = PortSettings {
            priority: Some(2),
            enabled: Some(false),
            ..Default::default()
        };
        settings.write(9, w);
    });
    assert_eq!(
        request.bytes,
        hex("30000000 2100 0500 00000000 00000000 04010000
             1c00 0b80
               0800 0100 09000000
               0800 0400 02000000
               0800 0700 00000000")
    );

    let request = family().dump(6, |w| {
        w.u32(attr::IFINDEX, 3);
        BucketHome {
            index: 7,
            home: None,
        }
        .write(w);
    });
    assert_eq!(
        request.bytes,
        hex("28000000 2100 0103 00000000 00000000 06010000
             0800 0100 03000000
             0c00 0c80
               0800 0100 07000000")
    );
    assert!(request.is_dump());

    // A key, then none; a claim with a name and one without.
    let keys = |key| {
        let settings = TrunkSettings {
            interval: Some(1000),
            key: Some(key),
            ..Default::default()
        };
        let request = family().once(2, |w| settings.write(w));
        request.bytes[20..].to_vec()
    };
    assert_eq!(
        keys(Key::Secret([0xab; 16])),
        hex("0800 1000 e8030000
             1400 1800 abababab abababab abababab abababab")
    );
    assert_eq!(keys(Key::None), hex("0800 1000 e8030000 0400 1800"));
    let mut claim = ClaimRequest {
        trunk: 3,
        port: 4,
        mark: 7,
        name: Some("a"),
    };
    let bytes = |claim: ClaimRequest<'_>| family().once(11, |w| claim.write(w)).bytes;
    assert_eq!(
        bytes(claim),
        hex("38000000 2100 0500 00000000 00000000 0b010000
             0800 0100 03000000
             1c00 1b80
               0800 0100 07000000
               0800 0200 04000000
               0600 0600 61000000")
    );
    claim.name = None;
    assert_eq!(bytes(claim).len(), 0x30);
}

#[test]
fn a_trunk_is_read() {
    let bytes = trunk();
    assert_eq!(
        Trunk::read(attributes(&bytes)).unwrap(),
        Trunk {
            ifindex: 3,
            ifname: "trunk0".into(),
            bits: 5,
            selector: Named::Known(Selector::Dmac),
            role: Some(Named::Known(Role::Server)),
            failback: Named::Known(Failback::Delay),
            failback_delay: 2000,
            far_end: Named::Known(FarEnd::Auto),
            min_links: 2,
            probe: Named::Known(ProbeMode::Required),
            interval: 100_000,
            reply_timeout: 1500,
            misses: 3,
            hits: 4,
            hold_down: 60_000,
            peers: Named::Known(Peers::Several),
            probe_ethertype: 0x88b5,
            probe_address: NEAREST_BRIDGE,
            keyed: true,
            system: System(0xfeed_0000_0000_0001),
            redundancy: Named::Known(Redundancy::Full),
            auto_join: Some(rule()),
            far_end_is: Named::Known(FarEnd::Trunk),
            far_end_reason: Named::Known(FarEndReason::Answers),
            own_address: None,
        }
    );
    let missing = Trunk::read(attributes(&bytes[..20])).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the kernel's answer is not understood: there is no bits"
    );
}

#[test]
fn names_in_json_and_numbers_of_newer_kernels() {
    let mut bytes = trunk();
    bytes.extend(written(|w| w.u32(attr::SELECTOR, 77)));
    let trunk = Trunk::read(attributes(&bytes)).unwrap();
    assert_eq!(trunk.selector, Named::Unknown(77));
    assert_eq!(
        serde_json::to_string(&trunk).unwrap(),
        concat!(
            r#"{"ifindex":3,"ifname":"trunk0","bits":5,"selector":77,"role":"server","#,
            r#""failback":"delay","failback_delay":2000,"far_end":"auto","min_links":2,"probe":"required","#,
            r#""interval":100000,"reply_timeout":1500,"misses":3,"hits":4,"hold_down":60000,"#,
            r#""peers":"several","probe_ethertype":34997,"probe_address":"01:80:c2:00:00:0e","#,
            r#""keyed":true,"system":"feed000000000001","redundancy":"full","#,
            r#""auto_join":{"name":"enp*","driver":"ixgbe","bus":null,"address":"52:54","#,
            r#""priority":2},"far_end_is":"trunk","far_end_reason":"answers"}"#
        )
    );
    assert_eq!("smac-dmac".parse(), Ok(Selector::SmacDmac));
    assert_eq!(
        "mac".parse::<Selector>().unwrap_err(),
        "\"mac\" is none of dmac, smac, smac-dmac, flow"
    );
}

#[test]
fn a_port_is_read() {
    let bytes = written(|w| {
        w.u32(attr::IFINDEX, 3);
        w.string(attr::IFNAME, "trunk0");
        w.nest(attr::PORT, |w| {
            w.u32(port::IFINDEX, 5);
            w.string(port::IFNAME, "eth3");
            w.u32(port::ID, 2);
            w.u32(port::PRIORITY, 2);
            w.u32(port::WEIGHT, 0);
            w.u32(port::SHARE, 10);
            w.u32(port::ENABLED, 1);
            w.u32(port::STATE, 0);
            w.u32(port::REASON, 2);
            w.put(port::SINCE, &(5u64 << 33).to_ne_bytes());
            w.u32(port::HOMES, 0);
            w.u32(port::BUCKETS, 16);
            w.u32(port::STANDS_IN_FOR, 4);
            w.flag(port::HELD_BACK);
            w.flag(port::IN_USE);
            w.u32(port::CLAIMS, 2);
            w.flag(port::PROBED);
            w.nest(port::PEER, |w| {
                w.put(peer::SYSTEM, &(9u64 << 60).to_ne_bytes());
                w.u32(peer::TRUNK, 7);
                w.u32(peer::PORT, 0);
                w.u32(peer::PRIORITY, 1);
                w.flag(peer::USABLE);
                w.u32(peer::INTERVAL, 1000);
                w.put(peer::HEARD, &(6u64 << 33).to_ne_bytes());
                w.put(peer::ADDRESS, &[2, 0, 0, 0, 0, 7]);
            });
            w.u32(port::ROUNDS, 100);
            w.u32(port::ROUNDS_MISSED, 3);
            w.u32(port::ROUND_TRIP_LAST, 118_000);
            w.u32(port::ROUND_TRIP_MIN, 97_000);
            w.u32(port::ROUND_TRIP_AVG, 121_000);
            w.flag(port::LATE);
            w.flag(port::LOSES_MTU);
            w.u32(port::LOSES_VLAN, 7);
            w.u32(port::LOSES_VLAN, 9);
            w.nest(port::COMPARED, |w| {
                w.put(compared::TIME, &(90u64 << 30).to_ne_bytes());
                w.u32(compared::SENT, 1_000);
                w.u32(compared::ARRIVED, 990);
                w.u32(compared::PEER_SENT, 500);
                w.u32(compared::PEER_ARRIVED, 499);
            });
        });
    });
    let port = Port::read(attributes(&bytes)).unwrap();
    assert_eq!((port.trunk, port.trunk_name.as_str()), (3, "trunk0"));
    assert_eq!((port.ifindex, port.ifname.as_str()), (5, "eth3"));
    assert_eq!((port.priority, port.weight, port.share), (2, 0, 10));
    assert!(port.state == State::Sby && port.reason == Reason::NoCarrier);
    assert_eq!((port.since, port.homes, port.buckets), (5 << 33, 0, 16));
    assert_eq!((port.stands_in_for, port.stand_in), (Some(4), None));
    assert!(port.enabled && port.held_back && port.in_use && port.probed && port.late);
    assert!(port.loses_mtu && !port.loses_source);
    assert_eq!(port.loses_vlans, [7, 9]);
    let want = Compared {
        time: 90 << 30,
        sent: 1_000,
        arrived: 990,
        peer_sent: 500,
        peer_arrived: 499,
    };
    assert_eq!(port.compared, Some(want));
    assert_eq!((port.claims, port.rounds, port.rounds_missed), (2, 100, 3));
    assert_eq!(
        [
            port.round_trip_last,
            port.round_trip_min,
            port.round_trip_avg,
            port.round_trip_late
        ],
        [Some(118_000), Some(97_000), Some(121_000), None]
    );
    assert_eq!(
        port.peer,
        Some(Peer {
            system: System(9 << 60),
            trunk: 7,
            port: 0,
            priority: 1,
            usable: true,
            in_use: false,
            interval: 1000,
            heard: 6 << 33,
            address: Some(Mac([2, 0, 0, 0, 0, 7])),
        })
    );
}

#[test]
fn what_is_missing_is_named() {
    let bytes = written(|w| {
        w.u32(attr::IFINDEX, 3);
        w.string(attr::IFNAME, "trunk0");
        w.nest(attr::PORT, |w| {
            w.nest(port::PEER, |w| w.u32(peer::TRUNK, 7))
        });
    });
    let missing = Port::read(attributes(&bytes)).unwrap_err().to_string();
    assert!(
        missing.ends_with("there is no port.peer.system"),
        "{missing}"
    );
}

/// Returns the attributes of a notification to the holder of a claim.
fn moved(link: Option<u32>, reason: u32) -> Vec<u8> {
    written(|w| {
        w.u32(attr::IFINDEX, 3);
        w.string(attr::IFNAME, "trunk0");
        w.nest(attr::CLAIM, |w| {
            w.u32(claim::MARK, 7);
            w.u32(claim::PORT, 4);
            w.optional_u32(claim::LINK, link);
            w.u32(claim::OLD_LINK, 4);
            w.u32(claim::REASON, reason);
            w.string(claim::NAME, "metering");
            w.u32(claim::HOLDER, 4242);
            w.u32(claim::PEER_PORT, 2);
        });
    })
}

#[test]
fn claims_are_read_and_changes_told_once() {
    let read = |link, reason| {
        let bytes = moved(link, reason);
        let mut all = ClaimState::read_all(attributes(&bytes)).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    };
    let mut state = read(Some(4), 0);
    assert_eq!(
        state,
        ClaimState {
            trunk: 3,
            trunk_name: "trunk0".into(),
            mark: 7,
            port: Some(4),
            link: Some(4),
            peer_port: Some(2),
            old_link: Some(4),
            reason: Some(Named::Known(Reason::None)),
            name: Some("metering".into()),
            holder: Some(4242),
        }
    );
    let told = Change {
        old: Some(4),
        new: Some(6),
        peer_port: Some(2),
        reason: Named::Known(Reason::ProbeTimeout),
    };
    assert_eq!(change(&mut state, read(Some(6), 4)), Some(told));
    assert_eq!(change(&mut state, read(Some(6), 4)), None);
    let other = ClaimState {
        mark: 8,
        ..read(None, 2)
    };
    assert_eq!(change(&mut state, other), None);
    let lost = change(&mut state, read(None, 2)).unwrap();
    assert_eq!((lost.old, lost.new, state.link), (Some(6), None, None));
}

#[test]
fn buckets_are_read_from_each_nest() {
    let bytes = written(|w| {
        w.u32(attr::IFINDEX, 3);
        for index in 0..3 {
            w.nest(attr::BUCKET, |w| {
                w.u32(bucket::INDEX, index);
                w.u32(bucket::HOME, 4);
                if index > 0 {
                    w.u32(bucket::PORT, 5);
                    w.flag(bucket::USER_SET);
                }
                w.u32(bucket::TX_PACKETS, 100 + index);
                w.put(bucket::TX_BYTES, &(1u64 << 40).to_ne_bytes());
            });
        }
    });
    let all = Bucket::read_all(attributes(&bytes)).unwrap();
    let brief: Vec<_> = all
        .iter()
        .map(|b| (b.index, b.home, b.port, b.user_set, b.tx_packets))
        .collect();
    assert_eq!(
        brief,
        [
            (0, Some(4), None, false, 100),
            (1, Some(4), Some(5), true, 101),
            (2, Some(4), Some(5), true, 102)
        ]
    );
    assert_eq!(all[0].tx_bytes, 1 << 40);
}

#[test]
fn counters_are_read_for_trunk_and_port() {
    let bytes = written(|w| {
        w.u32(attr::IFINDEX, 3);
        w.string(attr::IFNAME, "trunk0");
        w.nest(attr::PORT, |w| {
            w.u32(port::IFINDEX, 5);
            w.string(port::IFNAME, "eth3");
        });
        w.nest(attr::STATISTICS, |w| {
            w.put(statistics::RX_PACKETS, &7u64.to_ne_bytes());
            w.u32(statistics::PORT_DOWN, 2);
            w.u32(statistics::PROBES_REFUSED, 9);
        });
    });
    let all = Statistics::read(attributes(&bytes)).unwrap();
    assert_eq!(all.port_name.as_deref(), Some("eth3"));
    let counters: Vec<_> = all.counters.iter().collect();
    assert_eq!(
        counters,
        [("rx_packets", 7), ("port_down", 2), ("probes_refused", 9)]
    );
}

/// Returns the body of an event's message.
fn failover(trunk: u32, seq: u64) -> Vec<u8> {
    let mut body = vec![12, 1, 0, 0];
    body.extend(written(|w| {
        w.u32(attr::IFINDEX, trunk);
        w.string(attr::IFNAME, "trunk0");
        w.nest(attr::EVENT, |w| {
            w.put(event::SEQ, &seq.to_ne_bytes());
            w.put(event::TIME, &123_456_789u64.to_ne_bytes());
            w.u32(event::KIND, 1);
            w.u32(event::PORT, 4);
            w.string(event::PORT_NAME, "eth1");
            w.u32(event::OTHER, 6);
            w.string(event::OTHER_NAME, "eth3");
            w.u32(event::REASON, 2);
            w.u32(event::BUCKETS, 16);
            w.u32(event::SWITCH_NS, 1834);
        });
    }));
    body
}

#[test]
fn events_are_read_and_gaps_told() {
    let mut queue = Queue::default();
    for (trunk, seq) in [(3, 4), (3, 5), (8, 1), (3, 9)] {
        queue.add(&failover(trunk, seq)).unwrap();
    }
    queue.lost();
    queue.add(&failover(3, 20)).unwrap();
    let told: Vec<_> = queue
        .waiting
        .iter()
        .map(|notification| match notification {
            Notification::Event { event, .. } => (event.trunk, event.seq),
            Notification::Lost {
                known: Some((trunk, count)),
            } => (*trunk, *count),
            Notification::Lost { known: None } => (0, 0),
        })
        .collect();
    // Three are missing before 9; after a loss the next number says nothing.
    assert_eq!(
        told,
        [(3, 4), (3, 5), (8, 1), (3, 3), (3, 9), (0, 0), (3, 20)]
    );
    let Notification::Event { event, trunk, port } = &queue.waiting[0] else {
        panic!("the first is an event");
    };
    assert!(event.kind == EventKind::Failover && trunk.is_none() && port.is_none());
    assert_eq!(event.other_name.as_deref(), Some("eth3"));
    assert_eq!((event.buckets, event.switch_ns), (Some(16), Some(1834)));
    assert_eq!((event.time, event.detection_ns), (123_456_789, None));
}

#[test]
fn a_change_of_configuration_tells_the_settings() {
    let mut body = vec![15, 1, 0, 0];
    body.extend(trunk());
    body.extend(written(|w| {
        w.nest(attr::EVENT, |w| {
            w.u32(event::SEQ, 1);
            w.u32(event::TIME, 2);
            w.u32(event::KIND, EventKind::Config as u32);
        });
    }));
    let mut queue = Queue::default();
    queue.add(&body).unwrap();
    let Some(Notification::Event { trunk, .. }) = queue.waiting.pop_front() else {
        panic!("an event");
    };
    assert_eq!(trunk.unwrap().bits, 5);
}

#[test]
fn what_is_told_of_a_claim_or_a_refusal() {
    let bytes = written(|w| {
        w.u32(attr::IFINDEX, 3);
        w.string(attr::IFNAME, "trunk0");
        w.nest(attr::EVENT, |w| {
            w.u32(event::SEQ, 1);
            w.u32(event::TIME, 2);
            w.u32(event::KIND, EventKind::ClaimMoved as u32);
            w.u32(event::MARK, 7);
            w.u32(event::ERROR, 16);
        });
    });
    let events = Event::read_all(attributes(&bytes)).unwrap();
    assert_eq!((events[0].mark, events[0].error), (Some(7), Some(16)));
}

/// Returns a trunk-set or port-set whose attributes are at 20, 28, 36, 40 and 48.
fn request() -> Request {
    family().once(2, |w| {
        w.u32(attr::IFINDEX, 3);
        w.u32(attr::BITS, 17);
        w.nest(attr::PORT, |w| {
            w.u32(port::IFINDEX, 5);
            w.u32(port::PRIORITY, 70_000);
        });
    })
}

/// Returns the text of a refusal with these attributes.
fn refused(errno: i32, fill: impl FnOnce(&mut Writer)) -> String {
    Error::Refused(request().refusal(errno, &written(fill))).to_string()
}

#[test]
fn refusals_name_the_attribute() {
    // Numbers as in the kernel's linux/netlink.h: 1 text, 2 offset, 4 policy, 5 and 6 missing.
    let policy = |w: &mut Writer, min: u64, max: u64| {
        w.nest(4, |w| {
            w.u32(1, 4);
            w.put(4, &min.to_ne_bytes());
            w.put(5, &max.to_ne_bytes());
        });
    };
    assert_eq!(
        refused(libc::ERANGE, |w| {
            w.string(1, "integer out of range");
            w.u32(2, 28);
            policy(w, 0, 16);
        }),
        "bits: 17 is out of range 0..16"
    );
    assert_eq!(
        refused(libc::ERANGE, |w| {
            w.string(1, "integer out of range");
            w.u32(2, 48);
            policy(w, 1, 65535);
        }),
        "port.priority: 70000 is out of range 1..65535"
    );
    // A time and an EtherType as the user knows them.
    for (kind, value, min, max, want) in [
        (
            attr::INTERVAL,
            100,
            1000,
            60_000_000,
            "interval: 100us is out of range 1ms..60s",
        ),
        (
            attr::HOLD_DOWN,
            3_600_001,
            0,
            3_600_000,
            "hold-down: 3600001ms is out of range 0s..3600s",
        ),
        (
            attr::PROBE_ETHERTYPE,
            0x800000,
            0x600,
            0xffff,
            "probe-ethertype: 0x800000 is out of range 0x0600..0xffff",
        ),
    ] {
        let request = family().once(2, |w| w.u32(kind, value));
        let tlvs = written(|w| {
            w.u32(2, 20);
            policy(w, min, max);
        });
        let refusal = Error::Refused(request.refusal(libc::ERANGE, &tlvs));
        assert_eq!(refusal.to_string(), want);
    }
    assert_eq!(
        refused(libc::EINVAL, |w| {
            w.string(1, "port: eth1 is no port of trunk0");
            w.u32(2, 36);
        }),
        "port: eth1 is no port of trunk0"
    );
    assert_eq!(
        refused(libc::ENODEV, |w| {
            w.string(1, "no such trunk");
            w.u32(2, 20);
        }),
        "ifindex: no such trunk"
    );
    assert_eq!(
        refused(libc::EINVAL, |w| w.u32(5, 6)),
        "failback is missing"
    );
    assert_eq!(
        refused(libc::EINVAL, |w| {
            w.u32(5, 5);
            w.u32(6, 36);
        }),
        "port.weight is missing"
    );
    // Offsets without an attribute give no name, and do no harm.
    for offset in [0, 19, 21, 37, 41, 56, u32::MAX] {
        assert_eq!(
            refused(libc::EPERM, |w| w.u32(2, offset)),
            "Operation not permitted"
        );
    }
}

/// Returns a message with these flags and this body.
fn message(kind: i32, flags: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend((kind as u16).to_ne_bytes());
    bytes.extend((flags as u16).to_ne_bytes());
    bytes.extend(9u32.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn a_datagram_has_many_messages() {
    let explained = written(|w| w.string(1, "no"));
    let errno = (-libc::EBUSY).to_ne_bytes();
    // A capped one, and one with the whole request.
    let sent = request().bytes;
    let capped = [&errno[..], &sent[..HEADER], &explained].concat();
    let whole = [&errno[..], &sent, &explained].concat();
    let done = [&errno[..], &explained].concat();
    let (capped_flag, tlvs) = (libc::NLM_F_CAPPED, libc::NLM_F_ACK_TLVS);
    let datagram = [
        message(0x21, libc::NLM_F_MULTI | libc::NLM_F_DUMP_INTR, b"abcde"),
        message(libc::NLMSG_DONE, 0, &[0; 4]),
        message(libc::NLMSG_DONE, tlvs, &done),
        message(libc::NLMSG_ERROR, capped_flag | tlvs, &capped),
        message(libc::NLMSG_ERROR, tlvs, &whole),
        message(libc::NLMSG_ERROR, 0, &[&[0; 4], &sent[..HEADER]].concat()),
    ]
    .concat();
    let all: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
    assert!(all.iter().all(|message| message.sequence == 9));
    assert!(all[0].interrupted && !all[1].interrupted);
    assert!(matches!(all[0].answer, Answer::Data(0x21, b"abcde")));
    assert!(matches!(all[1].answer, Answer::End(0, [])));
    for message in &all[2..5] {
        let Answer::End(errno, tlvs) = message.answer else {
            panic!("{message:?}");
        };
        let refusal = request().refusal(errno, tlvs);
        assert_eq!(refusal.errno, libc::EBUSY);
        assert_eq!(refusal.message.as_deref(), Some("no"));
    }
    assert!(matches!(all[5].answer, Answer::End(0, [])));
    assert_eq!(all.len(), 6);
}

#[test]
fn a_link_is_read() {
    let mut body = vec![0; 16];
    body[4] = 7;
    body[8] = libc::IFF_UP as u8;
    body.extend(written(|w| {
        w.string(3, "eth1");
        w.put(1, &[2, 0, 0, 0, 0, 1]);
        w.u32(4, 1500);
        w.u32(10, 3);
        w.put(33, &[1]);
        w.nest(52, |w| {
            w.string(53, "enp1s0");
            w.u32(54, 1);
            w.string(53, &"x".repeat(127));
        });
        w.nest(18, |w| {
            w.string(1, "veth");
            w.string(4, "trunk");
        });
    }));
    let link = Link::read(&body).unwrap();
    assert_eq!(
        link,
        Link {
            ifindex: 7,
            ifname: "eth1".into(),
            altnames: vec!["enp1s0".into(), "x".repeat(127)],
            kind: Some("veth".into()),
            port_kind: Some("trunk".into()),
            master: Some(3),
            up: true,
            carrier: true,
            mtu: 1500,
            address: vec![2, 0, 0, 0, 0, 1],
            learning: false,
        }
    );
}

#[test]
fn addresses_and_routes_are_read() {
    let address = |octets: &[u8]| {
        let mut body = vec![2, 24, 0, 0, 7, 0, 0, 0];
        body.extend(written(|w| w.put(1, octets)));
        Address::read(&body).unwrap()
    };
    let got = address(&[192, 0, 2, 1]).unwrap();
    assert_eq!(
        (got.ifindex, got.prefix.to_string().as_str()),
        (7, "192.0.2.1/24")
    );
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    assert_eq!(address(&octets), None); // every device has one
    octets[..2].copy_from_slice(&[0x20, 0x01]);
    assert_eq!(address(&octets).unwrap().prefix.to_string(), "2001::/24");
    assert_eq!(address(&[1, 2]), None);
    assert!(Address::read(&[0; 7]).is_err());
    // Of a link from point to point.
    let mut body = vec![2, 32, 0, 0, 7, 0, 0, 0];
    body.extend(written(|w| {
        w.put(1, &[192, 0, 2, 9]);
        w.put(2, &[192, 0, 2, 1]);
    }));
    let got = Address::read(&body).unwrap().unwrap();
    assert_eq!(got.prefix.to_string(), "192.0.2.1/32");

    let route = |protocol, kind, by: Option<u32>, to: Option<&[u8]>| {
        let mut body = vec![2, 24, 0, 0, 254, protocol, 0, kind, 0, 0, 0, 0];
        body.extend(written(|w| {
            if let Some(to) = to {
                w.put(1, to);
            }
            w.optional_u32(4, by);
        }));
        let route = Route::read(&body).unwrap();
        route.map(|route| (route.ifindex, route.to_string()))
    };
    let to: &[u8] = &[198, 51, 100, 0];
    assert_eq!(
        route(3, 1, Some(7), Some(to)),
        Some((7, "198.51.100.0/24".into()))
    );
    assert_eq!(route(16, 1, Some(7), None), Some((7, "default".into())));
    assert_eq!(route(2, 1, Some(7), Some(to)), None); // the kernel's
    assert_eq!(route(3, 6, Some(7), Some(to)), None); // a blackhole
    assert_eq!(route(3, 1, None, Some(to)), None);
    assert!(Route::read(&[0; 11]).is_err());
}

/// Only a bridge's port has a state; it learns addresses in two of five.
#[test]
fn whether_a_bridge_learns_from_a_port_is_read() {
    let learning = |kind: &str, state: u8| {
        let mut body = vec![0; 16];
        body.extend(written(|w| {
            w.nest(18, |w| {
                w.string(4, kind);
                w.nest(5, |w| {
                    w.put(2, &[9, 9]);
                    w.put(1, &[state]);
                });
            });
        }));
        Link::read(&body).unwrap().learning
    };
    let states: Vec<_> = (0..6).map(|state| learning("bridge", state)).collect();
    assert_eq!(states, [false, false, true, true, false, false]);
    assert!(!learning("bond", 3));
}

#[test]
fn the_end_of_a_device_is_told_from_others() {
    let told = |kind: u16, family: u8, ifindex: u8| {
        let mut body = [0; 16];
        (body[0], body[4]) = (family, ifindex);
        let other = message(16, 0, &[0; 16]);
        tells_end(&[other, message(kind.into(), 0, &body)].concat(), 7).unwrap()
    };
    assert!(told(libc::RTM_DELLINK, 0, 7));
    assert!(!told(libc::RTM_DELLINK, 0, 8));
    assert!(!told(libc::RTM_NEWLINK, 0, 7));
    assert!(!told(libc::RTM_DELLINK, libc::AF_BRIDGE as u8, 7));
}

/// A list of devices is complete in spite of data that a library does not understand, an attribute
/// that is too new for it, or a name that is not text.
#[test]
fn a_link_is_read_whatever_else_is_told_of_it() {
    let mut body = vec![0; 16];
    body.extend(written(|w| {
        w.put(3, b"eth\xff\0");
        w.nest(18, |w| {
            w.nest(2, |w| w.put(1, &[1, 2, 3]));
            w.string(1, "bareudp");
            w.put(5, &[1]);
        });
        w.put(999, &[1]);
    }));
    let link = Link::read(&body).unwrap();
    assert_eq!(link.ifname, "eth\u{fffd}");
    assert_eq!(link.kind.as_deref(), Some("bareudp"));
}

/// Generates attributes of any type and value, nested or not, which are nearer to real messages
/// than plain noise.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        vec(any::<u8>(), 0..12),
        any::<u32>().prop_map(|n| n.to_ne_bytes().to_vec()),
        any::<u64>().prop_map(|n| n.to_ne_bytes().to_vec()),
    ];
    let list = |value: BoxedStrategy<Vec<u8>>| {
        vec((0u16..40, value), 0..12)
            .prop_map(|all| written(|w| all.iter().for_each(|(kind, value)| w.put(*kind, value))))
    };
    let inner = list(value.clone().boxed());
    let outer = list(prop_oneof![value, inner].boxed());
    prop_oneof![outer, vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_octets_make_reading_panic(bytes in noise(), errno in any::<i32>()) {
        let _ = Trunk::read(attributes(&bytes));
        let _ = Port::read(attributes(&bytes));
        let _ = Bucket::read_all(attributes(&bytes));
        let _ = Statistics::read(attributes(&bytes));
        let _ = Event::read_all(attributes(&bytes));
        let _ = ClaimState::read_all(attributes(&bytes));
        let _ = Link::read(&bytes);
        let _ = Address::read(&bytes);
        let _ = Route::read(&bytes);
        let _ = tells_end(&bytes, 0);
        let _ = Link::read(&[&[0; 16], &bytes[..]].concat());
        let _ = Family::read(&bytes, 1, Set::TRUNK);
        let _ = Family::read(&[&[0; 4], &bytes[..]].concat(), 1, Set::TRUNK);
        let _ = Queue::default().add(&bytes);
        let _ = Error::Refused(request().refusal(errno, &bytes)).to_string();
        for message in messages(&bytes) {
            let _ = message;
        }
        for kind in 0..5 {
            let _ = messages(&message(kind, errno, &bytes)).count();
        }
    }

    #[test]
    fn reading_ends(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(messages(&bytes).count() <= bytes.len());
        prop_assert!(attributes(&bytes).count() <= bytes.len());
    }
}
