// SPDX-License-Identifier: GPL-2.0

//! Two trunks, cabled port to port, that live through random histories by [`State::step`] alone: the
//! function that the driver calls. After each step both keep the rules that frames rely on.

mod end;
mod history;

use end::{port, socket, Cable, Ends, MS};
use history::{live, Happens};
use proptest::prelude::*;
use trunk_core::history::EventKind;
use trunk_core::port::{from_slot, LinkState};
use trunk_core::spares::Failback;
use trunk_core::state::{Ending, PortSettings, NEAREST_BRIDGE};
use trunk_core::uapi::{ProbeMode, Reason};
use trunk_core::wire::Path;

fn happens() -> impl Strategy<Value = Happens> {
    let end = || 0..2usize;
    let number = || 0..8usize;
    let path = || {
        let vlans = (1..40u16).prop_map(Path::Vlan);
        prop_oneof![Just(Path::Source), Just(Path::Mtu), vlans]
    };
    let failback =
        || prop::sample::select(vec![Failback::Immediate, Failback::Delay, Failback::Manual]);
    let mode = || prop::sample::select(vec![ProbeMode::Auto, ProbeMode::Required, ProbeMode::Off]);
    let port_settings = || {
        let priority = (1..4u16).prop_map(|priority| PortSettings {
            priority: Some(priority),
            ..PortSettings::default()
        });
        let weight = (0..4u16).prop_map(|weight| PortSettings {
            weight: Some(weight),
            ..PortSettings::default()
        });
        let enabled = any::<bool>().prop_map(|enabled| PortSettings {
            enabled: Some(enabled),
            ..PortSettings::default()
        });
        prop_oneof![priority, weight, enabled]
    };
    prop_oneof![
        6 => (number(), any::<bool>()).prop_map(|(n, on)| Happens::Carrier(n, on)),
        6 => (number(), any::<[bool; 2]>()).prop_map(|(n, ways)| Happens::Cut(n, ways)),
        3 => (number(), end(), prop::option::of(path()))
            .prop_map(|(n, end, path)| Happens::Loses(n, end, path)),
        1 => end().prop_map(Happens::Mtu),
        2 => (end(), 0..40u16, any::<bool>()).prop_map(|(e, vlan, used)| Happens::Vlan(e, vlan, used)),
        1 => (end(), any::<bool>()).prop_map(|(end, on)| Happens::Promiscuous(end, on)),
        1 => (end(), any::<bool>()).prop_map(|(end, one)| Happens::OneCopy(end, one)),
        1 => (1_000..4_000u64).prop_map(Happens::Time),
        8 => (1..400u64).prop_map(Happens::Time),
        2 => (number(), 1..4u16).prop_map(|(n, priority)| Happens::Join(n, priority)),
        2 => number().prop_map(Happens::Leave),
        1 => (end(), any::<bool>()).prop_map(|(end, up)| Happens::Up(end, up)),
        2 => (end(), number(), port_settings()).prop_map(|(e, n, it)| Happens::Port(e, n, it)),
        1 => (end(), number(), 0..40_000u32).prop_map(|(e, n, speed)| Happens::Speed(e, n, speed)),
        1 => (end(), failback()).prop_map(|(end, policy)| Happens::Failback(end, policy, 150)),
        1 => (end(), mode()).prop_map(|(end, mode)| Happens::Mode(end, mode)),
        1 => (end(), 0..4u8).prop_map(|(end, least)| Happens::MinLinks(end, least)),
        1 => (end(), prop::sample::select(vec![10, 100, 1_000]), any::<[u8; 2]>())
            .prop_map(|(end, interval, runs)| Happens::Rounds(end, interval, runs.map(|n| n % 8))),
        1 => end().prop_map(Happens::Release),
        1 => (end(), 0..6u32).prop_map(|(end, bits)| Happens::Bits(end, bits)),
        1 => end().prop_map(Happens::Reset),
        1 => end().prop_map(Happens::Refusal),
        1 => (end(), any::<[u8; 6]>()).prop_map(|(end, it)| Happens::Address(end, it)),
        1 => (end(), number(), number()).prop_map(|(e, b, n)| Happens::Choose(e, b, n)),
        3 => (end(), number(), 1..6u32).prop_map(|(e, n, mark)| Happens::Claim(e, n, mark)),
        1 => (end(), 1..6u32).prop_map(|(end, mark)| Happens::EndClaims(end, Ending::Mark(mark, socket(mark)))),
        1 => end().prop_map(|end| Happens::EndClaims(end, Ending::All)),
        1 => (end(), number()).prop_map(|(end, n)| Happens::Frame(end, n, vec![])),
        1 => (0..80usize, any::<u8>()).prop_map(|(place, bits)| Happens::Garble(place, bits)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, each step leaves a sound table (checked in [`Ends`]), events that fit the
    /// states, and claims that share no spare.
    #[test]
    fn each_step_leaves_a_sound_trunk(
        ports in prop::collection::vec(1..4u16, 1..8),
        history in prop::collection::vec(happens(), 0..60),
    ) {
        let mut ends = Ends::new(&ports);
        for what in &history {
            live(&mut ends, what);
            ends.check();
        }
    }

    /// Once all cables are whole and both ends are as they began, all links are used again.
    #[test]
    fn all_links_come_back(
        ports in prop::collection::vec(1..4u16, 2..6),
        history in prop::collection::vec(happens(), 0..40),
    ) {
        let mut ends = Ends::new(&ports);
        for what in &history {
            live(&mut ends, what);
        }
        ends.mend();
        // Hold-down lasts for a minute at most.
        ends.run(130_000 * MS);
        ends.check();
        for end in 0..2 {
            for (id, view) in ends.state(end).ports().iter() {
                let why = ends.state(end).port(id).map(|port| port.why());
                prop_assert_eq!((view.state, why), (LinkState::Act, Some(Reason::None)));
            }
        }
    }

    /// Both ends count failures of whole cables, and a bucket that moved without a reason is none:
    /// the flows of links that stay are not moved.
    #[test]
    fn a_failure_moves_no_flow_of_another_link(
        ports in prop::collection::vec(1..3u16, 2..6),
        which in 0..8usize,
        silent in any::<bool>(),
    ) {
        let mut ends = Ends::new(&ports);
        ends.run(1_000 * MS);
        let failed = which % ports.len();
        let before = ends.slots(0);
        ends.cable(failed, |cable| match silent {
            true => cable.cut = [true, true],
            false => cable.carrier = false,
        });
        ends.run(1_000 * MS);
        ends.check();
        let working = ports.iter().filter(|priority| **priority == 1).count();
        let there = ports.len() > 1;
        for (was, is) in before.iter().zip(ends.slots(0)) {
            let of_failed = from_slot(*was) == Some(port(failed));
            prop_assert!(of_failed || *was == is || working == 0);
            prop_assert!(!there || from_slot(is) != Some(port(failed)));
        }
        let events = ends.events(0);
        let lost = before.iter().any(|slot| from_slot(*slot) == Some(port(failed)));
        let failover = events.iter().any(|event| event.kind == EventKind::Failover);
        prop_assert_eq!(failover, lost);
    }
}

#[test]
fn a_claim_waits_for_replies_and_gets_the_link_it_wants() {
    let mut ends = Ends::new(&[1, 1, 2]);
    ends.run(1_000 * MS);
    ends.claim(0, 1, 7);
    assert_eq!(ends.answered(0, 7), None);
    ends.run(2 * MS);
    assert_eq!(ends.answered(0, 7), Some(Some(port(1))));
}

#[test]
fn a_claim_to_a_silent_link_gets_a_spare() {
    let mut ends = Ends::new(&[1, 1, 2]);
    ends.run(1_000 * MS);
    ends.cable(1, |cable| cable.cut = [true, true]);
    ends.claim(0, 1, 7);
    ends.run(9 * MS);
    assert_eq!(ends.answered(0, 7), None);
    // The reply-timeout is 10 ms.
    ends.run(2 * MS);
    assert_eq!(ends.answered(0, 7), Some(Some(port(2))));
    // It goes home once the link works again.
    ends.cable(1, |cable| cable.cut = [false, false]);
    ends.run(500 * MS);
    assert_eq!(ends.state(0).claims()[0].link, Some(port(1)));
}

#[test]
fn a_claim_is_refused_if_nothing_answers() {
    let mut ends = Ends::new(&[1, 2]);
    ends.up(0, false);
    ends.cable(0, Cable::pull);
    ends.cable(1, Cable::pull);
    ends.claim(0, 0, 7);
    ends.run(20 * MS);
    assert_eq!(ends.answered(0, 7), Some(None));
    assert!(ends.state(0).claims().is_empty());
    assert!(!ends.state(0).needs_tests());
    // Nobody hears of a claim that never was.
    let about = |kind| matches!(kind, EventKind::Claim | EventKind::Release);
    assert!(!ends.events(0).iter().any(|event| about(event.kind)));
}

#[test]
fn peers_are_told_at_once_of_what_changes() {
    let mut ends = Ends::new(&[1, 2]);
    ends.run(1_000 * MS);
    ends.cable(0, Cable::pull);
    // The spare is in use now, and the other end learns of it before its next round.
    ends.run(MS);
    let peer = ends.state(1).port(port(1)).and_then(|it| it.link.peer);
    assert!(peer.is_some_and(|peer| peer.in_use));
}

#[test]
fn a_cable_that_is_pulled_between_two_ticks_has_to_answer_again() {
    let mut ends = Ends::new(&[1, 1, 2]);
    ends.run(1_000 * MS);
    // This end hears of its links, and no tick comes.
    ends.cable(0, Cable::pull);
    ends.cable(0, |cable| cable.carrier = true);
    let why = ends.state(0).port(port(0)).map(|port| port.why());
    assert_eq!(why, Some(Reason::ProbeTimeout));
    ends.run(500 * MS);
    let why = ends.state(0).port(port(0)).map(|port| port.why());
    assert_eq!(why, Some(Reason::None));
}

#[test]
fn a_port_that_is_held_back_returns_when_its_time_has_come() {
    let mut ends = Ends::new(&[1, 1, 2]);
    ends.configure(0, |settings| {
        settings.failback = Failback::Delay;
        settings.failback_delay = 700;
    });
    ends.run(1_000 * MS);
    ends.cable(0, Cable::pull);
    ends.run(100 * MS);
    ends.cable(0, |cable| cable.carrier = true);
    ends.run(600 * MS);
    assert!(ends
        .state(0)
        .ports()
        .get(port(0))
        .is_some_and(|it| it.is_held_back()));
    assert!(ends.state(0).failback_in(ends.now).is_some());
    ends.run(900 * MS);
    assert!(ends
        .state(0)
        .ports()
        .get(port(0))
        .is_some_and(|it| !it.is_held_back()));
    assert_eq!(
        ends.slots(0)
            .iter()
            .filter(|it| from_slot(**it) == Some(port(2)))
            .count(),
        0
    );
}

/// Why the ports of an end are not used.
fn reasons(ends: &Ends, end: usize) -> Vec<Reason> {
    let ports = ends.state(end).ports().iter();
    let why = |id| {
        ends.state(end)
            .port(id)
            .map_or(Reason::None, |port| port.why())
    };
    ports.map(|(id, _)| why(id)).collect()
}

/// Two working links, of which the second loses a kind of frames from the first end.
fn lossy(path: Path) -> Ends {
    let mut ends = Ends::new(&[1, 1]);
    for end in 0..2 {
        ends.vlan(end, 7, true);
    }
    ends.run(1_000 * MS);
    ends.cable(1, |cable| cable.loses[0] = Some(path));
    ends
}

#[test]
fn a_link_that_loses_what_another_carries_is_out_of_use() {
    for (path, reason) in [
        (Path::Source, Reason::PathSource),
        (Path::Mtu, Reason::PathMtu),
        (Path::Vlan(7), Reason::PathVlan),
    ] {
        let mut ends = lossy(path);
        ends.run(2_900 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None; 2]);
        ends.run(900 * MS);
        // The other end learns of it, and does not use the link either.
        assert_eq!(reasons(&ends, 0), [Reason::None, reason]);
        assert_eq!(reasons(&ends, 1), [Reason::None, Reason::PeerSby]);
        assert!(ends
            .slots(1)
            .iter()
            .all(|slot| from_slot(*slot) == Some(port(0))));
        let told = ends
            .events(0)
            .iter()
            .map(|event| (event.kind, event.reason));
        assert!(told
            .into_iter()
            .any(|it| it == (EventKind::Failover, reason)));

        // It is better than none.
        ends.cable(0, Cable::pull);
        assert_eq!(reasons(&ends, 0)[1], Reason::None);
        ends.run(200 * MS);
        assert_eq!(reasons(&ends, 1)[1], Reason::None);
        ends.cable(0, |cable| cable.carrier = true);
        ends.run(500 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None, reason]);

        // As many tests with an answer bring it back.
        ends.cable(1, |cable| cable.loses[0] = None);
        ends.run(900 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None, reason]);
        ends.run(2_000 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None; 2]);
        assert_eq!(reasons(&ends, 1), [Reason::None; 2]);
        assert_eq!(ends.state(0).health().losses(port(1)).count(), 0);
    }
}

#[test]
fn what_no_link_carries_puts_none_out_of_use() {
    for (path, lost) in [(Path::Source, 1), (Path::Mtu, 1), (Path::Vlan(7), 0)] {
        let mut ends = lossy(path);
        ends.cable(0, |cable| cable.loses[0] = Some(path));
        ends.run(8_000 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None; 2]);
        // Nobody may be there in a VLAN.
        for number in 0..2 {
            assert_eq!(ends.state(0).health().losses(port(number)).count(), lost);
        }
        // One carries it again: that one is used.
        ends.cable(1, |cable| cable.loses[0] = None);
        ends.run(8_000 * MS);
        assert_eq!(reasons(&ends, 0)[1], Reason::None);
        assert_ne!(reasons(&ends, 0)[0], Reason::None);
    }
}

#[test]
fn what_is_not_used_any_more_is_not_lost() {
    let changes: [fn(&mut Ends); 3] = [
        |ends| ends.address(0, [4; 6]),
        |ends| ends.mtu(0),
        |ends| ends.vlan(0, 7, false),
    ];
    for (path, change) in [Path::Source, Path::Mtu, Path::Vlan(7)]
        .into_iter()
        .zip(changes)
    {
        let mut ends = lossy(path);
        ends.run(5_000 * MS);
        assert_ne!(reasons(&ends, 0)[1], Reason::None);
        ends.cable(1, |cable| cable.loses[0] = None);
        change(&mut ends);
        ends.run(MS);
        assert_eq!(reasons(&ends, 0)[1], Reason::None);
    }
}

#[test]
fn a_vlan_among_many_is_found() {
    let mut ends = lossy(Path::Vlan(4_000));
    for vlan in (1..=4_094).filter(|vlan| vlan % 40 == 0) {
        ends.vlan(0, vlan, true);
    }
    ends.run(30_000 * MS);
    assert_eq!(reasons(&ends, 0), [Reason::None, Reason::PathVlan]);
    // And it is tested more often than in its turn.
    ends.cable(1, |cable| cable.loses[0] = None);
    ends.run(5_000 * MS);
    assert_eq!(reasons(&ends, 0), [Reason::None; 2]);
}

#[test]
fn a_link_that_loses_what_another_carries_again_and_again_is_held_down() {
    let mut ends = lossy(Path::Mtu);
    for _ in 0..4 {
        ends.cable(1, |cable| cable.loses[0] = Some(Path::Mtu));
        ends.run(5_000 * MS);
        assert_eq!(reasons(&ends, 0)[1], Reason::PathMtu);
        ends.cable(1, |cable| cable.loses[0] = None);
        ends.run(2_000 * MS);
    }
    assert_eq!(reasons(&ends, 0)[1], Reason::HeldDown);
}

/// A switch that may forward probes would take the trunk for behind a spare that is idle.
#[test]
fn the_source_is_tested_where_no_switch_learns_it() {
    for (address, reason) in [([1; 6], Reason::None), (NEAREST_BRIDGE, Reason::PathSource)] {
        let mut ends = Ends::new(&[1, 2]);
        ends.configure(0, |settings| settings.probe_address = address);
        ends.cable(1, |cable| cable.loses[0] = Some(Path::Source));
        ends.run(5_000 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None, reason]);
    }
}

#[test]
fn what_cannot_be_made_a_frame_is_not_lost() {
    let mut ends = Ends::new(&[1, 1]);
    ends.unmade = Some(Path::Mtu);
    ends.run(8_000 * MS);
    for number in 0..2 {
        assert_eq!(ends.state(0).health().losses(port(number)).count(), 0);
    }
}

/// The work may have to wait.
#[test]
fn what_is_tested_late_is_not_lost() {
    for wait in [MS, 50 * MS, 99 * MS + 900_000, 150 * MS, 350 * MS] {
        let mut ends = Ends::new(&[1, 1]);
        ends.work_after = wait;
        ends.run(60_000 * MS);
        for number in 0..2 {
            assert_eq!(ends.state(0).health().losses(port(number)).count(), 0);
        }
        // And what is lost is found, if later.
        ends.cable(1, |cable| cable.loses[0] = Some(Path::Mtu));
        ends.run(30_000 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None, Reason::PathMtu]);
    }
}

/// As where a full queue loses large frames before small ones.
#[test]
fn a_link_that_carries_some_of_a_kind_does_not_lose_it() {
    let mut ends = lossy(Path::Mtu);
    for _ in 0..10 {
        ends.cable(1, |cable| cable.loses[0] = Some(Path::Mtu));
        ends.run(2_500 * MS);
        ends.cable(1, |cable| cable.loses[0] = None);
        ends.run(300 * MS);
        assert_eq!(reasons(&ends, 0), [Reason::None; 2]);
    }
}
