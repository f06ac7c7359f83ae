// SPDX-License-Identifier: GPL-2.0

//! The exact text and JSON of the fixtures.

use super::*;
use crate::claim::HeldView;
use crate::config::TrunkConfig;
use crate::doctor::{Finding, Severity};
use crate::fixtures::{self, golden};
use crate::pin::PinView;
use crate::view::{json, LostView, ResyncView};
use crate::words::Words;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use trunk_nl::uapi::{FarEnd, Peers, ProbeMode, Reason, Role, Selector};
use trunk_nl::{AutoJoin, Event, Mac, TrunkSettings};

const PLAIN: Look = Look::PLAIN;

fn views(group: &Group, statistics: &[Statistics], look: &Look) -> String {
    let view = |port| PortView::new(port, &group.ports, statistics, fixtures::clock());
    let views: Vec<_> = group.ports.iter().map(view).collect();
    ports(&views, look)
}

#[test]
fn show() {
    let groups = [fixtures::group()];
    assert_eq!(
        trunks(&groups, &[], &PLAIN),
        "3: trunk0: bits 3 selector dmac role server failback delay 2000 far-end auto \
         redundancy degraded ports 3 act 2 far-end-is trunk far-end-reason answers\n"
    );
    let mut other = fixtures::group();
    other.trunk.role = None;
    other.trunk.failback = Named::Known(Failback::Manual);
    assert_eq!(
        trunks(&[other], &[], &PLAIN),
        "3: trunk0: bits 3 selector dmac failback manual far-end auto \
         redundancy degraded ports 3 act 2 far-end-is trunk far-end-reason answers\n"
    );
    assert_eq!(
        trunks(
            &groups,
            &[],
            &Look {
                brief: true,
                ..PLAIN
            }
        ),
        "trunk0           degraded 2/3\n"
    );
    let details = Look {
        details: true,
        ..PLAIN
    };
    golden("show-d.txt", &trunks(&groups, &[], &details));
    let oneline = Look {
        oneline: true,
        statistics: 1,
        ..details
    };
    let line = trunks(&groups, &fixtures::statistics(), &oneline);
    assert_eq!(line.lines().count(), 1);
    golden("show-o-d-s.txt", &line);
    assert_eq!(trunks(&[], &[], &PLAIN), "");
}

#[test]
fn show_settings_of_probes_that_were_changed() {
    let mut group = fixtures::group();
    let trunk = &mut group.trunk;
    trunk.probe = Named::Known(ProbeMode::Required);
    (trunk.interval, trunk.reply_timeout) = (10_000, 1500);
    (trunk.hits, trunk.hold_down, trunk.keyed) = (1, 0, true);
    trunk.peers = Named::Unknown(9);
    assert_eq!(
        trunks(&[group], &[], &PLAIN),
        "3: trunk0: bits 3 selector dmac role server failback delay 2000 far-end auto \
         probe required interval 10ms reply-timeout 1500us hits 1 hold-down off peers 9 keyed \
         redundancy degraded ports 3 act 2 far-end-is trunk far-end-reason answers\n"
    );
}

#[test]
fn show_with_counters() {
    let groups = [fixtures::group()];
    let statistics = fixtures::statistics();
    let once = Look {
        statistics: 1,
        human: true,
        ..PLAIN
    };
    golden("show-s-h.txt", &trunks(&groups, &statistics, &once));
    let twice = Look {
        statistics: 2,
        ..PLAIN
    };
    golden("show-s-s.txt", &trunks(&groups, &statistics, &twice));
}

#[test]
fn show_in_colour() {
    let look = Look {
        color: true,
        brief: true,
        ..PLAIN
    };
    let text = trunks(&[fixtures::group()], &[], &look);
    assert_eq!(text, "trunk0           \x1b[33mdegraded\x1b[0m 2/3\n");
}

#[test]
fn ports_that_are_missing_are_named() {
    let mut group = fixtures::group();
    group.missing = ["eth8", "eth9"]
        .map(|name| trunk_nl::MissingPort {
            ifname: name.into(),
            ..Default::default()
        })
        .into();
    let text = trunks(&[group.clone()], &[], &PLAIN);
    assert!(
        text.contains(" far-end-reason answers missing eth8,eth9\n"),
        "{text}"
    );
    let object = json(&[TrunkView::new(&group, &[])], false);
    assert!(object.contains(r#""missing":["eth8","eth9"]"#), "{object}");
}

#[test]
fn show_as_json() {
    let group = fixtures::group();
    assert_eq!(
        json(&[TrunkView::new(&group, &[])], false),
        concat!(
            r#"[{"ifindex":3,"ifname":"trunk0","bits":3,"selector":"dmac","role":"server","#,
            r#""failback":"delay","failback_delay":2000,"far_end":"auto","min_links":0,"probe":"auto","#,
            r#""interval":100000,"reply_timeout":10000,"misses":3,"hits":3,"hold_down":60000,"#,
            r#""peers":"one","probe_ethertype":34997,"probe_address":"01:80:c2:00:00:0e","#,
            r#""keyed":false,"system":"0242ac1100020001","#,
            r#""redundancy":"degraded","auto_join":null,"far_end_is":"trunk","far_end_reason":"answers","ports":3,"act":2,"missing":[],"up":true,"carrier":true,"mtu":1500,"#,
            r#""address":"02:00:00:00:00:01"}]"#,
            "\n"
        )
    );
    assert_eq!(json::<[TrunkView<'_>; 0]>(&[], false), "[]\n");
    let statistics = fixtures::statistics();
    let view = [TrunkView::new(&group, &statistics)];
    golden("show-s-p.json", &json(&view, true));
}

#[test]
fn port_show() {
    let group = fixtures::group();
    assert_eq!(
        views(&group, &[], &PLAIN),
        "\
PORT  PRIO  WEIGHT  STATE  REASON    PEER      IN-USE  STANDS-IN-FOR  RTT           MISSED  SINCE  TRUNK
eth1  1     auto    act    -         9c1e:4/0  yes     -              118/97/121us  2       1m40s  trunk0
eth2  1     auto    sby    disabled  9c1e:4/1  no      -              118/97/121us  69      7s     trunk0
eth3  2     1       act    -         9c1e:4/2  yes     eth2           118/97/121us  0       1m40s  trunk0
"
    );
    let stamped = views(
        &group,
        &[],
        &Look {
            timestamp: true,
            ..PLAIN
        },
    );
    assert!(
        stamped.contains("  2026-11-21T08:06:32.000000Z  trunk0\n"),
        "{stamped}"
    );
    assert_eq!(
        views(
            &group,
            &[],
            &Look {
                brief: true,
                ..PLAIN
            }
        ),
        "eth1             act trunk0\neth2             sby trunk0\neth3             act trunk0\n"
    );
    let colour = views(
        &group,
        &[],
        &Look {
            color: true,
            ..PLAIN
        },
    );
    assert!(colour.contains("\x1b[31msby  \x1b[0m"), "{colour}");
    assert!(!colour.lines().next().unwrap().contains('\x1b'));
}

#[test]
fn port_show_without_probes() {
    let mut group = fixtures::group();
    group.ports.truncate(1);
    let port = &mut group.ports[0];
    (port.peer, port.probed, port.compared) = (None, false, None);
    (port.round_trip_last, port.round_trip_late) = (None, None);
    (port.round_trip_min, port.round_trip_avg) = (None, None);
    (port.rounds, port.rounds_missed) = (9000, 9000);
    assert_eq!(
        views(&group, &[], &PLAIN).lines().nth(1).unwrap(),
        "eth1  1     auto    act    -       -     yes     -              -    9000    1m40s  trunk0"
    );
    let look = Look {
        details: true,
        ..PLAIN
    };
    assert_eq!(
        views(&group, &[], &look),
        "\
4: eth1: dev trunk0 prio 1 weight auto enable state act in-use
    id 0 share 10 homes 5 buckets 5 since 1m40s
    not-probed rounds 9000 missed 9000
"
    );
}

#[test]
fn port_show_as_lines() {
    let mut group = fixtures::group();
    (group.ports[0].held_back, group.ports[0].late) = (true, true);
    (group.ports[0].loses_source, group.ports[0].loses_mtu) = (true, true);
    group.ports[2].loses_vlans = vec![7, 9];
    group.ports[0].claims = 2;
    assert_eq!(
        views(
            &group,
            &[],
            &Look {
                oneline: true,
                ..PLAIN
            }
        ),
        "\
4: eth1: dev trunk0 prio 1 weight auto enable state act held-back late loses source,mtu in-use claims 2 peer 9c1e:4/0
5: eth2: dev trunk0 prio 1 weight auto disable state sby reason disabled stand-in eth3 peer 9c1e:4/1
6: eth3: dev trunk0 prio 2 weight 1 enable state act stands-in-for eth2 loses vlan-7,vlan-9 in-use peer 9c1e:4/2
"
    );
    let look = Look {
        details: true,
        statistics: 1,
        ..PLAIN
    };
    golden(
        "port-show-d-s.txt",
        &views(&group, &fixtures::statistics(), &look),
    );
    let stamped = Look {
        timestamp: true,
        statistics: 0,
        ..look
    };
    golden("port-show-d-t.txt", &views(&group, &[], &stamped));
}

#[test]
fn port_show_as_json() {
    let group = fixtures::group();
    let view = PortView::new(&group.ports[2], &group.ports, &[], fixtures::clock());
    assert_eq!(
        json(&[view], false),
        concat!(
            r#"[{"ifindex":6,"ifname":"eth3","trunk":"trunk0","id":2,"priority":2,"weight":1,"#,
            r#""share":1,"enabled":true,"state":"act","reason":"none","#,
            r#""since":"2026-11-21T08:04:59.000000Z","in_use":true,"claims":0,"homes":0,"#,
            r#""buckets":3,"stands_in_for":"eth2","stand_in":null,"held_back":false,"#,
            r#""probed":true,"peer":{"system":"0242ac1100039c1e","trunk":4,"port":2,"#,
            r#""priority":2,"usable":true,"in_use":false,"interval":100000,"#,
            r#""heard":"2026-11-21T08:06:38.980000Z","address":"02:00:00:00:00:04"},"#,
            r#""rounds":9000,"rounds_missed":0,"round_trip_last":118000,"round_trip_min":97000,"round_trip_avg":121456,"#,
            r#""round_trip_late":null,"late":false,"loses_source":false,"loses_mtu":false,"#,
            r#""loses_vlans":[],"compared":null}]"#,
            "\n"
        )
    );
}

#[test]
fn table_show() {
    let group = fixtures::group();
    let view = TableView::new(&group, &fixtures::table());
    assert_eq!(
        table(&group, &view, &PLAIN),
        "\
trunk0: 8 buckets, selector dmac
  A eth1            homes 5 carries 5
  B eth2            homes 3 carries 0, sby (disabled)
  C eth3            homes 0 carries 3, stands in for eth2
     0  A C'A C'A*A*A C'
  ' another port than its home carries it
  * the user has set its home
"
    );
    let colour = table(
        &group,
        &view,
        &Look {
            color: true,
            ..PLAIN
        },
    );
    assert!(colour.contains("\x1b[32mC\x1b[0m'"), "{colour}");
}

#[test]
fn rows_and_groups_of_a_large_table() {
    let group = fixtures::group();
    let bucket = |index| trunk_nl::Bucket {
        index,
        home: Some(4),
        port: (index != 40).then_some(4),
        user_set: false,
        tx_packets: 0,
        tx_bytes: 0,
    };
    let all: Vec<_> = (0..64).map(bucket).collect();
    let text = table(&group, &TableView::new(&group, &all), &PLAIN);
    let rows: Vec<_> = text.lines().skip(4).collect();
    assert_eq!(
        rows[..2],
        [
            "     0  A A A A A A A A  A A A A A A A A  A A A A A A A A  A A A A A A A A",
            "    32  A A A A A A A A  -'A A A A A A A  A A A A A A A A  A A A A A A A A",
        ]
    );
}

#[test]
fn table_show_as_lines_and_json() {
    let group = fixtures::group();
    let view = TableView::new(&group, &fixtures::table());
    let text = table(
        &group,
        &view,
        &Look {
            oneline: true,
            ..PLAIN
        },
    );
    golden("table-show-o.txt", &text);
    let text = table(
        &group,
        &view,
        &Look {
            statistics: 1,
            ..PLAIN
        },
    );
    golden("table-show-s.txt", &text);
    golden("table-show.json", &json(&[view], false));
}

#[test]
fn stats() {
    let all = fixtures::statistics();
    assert_eq!(
        statistics(&all, &PLAIN),
        "\
DEVICE  RX-PACKETS  RX-BYTES  RX-DROPPED  TX-PACKETS  TX-BYTES  TX-DROPPED  UP  DOWN
trunk0  12345       1234500   0           24690       24690000  1           3   1
eth1    12000       1200000   0           24000       24000000  1           3   1
eth2    300         30000     0           600         600000    1           3   1
eth3    45          4500      0           90          90000     1           3   1
PORT  PROBES-TX  PROBES-RX  REPLIES-TX  REPLIES-RX  LATE  LIMITED  UNKNOWN  REFUSED
eth1  9000       8990       8990        8997        1     0        0        2
eth2  9000       8990       8990        8997        1     0        0        2
eth3  9000       8990       8990        8997        1     0        0        2
trunk0: tx-no-port 1 rx-own-source 2 rx-multicast-filtered 30 rx-unicast-filtered 0 port-late 0 failovers 1 failbacks 0 buckets-moved 3 events-lost 0
"
    );
    assert_eq!(statistics(&[], &PLAIN), "");
    golden("stats.json", &json(&StatisticsView::all(&all), false));
    assert_eq!(json(&StatisticsView::all(&[]), false), "[]\n");
}

fn line(event: &Event) -> String {
    super::event(&EventView::new(event, fixtures::clock()), &PLAIN)
}

#[test]
fn events() {
    let about = |kind| Event {
        port: Some(5),
        port_name: Some("eth2".into()),
        ..fixtures::event(kind)
    };
    let state = Event {
        old_state: Some(Named::Known(State::Act)),
        new_state: Some(Named::Known(State::Sby)),
        reason: Some(Named::Known(Reason::NoCarrier)),
        ..about(EventKind::PortState)
    };
    assert_eq!(line(&state), "trunk0: eth2 act -> sby (no-carrier)\n");
    let named = Event {
        old_state: state.new_state,
        reason: Some(Named::Known(Reason::OneWayRx)),
        ..state.clone()
    };
    assert_eq!(line(&named), "trunk0: eth2 still sby (one-way-rx)\n");
    let up = Event {
        old_state: state.new_state,
        new_state: state.old_state,
        reason: Some(Named::Known(Reason::None)),
        ..state
    };
    assert_eq!(line(&up), "trunk0: eth2 sby -> act\n");
    let spread = Event {
        other: None,
        other_name: None,
        detection_ns: Some(45_000_000),
        ..fixtures::failover()
    };
    assert_eq!(
        line(&spread),
        "trunk0: failover of eth2 spread (no-carrier, 3 buckets, detected in 45.0ms, switched in 1.8us)\n"
    );
    let back = Event {
        other: Some(6),
        buckets: Some(3),
        ..about(EventKind::Failback)
    };
    assert_eq!(
        line(&back),
        "trunk0: failback to eth2 from if6 (3 buckets)\n"
    );
    assert_eq!(
        line(&fixtures::event(EventKind::Table)),
        "trunk0: table set\n"
    );
    assert_eq!(
        line(&fixtures::event(EventKind::Config)),
        "trunk0: settings changed\n"
    );
    assert_eq!(
        line(&about(EventKind::Config)),
        "trunk0: settings of eth2 changed\n"
    );
    assert_eq!(line(&about(EventKind::Join)), "trunk0: eth2 joined\n");
    assert_eq!(line(&about(EventKind::Leave)), "trunk0: eth2 left\n");
    let refused = Event {
        error: Some(16),
        ..about(EventKind::JoinRefused)
    };
    assert_eq!(
        line(&refused),
        "trunk0: eth2 does not join: Device or resource busy; the kernel's log says more\n"
    );
    for (kind, want) in [
        (EventKind::PeerFound, "peer found on eth2"),
        (EventKind::PeerBye, "goodbye of the peer on eth2"),
        (EventKind::Late, "eth2 is late: replies come, but too late"),
        (EventKind::InTime, "replies on eth2 come in time again"),
        (
            EventKind::PeerDiffers,
            "another priority at the peer on eth2",
        ),
        (EventKind::Release, "claim of eth2 ended"),
    ] {
        assert_eq!(line(&about(kind)), format!("trunk0: {want}\n"));
    }
    assert_eq!(
        line(&fixtures::event(EventKind::PeerLost)),
        "trunk0: peer lost: all ports fell silent at once\n"
    );
    let newer = Event {
        kind: Named::Unknown(42),
        ..about(EventKind::Join)
    };
    assert_eq!(line(&newer), "trunk0: event 42\n");
}

#[test]
fn events_of_claims() {
    let served = |kind, by: Option<&str>, reason| Event {
        port: Some(4),
        port_name: Some("eth1".into()),
        other_name: by.map(str::to_string),
        reason: Some(Named::Known(reason)),
        ..fixtures::event(kind)
    };
    let timeout = Reason::ProbeTimeout;
    for (event, want) in [
        (
            served(EventKind::Claim, Some("eth1"), Reason::None),
            "claim of eth1",
        ),
        (
            served(EventKind::Claim, Some("eth3"), Reason::None),
            "claim of eth1 gets eth3",
        ),
        (
            served(EventKind::ClaimMoved, Some("eth3"), timeout),
            "claim of eth1 moves to eth3 (probe-timeout)",
        ),
        (
            served(EventKind::ClaimMoved, Some("eth1"), Reason::None),
            "claim of eth1 is back",
        ),
        (
            served(EventKind::ClaimMoved, None, timeout),
            "claim of eth1 has no link (probe-timeout)",
        ),
    ] {
        assert_eq!(line(&event), format!("trunk0: {want}\n"));
    }
}

/// Returns two claims; the second one has no link.
fn two_claims() -> [trunk_nl::ClaimState; 2] {
    let mut second = fixtures::claim();
    (second.mark, second.name) = (0x1000, None);
    (second.link, second.peer_port) = (None, None);
    [fixtures::claim(), second]
}

fn claims_of(all: &[trunk_nl::ClaimState]) -> Vec<ClaimView<'_>> {
    let name = |ifindex| format!("eth{}", ifindex - 3);
    all.iter()
        .map(|claim| ClaimView::new(claim, name))
        .collect()
}

#[test]
fn claim_show() {
    let both = two_claims();
    let views = claims_of(&both);
    assert_eq!(
        claims(&views, &PLAIN),
        "\
MARK  PORT  LINK  PEER-PORT  NAME      HOLDER  TRUNK
7     eth1  eth1  0          metering  4242    trunk0
4096  eth1  -     -          -         4242    trunk0
"
    );
    assert_eq!(
        claims(
            &views,
            &Look {
                oneline: true,
                ..PLAIN
            }
        ),
        "\
trunk0: mark 7 port eth1 link eth1 peer-port 0 name metering holder 4242
trunk0: mark 4096 port eth1 link none holder 4242
"
    );
    assert_eq!(claims(&[], &PLAIN), "");
    assert_eq!(
        json(&views, false),
        concat!(
            r#"[{"trunk":"trunk0","mark":7,"port":"eth1","link":"eth1","peer_port":0,"#,
            r#""name":"metering","holder":4242},{"trunk":"trunk0","mark":4096,"port":"eth1","#,
            r#""link":null,"peer_port":null,"name":null,"holder":4242}]"#,
            "\n"
        )
    );
}

#[test]
fn history_tells_when() {
    let events = fixtures::events();
    let view = |event| EventView::new(event, fixtures::clock());
    let views: Vec<_> = events.iter().map(view).collect();
    golden("history.txt", &history(&views, &PLAIN));
    golden("history.json", &json(&views, false));
    let stamped = Look {
        timestamp: true,
        ..PLAIN
    };
    golden("history-t.txt", &history(&views, &stamped));
}

#[test]
fn numbers_for_people() {
    let all = [0, 999, 1000, 1_550, 12_345, 999_999, 1_234_567, u64::MAX].map(human);
    assert_eq!(
        all,
        ["0", "999", "1.0k", "1.5k", "12k", "999k", "1.2M", "18E"]
    );
}

#[test]
fn what_is_newer_is_shown_by_number() {
    let mut group = fixtures::group();
    group.trunk.role = Some(Named::Known(Role::Switch));
    group.trunk.selector = Named::Unknown(9);
    assert!(trunks(&[group], &[], &PLAIN).contains("selector 9 role switch"));
}

/// The words that show and port show print set these values.
#[test]
fn what_is_shown_can_be_set() {
    let mut state = 1u64;
    let mut up_to = |most: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u32 % (most + 1)
    };
    let line_of = |text: String| -> Vec<String> {
        assert_eq!(text.lines().count(), 1, "{text}");
        // The number and the name come first.
        text.split_whitespace()
            .skip(2)
            .map(str::to_string)
            .collect()
    };
    let look = |details| Look {
        oneline: true,
        details,
        ..PLAIN
    };
    for _ in 0..1000 {
        let mut pick = |most: usize| up_to(most as u32 - 1) as usize;
        let mut group = fixtures::group();
        let trunk = &mut group.trunk;
        let selector = Selector::ALL[pick(Selector::ALL.len())];
        let far_end = FarEnd::ALL[pick(FarEnd::ALL.len())];
        let failback = Failback::ALL[pick(Failback::ALL.len())];
        let fits = |role: &Role| role.selector() == selector && role.far_end() == far_end;
        trunk.role = Role::ALL.into_iter().find(fits).map(Named::Known);
        trunk.selector = Named::Known(selector);
        trunk.far_end = Named::Known(far_end);
        trunk.failback = Named::Known(failback);
        trunk.probe = Named::Known(ProbeMode::ALL[pick(ProbeMode::ALL.len())]);
        trunk.peers = Named::Known(Peers::ALL[pick(Peers::ALL.len())]);
        trunk.bits = up_to(16);
        trunk.failback_delay = up_to(86_400_000);
        trunk.interval = up_to(60_000_000);
        trunk.reply_timeout = up_to(60_000_000);
        trunk.misses = up_to(255);
        trunk.min_links = [0, up_to(64)][up_to(1) as usize];
        trunk.hits = up_to(255);
        trunk.hold_down = [0, 60_000, up_to(3_600_000)][up_to(2) as usize];
        trunk.probe_ethertype = 0x600 + up_to(0xf9ff);
        trunk.probe_address = Mac([2, 0, 0, 0, 0, up_to(255) as u8]);
        trunk.keyed = up_to(1) == 1;
        let name = |given, text: &str| (given == 1).then(|| text.to_string());
        trunk.auto_join = (up_to(1) == 1).then(|| AutoJoin {
            name: Some(format!("enp{}*", up_to(9))),
            driver: name(up_to(1), "ixgbe"),
            bus: name(up_to(1), "pci"),
            address: (up_to(1) == 1).then(|| "52:54:00".parse().unwrap()),
            priority: 1 + up_to(9),
        });
        let want = TrunkConfig::of(trunk, 1500, &[], &[], &[]).settings;
        for details in [true, false] {
            let words = line_of(trunks(&[group.clone()], &[], &look(details)));
            let mut words = Words::new(&words);
            let got = words.trunk_settings().unwrap();
            let next = words.next();
            assert!(matches!(next, Some("keyed" | "redundancy")), "{next:?}");
            // A role sets two; a setting that is not shown has its value of a new trunk.
            let new = fixtures::config().settings;
            let got = TrunkSettings {
                role: None,
                selector: got.selector.or(got.role.map(Role::selector)),
                far_end: got.far_end.or(got.role.map(Role::far_end)),
                min_links: got.min_links.or(new.min_links),
                probe: got.probe.or(new.probe),
                interval: got.interval.or(new.interval),
                reply_timeout: got.reply_timeout.or(new.reply_timeout),
                misses: got.misses.or(new.misses),
                hits: got.hits.or(new.hits),
                hold_down: got.hold_down.or(new.hold_down),
                peers: got.peers.or(new.peers),
                probe_ethertype: got.probe_ethertype.or(new.probe_ethertype),
                probe_address: got.probe_address.or(new.probe_address),
                auto_join: got.auto_join.or(new.auto_join),
                ..got
            };
            assert_eq!(got, want);
        }

        group.ports.truncate(1);
        let port = &mut group.ports[0];
        (port.priority, port.weight) = (1 + up_to(65_534), up_to(65_535));
        port.enabled = up_to(1) == 1;
        let want = TrunkConfig::of(&group.trunk, 1500, &group.ports, &[], &[]).ports;
        let words = line_of(views(&group, &[], &look(false)));
        let mut words = Words::new(&words);
        assert!(words.skip("dev") && words.skip("trunk0"));
        assert_eq!(words.port_settings().unwrap(), want[0].settings);
        assert_eq!(words.next(), Some("state"));
    }
}

/// The output in the documentation is what is printed.
#[test]
fn documentation() {
    let document = include_str!("../../../Documentation/networking/trunkctl.rst");
    let group = fixtures::group();
    let table_view = TableView::new(&group, &fixtures::table());
    let both = two_claims();
    let claim_views = claims_of(&both);
    for text in [
        trunks(&[fixtures::group()], &[], &PLAIN),
        views(&group, &[], &PLAIN),
        table(&group, &table_view, &PLAIN),
        crate::config::format(&[fixtures::config()]),
        claims(&claim_views, &PLAIN),
    ] {
        let indented = format!("    {}\n", text.trim_end().replace('\n', "\n    "));
        assert!(document.contains(&indented), "{indented}");
    }
}

/// Collects the keys of an object or of several, without counters. A key within another value has
/// that value's key and a dot before it, and brackets if that value is an array.
fn keys(value: &Value, before: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| keys(value, before, all)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = format!("{before}{key}");
                let brackets = if value.is_array() { "[]" } else { "" };
                if key != "statistics" && !key.ends_with(".statistics") {
                    keys(value, &format!("{key}{brackets}."), all);
                }
                all.insert(key);
            }
        }
        _ => {}
    }
}

/// Returns a row of the documentation's table: the commands that print such objects, and their
/// keys.
fn row(what: &str, objects: &impl Serialize) -> String {
    let mut all = BTreeSet::new();
    keys(&serde_json::to_value(objects).unwrap(), "", &mut all);
    let mut lines = vec![String::new()];
    for key in all {
        let word = format!("``{key}``");
        let last = lines.last_mut().unwrap();
        if last.is_empty() {
            *last = word;
        } else if last.len() + 2 + word.len() > 81 {
            last.push(',');
            lines.push(word);
        } else {
            *last += &format!(", {word}");
        }
    }
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let what = if number == 0 { what } else { "" };
        let _ = writeln!(text, "{what:<25}  {line}");
    }
    text
}

/// The documentation names each key of JSON.
#[test]
fn keys_of_json_are_documented() {
    let mut group = fixtures::group();
    group.trunk.auto_join = Some(AutoJoin {
        name: None,
        driver: None,
        bus: None,
        address: None,
        priority: 1,
    });
    let statistics = fixtures::statistics();
    let view = |port| PortView::new(port, &group.ports, &statistics, fixtures::clock());
    let ports: Vec<_> = group.ports.iter().map(view).collect();
    let mut events = fixtures::events();
    events.push(Event {
        error: Some(16),
        ..fixtures::event(EventKind::JoinRefused)
    });
    let events: Vec<_> = events
        .iter()
        .map(|event| EventView::new(event, fixtures::clock()))
        .collect();
    let claims = two_claims();
    let claim = || claims_of(&claims).remove(0);
    let time = || "2026-11-21T08:06:39.000000Z".to_string();
    let mut config = fixtures::config();
    config.settings.auto_join = Some(group.trunk.auto_join.clone());
    config.link.address = Some(Mac([0; 6]));
    // For trunks and ports, monitor prints the objects of show and port show.
    let resync = ResyncView {
        event: "resync",
        time: time(),
        trunks: Vec::new(),
        ports: Vec::new(),
    };
    let lost = LostView {
        event: "lost",
        time: time(),
        count: Some(1),
    };
    let finding = Finding {
        severity: Severity::Note,
        check: "",
        trunk: Some(String::new()),
        port: Some(String::new()),
        text: String::new(),
        advice: String::new(),
    };
    let held = HeldView {
        event: "claim",
        time: time(),
        claim: claim(),
        old_link: Some(None),
        reason: Some(Named::Known(Reason::None)),
    };
    let pin = PinView {
        event: "pin",
        time: time(),
        bridge: "",
        trunk: "",
        address: Mac([0; 6]),
    };
    let counters: Vec<_> = statistics.iter().map(|s| &s.counters).collect();
    let rows = [
        row("``show``", &[TrunkView::new(&group, &statistics)]),
        row("``port show``", &ports),
        row(
            "``table show``",
            &TableView::new(&group, &fixtures::table()),
        ),
        row("``stats``", &StatisticsView::all(&statistics)),
        row("``statistics`` of these", &counters),
        row("``history``, ``monitor``", &events),
        row("``monitor``: ``lost``", &lost),
        row("``monitor``: ``resync``", &resync),
        row("``claim show``", &claim()),
        row("``claim``", &held),
        row("``pin``", &pin),
        row("``save``", &config),
        row("``doctor``", &finding),
    ]
    .concat();
    let document = include_str!("../../../Documentation/networking/trunkctl.rst");
    assert!(document.contains(&rows), "{rows}");
}
