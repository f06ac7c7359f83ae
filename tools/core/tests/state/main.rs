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
use trunk_core::state::{Ending, PortSettings};
use trunk_core::uapi::{ProbeMode, Reason};

fn happens() -> impl Strategy<Value = Happens> {
    let end = || 0..2usize;
    let number = || 0..8usize;
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
