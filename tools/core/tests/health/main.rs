// SPDX-License-Identifier: GPL-2.0

//! The properties of health checks, in networks of trunks in which all sorts of things go wrong.
//! `PROPTEST_CASES` sets how many of them each test goes through.

mod network;

use network::{port, Cable, End, Network, Way, MS, US};
use proptest::prelude::*;
use std::collections::BTreeSet;
use trunk_core::health::{Peers, ProbeMode, Reason, Settings};
use trunk_core::wire::Identity;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

fn identity(system: u64) -> Identity {
    Identity { system, trunk: 1 }
}

/// What a network of two trunks is made of.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    settings: [Settings; 2],
    cables: usize,
    /// The port of B that port n of A leads to is n + this, round the end.
    turn: usize,
    /// A has the lower identity.
    lower: bool,
    key: Option<u64>,
    /// Ticks of both come late by less than this part of an interval, in 1/1,000.
    late: u64,
    /// B starts so much later, in 1/1,000 of an interval.
    phase: u64,
}

impl Plan {
    fn interval(&self) -> u64 {
        let longest = self.settings.iter().map(|settings| settings.interval).max();
        u64::from(longest.unwrap()) * US
    }

    /// Replies are far from late on a good cable.
    fn delay(&self) -> u64 {
        let least = self
            .settings
            .iter()
            .map(|settings| settings.reply_timeout)
            .min();
        u64::from(least.unwrap()) * US / 4
    }

    fn port_of_b(&self, port_of_a: usize) -> usize {
        (port_of_a + self.turn) % self.cables
    }

    /// The two trunks, cabled and running for long enough to know each other.
    fn build(&self) -> Network {
        let mut network = Network::new(self.seed);
        let systems = if self.lower { [10, 20] } else { [20, 10] };
        for (settings, system) in self.settings.into_iter().zip(systems) {
            let mut end = End::new(identity(system), self.cables, settings, self.key);
            end.lateness = end.interval() * self.late / 1_000;
            network.ends.push(end);
        }
        for number in 0..self.cables {
            let other = (B, self.port_of_b(number));
            network.connect((A, number), other, self.delay());
        }
        network.start(A);
        network.run_for(self.interval() * self.phase / 1_000);
        network.start(B);
        network
    }

    /// As long as it takes until all that is wrong is noticed, and all that is right again.
    fn settle(&self) -> u64 {
        let longest = |part: fn(&Settings) -> u64| self.settings.iter().map(part).max().unwrap();
        let rounds = longest(|settings| u64::from(settings.misses.max(settings.hits)));
        let hold = longest(|settings| u64::from(settings.hold_down) * MS);
        (2 * rounds + 12) * self.interval() + hold
    }
}

fn settings(mode: ProbeMode) -> impl Strategy<Value = Settings> {
    let interval = prop_oneof![
        Just(1_000u32),
        Just(10_000),
        Just(100_000),
        1_000..60_000_000u32
    ];
    (interval, 100..=1_000u64, 1..=4u8, 1..=4u8).prop_map(
        move |(interval, timeout, misses, hits)| Settings {
            mode,
            interval,
            reply_timeout: (u64::from(interval) * timeout / 1_000) as u32,
            misses,
            hits,
            hold_down: 0,
            peers: Peers::One,
        },
    )
}

/// A few cables, or about as many as there can be.
fn cables_from(least: usize) -> impl Strategy<Value = usize> {
    prop_oneof![30 => least..6usize, 1 => 60..=64usize]
}

/// Two trunks with so many cables at least. Their settings are the same, or those of B are slower.
fn plan(cables: usize) -> impl Strategy<Value = Plan> {
    let mode = prop_oneof![3 => Just(ProbeMode::Auto), 1 => Just(ProbeMode::Required)];
    let settings = mode.prop_flat_map(settings);
    let slower = prop_oneof![3 => Just(1u32), 1 => 2..=4u32];
    let key = prop::option::of(any::<u64>());
    (
        any::<u64>(),
        settings,
        slower,
        cables_from(cables),
        0..6usize,
        any::<bool>(),
        key,
        0..200u64,
        0..1_000u64,
    )
        .prop_map(
            |(seed, settings, slower, cables, turn, lower, key, late, phase)| {
                let mut other = settings;
                other.interval *= slower;
                Plan {
                    seed,
                    settings: [settings, other],
                    cables,
                    turn,
                    lower,
                    key,
                    late,
                    phase,
                }
            },
        )
}

/// All reasons that ports of an end have between now and then.
fn reasons(network: &mut Network, time: u64) -> Vec<Vec<BTreeSet<&'static str>>> {
    let mut seen: Vec<Vec<BTreeSet<_>>> = network
        .ends
        .iter()
        .map(|end| vec![BTreeSet::new(); end.ports])
        .collect();
    network.run(network.now + time, |network| {
        for (end, seen) in network.ends.iter().zip(&mut seen) {
            for (number, seen) in seen.iter_mut().enumerate() {
                seen.insert(end.reason(number).as_str());
            }
        }
    });
    seen
}

fn within(seen: &BTreeSet<&'static str>, allowed: &[Reason]) -> bool {
    let allowed: BTreeSet<_> = allowed.iter().map(|reason| reason.as_str()).collect();
    seen.is_subset(&allowed)
}

/// From now on nothing is wrong; then time for both ends to find that out.
fn mend(network: &mut Network, plan: &Plan) {
    for cable in &mut network.cables {
        cable.carrier = true;
        cable.ways = [Way::good(plan.delay()); 2];
    }
    for end in [A, B] {
        network.start(end);
        network.tick(end);
    }
    // What is still on its way comes first.
    network.run_for(4 * plan.interval());
    network.run_for(plan.settle());
}

/// How many tests an end has not answered, since there were too many.
fn limited(end: &End) -> u64 {
    let links = (0..end.ports).filter_map(|number| end.health.link(port(number)));
    links.map(|link| link.counts.limited).sum()
}

/// How often an end said that its peer is lost.
fn lost(end: &End) -> usize {
    end.news.iter().filter(|(_, news)| news.lost).count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_good_network_is_found_good(plan in plan(1)) {
        let mut network = plan.build();
        network.run_for(plan.settle());
        // From then on there is no reason ever.
        for (end, seen) in reasons(&mut network, 20 * plan.interval()).iter().enumerate() {
            for (number, seen) in seen.iter().enumerate() {
                prop_assert!(within(seen, &[Reason::None]), "{end} {number} {seen:?}");
            }
            let health = &network.ends[end].health;
            prop_assert!(network.proves_all(end));
            let all = network.ends[end].news.iter().map(|(_, news)| news.found.len()).sum::<u32>();
            prop_assert_eq!(all, plan.cables as u32);
            for number in 0..plan.cables {
                let counts = health.link(port(number)).unwrap().counts;
                let nothing = (counts.replies_late, counts.limited, counts.refused);
                prop_assert_eq!(nothing, (0, 0, 0));
                // None but those of the time when the other was not there yet.
                prop_assert!(counts.missed <= 5);
            }
        }
        // Both ends know each other's port, and have one order of the links.
        let rank = |end: usize, number| network.ends[end].health.rank(port(number));
        for number in 0..plan.cables {
            let other = plan.port_of_b(number);
            for (end, own, peer) in [(A, number, other), (B, other, number)] {
                let link = network.ends[end].health.link(port(own)).unwrap();
                prop_assert_eq!(link.peer.unwrap().port, peer as u8);
            }
            prop_assert_eq!(rank(A, number), rank(B, other));
            prop_assert_eq!(rank(A, number), if plan.lower { number } else { other } as u8);
        }
    }

    #[test]
    fn what_arrives_twice_late_or_in_another_order_does_no_harm(plan in plan(1)) {
        let mut network = plan.build();
        for cable in &mut network.cables {
            for way in &mut cable.ways {
                way.doubled = 500;
                way.delay = (0, 2 * plan.delay() - 1);
            }
        }
        network.run_for(plan.settle());
        for seen in reasons(&mut network, 50 * plan.interval()).iter().flatten() {
            prop_assert!(within(seen, &[Reason::None]), "{seen:?}");
        }
        let refused = |number| {
            let counts = network.ends[A].health.link(port(number)).unwrap().counts;
            counts.refused
        };
        prop_assert!((0..plan.cables).map(refused).sum::<u64>() > 0);
    }

    #[test]
    fn what_arrives_corrupted_is_none_if_there_is_a_key(plan in plan(1), key: u64) {
        let mut network = Plan { key: Some(key), ..plan.clone() }.build();
        network.run_for(plan.settle());
        // One in a hundred: hardly ever as many in a row as it takes for a link to die.
        for cable in &mut network.cables {
            for way in &mut cable.ways {
                way.corrupted = 10;
            }
        }
        for end in &mut network.ends {
            let settings = *end.health.settings();
            end.health.configure(Settings { misses: 9, ..settings });
        }
        for seen in reasons(&mut network, 50 * plan.interval()).iter().flatten() {
            prop_assert!(within(seen, &[Reason::None]), "{seen:?}");
        }
    }

    /// One cable of several fails, in one direction or both.
    #[test]
    fn a_failure_is_noticed_in_time_and_named(
        plan in plan(2),
        phase in 0..1_000u64,
        cut in prop_oneof![Just([true, true]), Just([true, false]), Just([false, true])],
    ) {
        let mut network = plan.build();
        network.run_for(plan.settle() + plan.interval() * phase / 1_000);
        let failed = network.now;
        for (way, cut) in network.cables[0].ways.iter_mut().zip(cut) {
            way.cut = cut;
        }
        let ports = [0, plan.port_of_b(0)];
        // The first round whose test or reply is lost begins an interval later, at the latest.
        let limit = |end: &End| {
            let Settings { misses, reply_timeout, .. } = *end.health.settings();
            let timeout = u64::from(reply_timeout) * US;
            // A late tick waits for what has come in.
            let waits = if end.lateness > timeout / 2 { timeout } else { 0 };
            failed + u64::from(misses) * (end.interval() + end.lateness)
                + timeout + end.lateness + waits
        };
        let time = plan.settle();
        let mut late = BTreeSet::new();
        let mut seen = [BTreeSet::new(), BTreeSet::new()];
        let mut others = BTreeSet::new();
        network.run(failed + time, |network| {
            for (index, end) in network.ends.iter().enumerate() {
                for number in 0..plan.cables {
                    let reason = end.reason(number);
                    if number != ports[index] {
                        others.insert(reason.as_str());
                        continue;
                    }
                    seen[index].insert(reason.as_str());
                    if reason == Reason::None && network.now > limit(end) {
                        late.insert(index);
                    }
                }
            }
        });
        prop_assert!(late.is_empty(), "noticed too late by {late:?}");
        prop_assert!(within(&others, &[Reason::None]), "{others:?}");
        // For each end: whether its tests arrive, and whether it hears those of the other.
        for (end, (sends, hears)) in [(!cut[0], !cut[1]), (!cut[1], !cut[0])].into_iter().enumerate() {
            let reason = match (sends, hears) {
                (true, false) => Reason::OneWayTx,
                (false, true) => Reason::OneWayRx,
                _ => Reason::ProbeTimeout,
            };
            prop_assert_eq!(network.ends[end].reason(ports[end]), reason);
            // Before that, what is not known yet, or what the other end says of it.
            let allowed = [Reason::None, Reason::ProbeTimeout, reason, Reason::PeerSby];
            let allowed = if hears { &allowed[..] } else { &allowed[..3] };
            prop_assert!(within(&seen[end], allowed), "{end} {:?}", seen[end]);
            prop_assert_eq!(lost(&network.ends[end]), 0);
        }

        for way in &mut network.cables[0].ways {
            way.cut = false;
        }
        network.run_for(time);
        prop_assert!(network.all_fine());
    }

    /// The peer dies, or is cut off, or does not hear.
    #[test]
    fn a_peer_that_dies_is_known_from_a_cable_that_fails(
        plan in plan(1),
        phase in 0..1_000u64,
        deaf: bool,
    ) {
        let mut network = plan.build();
        network.run_for(plan.settle() + plan.interval() * phase / 1_000);
        for cable in &mut network.cables {
            cable.ways[0].cut = true;
            cable.ways[1].cut = !deaf;
        }
        let seen = reasons(&mut network, plan.settle());
        if !deaf {
            // No direction is named that there is not.
            let allowed = [Reason::None, Reason::ProbeTimeout, Reason::PeerSilent];
            prop_assert!(seen.iter().flatten().all(|seen| within(seen, &allowed)), "{seen:?}");
        }
        let silent = if plan.cables > 1 { Reason::PeerSilent } else { Reason::ProbeTimeout };
        for number in 0..plan.cables {
            let expected = if deaf { Reason::OneWayRx } else { silent };
            prop_assert_eq!(network.ends[A].reason(number), expected);
            prop_assert_eq!(network.ends[B].reason(number), silent);
        }
        let all = usize::from(plan.cables > 1);
        prop_assert_eq!(lost(&network.ends[B]), all);
        if !deaf {
            prop_assert_eq!(lost(&network.ends[A]), all);
        } else if 4 * plan.interval() <= u64::from(plan.settings[A].misses) * network.ends[A].interval() {
            prop_assert_eq!(lost(&network.ends[A]), 0);
        }

        // It is back, but one cable has failed meanwhile: the peer is not silent any more.
        for way in network.cables.iter_mut().flat_map(|cable| &mut cable.ways) {
            way.cut = false;
        }
        if plan.cables > 1 {
            network.cables[0].ways[0].cut = true;
            network.run_for(plan.settle());
            prop_assert_eq!(network.ends[A].reason(0), Reason::OneWayRx);
            prop_assert_eq!(network.ends[B].reason(plan.port_of_b(0)), Reason::OneWayTx);
            network.cables[0].ways[0].cut = false;
        }
        network.run_for(plan.settle());
        prop_assert!(network.all_fine());
    }

    /// However late replies are, the link is alive; then it fails, or is fast again.
    #[test]
    fn a_link_that_is_late_is_not_dead(
        plan in plan(2),
        more in 1..5_000u64,
        there: bool,
        fails: bool,
    ) {
        let mut network = plan.build();
        network.run_for(plan.settle());
        let longest = plan.settings.map(|settings| settings.reply_timeout).into_iter().max();
        let delay = u64::from(longest.unwrap()) * US
            + network.ends[A].interval() * more / 1_000;
        network.cables[0].ways[usize::from(there)].delay = (delay, delay);
        network.run_for(plan.settle() + delay);
        let places = [(A, 0), (B, plan.port_of_b(0))];
        for seen in reasons(&mut network, 10 * plan.interval()).iter().flatten() {
            prop_assert!(within(seen, &[Reason::None]), "{seen:?}");
        }
        for (end, number) in places {
            let link = network.ends[end].health.link(port(number)).unwrap();
            prop_assert!(link.is_late());
            prop_assert!(link.late.is_some_and(|late| late >= delay));
            prop_assert!(network.ends[end].news.iter().any(|(_, news)| !news.late.is_empty()));
        }
        if fails {
            network.cables[0].ways[0].cut = true;
            network.cables[0].ways[1].cut = true;
            network.run_for(plan.settle() + 4 * delay);
            for (end, number) in places {
                prop_assert_eq!(network.ends[end].reason(number), Reason::ProbeTimeout);
            }
        }
        network.cables[0].ways = [Way::good(plan.delay()); 2];
        network.run_for(plan.settle() + delay);
        prop_assert!(network.all_fine());
        for (end, number) in places {
            prop_assert!(!network.ends[end].health.link(port(number)).unwrap().is_late());
        }
    }

    /// Queues fill, up to twice as fast as they drain, to seconds, and drain again. No frame is lost.
    #[test]
    fn a_full_queue_is_no_dead_link(
        plan in plan(1),
        fills in prop::collection::vec((0..1_000u64, 0..1_000u64, 1..20u64), 1..8),
    ) {
        // Replies to the last 32 tests count, and a frame waits twice.
        const LONGEST: u64 = 14;
        let mut plan = plan;
        plan.settings[A].misses = plan.settings[A].misses.max(3);
        plan.settings[B] = plan.settings[A];
        let mut network = plan.build();
        network.run_for(plan.settle());
        let interval = plan.interval();
        for (there, back, rounds) in fills {
            for _ in 0..rounds * 10 {
                let now = network.now;
                for cable in &mut network.cables {
                    for (way, rate) in cable.ways.iter_mut().zip([there, back]) {
                        let more = interval / 10 * rate / 1_000;
                        let full = way.full_until.max(now + interval / 10) + more;
                        way.full_until = full.min(now + LONGEST * interval);
                    }
                }
                let seen = reasons(&mut network, interval / 10);
                for seen in seen.iter().flatten() {
                    prop_assert!(within(seen, &[Reason::None]), "{seen:?}");
                }
            }
        }
    }

    /// With the defaults, a delay may grow at once to 200 ms, and a machine may stand still for as long,
    /// as often as it likes.
    #[test]
    fn a_machine_that_stands_still_is_not_dead(
        plan in plan(2),
        stops in prop::collection::vec((A..=B, 0..=200u64, 10..300u64), 1..60),
        queue: bool,
    ) {
        let mut plan = plan;
        plan.settings = [Settings::default(); 2];
        plan.late = 0;
        let mut network = plan.build();
        network.run_for(plan.settle());
        for (end, ms, pause) in stops {
            let until = network.now + ms * MS;
            if queue {
                for cable in &mut network.cables {
                    cable.ways[end].full_until = until;
                }
            } else {
                network.ends[end].still_until = until;
            }
            let seen = reasons(&mut network, (ms + pause) * MS);
            for seen in seen.iter().flatten() {
                prop_assert!(within(seen, &[Reason::None]), "{seen:?}");
            }
        }
    }

    /// A machine that stands still for long is silent, but its links have not failed: they are used again
    /// at once, and never held down.
    #[test]
    fn a_machine_that_stood_still_for_long_is_back_at_once(
        plan in plan(2),
        stops in prop::collection::vec(4..25u64, 1..6),
    ) {
        let mut plan = plan;
        for settings in &mut plan.settings {
            settings.hold_down = 3_600_000;
        }
        let mut network = plan.build();
        network.run_for(plan.settle().min(40 * plan.interval()));
        for rounds in stops {
            network.ends[B].still_until = network.now + rounds * plan.interval();
            network.run_for(rounds * plan.interval());
            let held = Reason::HeldDown.as_str();
            network.run_for(plan.interval());
            let seen = reasons(&mut network, 60 * plan.interval());
            prop_assert!(seen.iter().flatten().all(|seen| !seen.contains(held)), "{seen:?}");
            prop_assert!(network.all_fine());
        }
    }

    /// A cable leads to another trunk, with or without a moment without carrier.
    #[test]
    fn a_cable_in_the_wrong_socket_is_not_used(plan in plan(3), pulled: bool, several: bool) {
        let mut network = plan.build();
        let mut other = End::new(identity(5), 2, plan.settings[B], plan.key);
        if several {
            for end in [A, B] {
                let settings = *network.ends[end].health.settings();
                let peers = Peers::Several;
                network.ends[end].health.configure(Settings { peers, ..settings });
            }
        }
        other.health.configure(plan.settings[B]);
        network.ends.push(other);
        network.start(C);
        network.run_for(plan.settle());
        if pulled {
            network.set_carrier(0, false);
            network.run_for(plan.interval());
        }
        network.cables[0].ends[1] = (C, 1);
        network.set_carrier(0, true);
        let seen = reasons(&mut network, plan.settle());
        let wrong = Reason::PeerMismatch;
        let expected = if several { Reason::None } else { wrong };
        prop_assert_eq!(network.ends[A].reason(0), expected);
        // The other trunk has no reason of its own.
        let refused = if several { Reason::None } else { Reason::PeerSby };
        prop_assert_eq!(network.ends[C].reason(1), refused);
        prop_assert_eq!(network.ends[B].reason(plan.port_of_b(0)), Reason::ProbeTimeout);
        for number in 1..plan.cables {
            prop_assert!(within(&seen[A][number], &[Reason::None]), "{:?}", seen[A][number]);
        }
        // Where it belongs, all is well again.
        network.set_carrier(0, false);
        network.cables[0].ends[1] = (B, plan.port_of_b(0));
        network.set_carrier(0, true);
        network.run_for(plan.settle());
        prop_assert!(network.all_fine());
    }

    #[test]
    fn two_ports_of_one_trunk_are_no_link(plan in plan(3), pulled: bool) {
        let mut network = plan.build();
        network.run_for(plan.settle());
        if pulled {
            network.set_carrier(0, false);
            network.set_carrier(1, false);
            network.run_for(plan.interval());
        }
        network.cables.remove(1);
        network.cables[0].ends[1] = (A, 1);
        network.set_carrier(0, true);
        network.run_for(2 * plan.interval());
        let seen = reasons(&mut network, plan.settle());
        for number in 0..2 {
            prop_assert!(within(&seen[A][number], &[Reason::PeerMismatch]));
        }
        prop_assert!(within(&seen[A][2], &[Reason::None]));
        network.cables[0].ends[1] = (B, plan.port_of_b(0));
        network.connect((A, 1), (B, plan.port_of_b(1)), plan.delay());
        network.tick(A);
        network.tick(B);
        network.run_for(plan.settle() + 3 * plan.interval());
        prop_assert!(network.all_fine());
    }

    /// The peer comes back as another: after a while, or before anybody could miss it.
    #[test]
    fn a_peer_may_come_back_as_another(
        plan in plan(2),
        phase in 0..1_000u64,
        away in prop_oneof![Just(0u64), 0..20_000u64],
        polite: bool,
    ) {
        let mut network = plan.build();
        network.run_for(plan.settle() + plan.interval() * phase / 1_000);
        if polite {
            network.stop(B);
            network.run_for(plan.delay());
            let auto = plan.settings[A].mode == ProbeMode::Auto;
            for number in 0..plan.cables {
                prop_assert_eq!(network.ends[A].is_probed(number), !auto);
            }
        }
        network.restart(B, identity(30));
        let seen = reasons(&mut network, plan.interval() * away / 1_000);
        let auto = plan.settings[A].mode == ProbeMode::Auto;
        if polite && auto {
            prop_assert!(seen[A].iter().all(|seen| within(seen, &[Reason::None])));
        }
        network.start(B);
        for seen in reasons(&mut network, plan.settle()).iter().flatten() {
            prop_assert!(!seen.contains(Reason::PeerMismatch.as_str()), "{seen:?}");
        }
        prop_assert!(network.all_fine());
        prop_assert!(network.proves_all(A));
        if polite {
            let bye = network.ends[A].news.iter().map(|(_, news)| news.bye.len()).sum::<u32>();
            prop_assert_eq!(bye, plan.cables as u32);
        }
    }

    /// Whoever has no nonce and no key changes nothing: two runs, one of them with him.
    ///
    /// An old test that is sent again has a true reply. It is too late to count, but what it says of
    /// the peer is believed, and may not have been known without; so is its nonce, for a goodbye.
    ///
    /// More tests than a stranger is answered are another matter: before the two know each other, it
    /// may take them longer. See `a_flood_does_not_keep_strangers_apart`.
    #[test]
    fn what_is_forged_or_replayed_changes_nothing(
        plan in plan(1),
        events in prop::collection::vec(event(), 0..20),
        attacks in prop::collection::vec(any::<u64>(), 1..200),
        replays: bool,
    ) {
        let [alone, attacked] = [false, true].map(|attacked| {
            let mut network = plan.build();
            let mut told = Vec::new();
            let mut last = [None, None];
            let mut attacks = attacks.iter().cycle();
            if replays {
                network.run_for(40 * plan.interval());
            }
            for event in &events {
                if !(replays && matches!(event.what, What::Stop)) {
                    apply(&mut network, &plan, event);
                }
                let mut look = |network: &Network| {
                    for (end, it) in network.ends.iter().enumerate() {
                        let known = (0..it.ports).map(|number| {
                            let verdict = it.verdict(number);
                            let fine = match verdict.reason {
                                Reason::None => true,
                                Reason::PeerSby => replays,
                                _ => false,
                            };
                            let link = it.health.link(port(number)).unwrap();
                            let peer = link.peer.filter(|_| !replays);
                            (fine, verdict.proven.is_some(), peer)
                        });
                        let known = Some(known.collect::<Vec<_>>());
                        if last[end] != known {
                            told.push((network.now, end, known.clone()));
                            last[end] = known;
                        }
                    }
                };
                look(&network);
                for _ in 0..10 {
                    network.run(network.now + plan.interval() / 5, &mut look);
                    let Some(choice) = attacks.next().filter(|_| attacked) else {
                        continue;
                    };
                    let place = network.cables[*choice as usize % plan.cables].ends;
                    let place = place[usize::from(choice % 7 < 3)];
                    let bytes = match replays {
                        false => Some(network.forge(place, *choice)),
                        // What is so old that an answer to it is none any more.
                        true => network.recorded(place, *choice, 33 * plan.interval()),
                    };
                    if let Some(bytes) = bytes {
                        network.deliver(place, &bytes);
                    }
                }
            }
            let news = network.ends.iter().map(|end| {
                let known = end.news.iter().filter(|(_, news)| {
                    !(news.found | news.bye | news.differs).is_empty()
                });
                known.map(|(time, news)| (*time, news.found, news.bye, news.differs)).collect()
            });
            let news: Vec<Vec<_>> = news.collect();
            let limited: u64 = network.ends.iter().map(limited).sum();
            mend(&mut network, &plan);
            (told, news, limited, network.all_fine())
        });
        prop_assert!(alone.3 && attacked.3);
        if attacked.2 == alone.2 {
            prop_assert_eq!(alone.1, attacked.1);
            let mut changes = alone.0.iter().zip(&attacked.0);
            prop_assert_eq!(changes.find(|(one, other)| one != other), None);
            prop_assert_eq!(alone.0.len(), attacked.0.len());
        }
    }

    /// An end that answers no stranger any more, for all the forged tests that come in, is found
    /// all the same: its own tests are answered.
    #[test]
    fn a_flood_does_not_keep_strangers_apart(plan in plan(1), flooded in A..=B) {
        let mut plan = plan;
        // Else this flood would be none.
        for settings in &mut plan.settings {
            settings.interval = settings.interval.min(10_000);
            settings.reply_timeout = settings.reply_timeout.min(settings.interval);
        }
        // What is forged has no part in a key.
        plan.key = None;
        let mut network = plan.build();
        let mut number = 0;
        let mut flood = |network: &mut Network| {
            for cable in 0..plan.cables {
                number += 1;
                let place = network.cables[cable].ends[flooded];
                let bytes = network.forge(place, number);
                network.deliver(place, &bytes);
            }
        };
        for _ in 0..200 {
            flood(&mut network);
        }
        for cable in 0..plan.cables {
            network.set_carrier(cable, false);
            network.set_carrier(cable, true);
        }
        let step = plan.interval() / 200;
        for _ in 0..plan.settle() / step {
            flood(&mut network);
            network.run_for(step);
        }
        prop_assert!(limited(&network.ends[flooded]) > 0);
        prop_assert!(network.all_fine());
        for end in [A, B] {
            prop_assert!(network.proves_all(end));
        }
    }

    /// However many: only one direction may get another name.
    #[test]
    fn a_flood_changes_nothing(plan in plan(2), count in 100..400u64) {
        let mut network = plan.build();
        network.run_for(plan.settle());
        for number in 0..count * 20 {
            let place = network.cables[0].ends[usize::from(number % 3 == 0)];
            let bytes = network.forge(place, number);
            network.deliver(place, &bytes);
            if number % count == 0 {
                for seen in reasons(&mut network, plan.interval() / 2).iter().flatten() {
                    prop_assert!(within(seen, &[Reason::None]), "{seen:?}");
                }
            }
        }
        let counts = network.ends[A].health.link(port(0)).unwrap().counts;
        prop_assert!(counts.refused > 0);
    }

    /// Some cables fail for good, each in its own way: what is left is the same at both ends.
    #[test]
    fn both_ends_agree_on_what_is_left(
        plan in plan(1),
        required: bool,
        cut in prop::collection::vec((any::<[bool; 2]>(), any::<bool>()), 64),
    ) {
        let mut plan = plan;
        for settings in &mut plan.settings {
            settings.mode = if required { ProbeMode::Required } else { ProbeMode::Auto };
        }
        let mut network = plan.build();
        network.run_for(plan.settle());
        for (number, (cut, carrier)) in cut.iter().enumerate().take(plan.cables) {
            for (way, cut) in network.cables[number].ways.iter_mut().zip(cut) {
                way.cut = *cut;
            }
            network.set_carrier(number, *carrier);
        }
        network.run_for(plan.settle());
        for (number, (cut, carrier)) in cut.iter().enumerate().take(plan.cables) {
            let works = *carrier && *cut == [false, false];
            for (end, number) in [(A, number), (B, plan.port_of_b(number))] {
                prop_assert_eq!(network.ends[end].reason(number) == Reason::None, works);
                prop_assert_eq!(network.ends[end].verdict(number).proven.is_some(), works);
            }
        }
    }

    /// Long histories of all kinds of things: nothing is fine that cannot be, and in the end both
    /// ends are of one mind.
    #[test]
    fn whatever_happens_all_is_well_in_the_end(
        plan in plan(1),
        hold_down in prop_oneof![Just(0), 1..3_000u32],
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut plan = plan;
        for settings in &mut plan.settings {
            // It is to be some rounds, not thousands of them.
            settings.hold_down = hold_down.min(settings.interval / 20);
        }
        let mut network = plan.build();
        // Since when each way of a cable is cut, and since when it has no carrier. One way that is
        // cut as the other is mended lets a test pass and its reply too, so it begins anew then.
        let mut broken: Vec<[Option<u64>; 3]> = vec![[None; 3]; plan.cables];
        // As long as frames have ever been on their ways, both together.
        let mut longest = vec![[plan.delay(); 2]; plan.cables];
        let mut wrong = None;
        let mut restarted = None;
        for event in &events {
            apply(&mut network, &plan, event);
            if matches!(event.what, What::Restart) {
                restarted = Some(network.now);
            }
            for (number, Cable { ways, carrier, .. }) in network.cables.iter().enumerate() {
                let now = [ways[0].cut, ways[1].cut, !carrier];
                for (since, broken) in broken[number].iter_mut().zip(now) {
                    *since = since.or(Some(network.now)).filter(|_| broken);
                }
                for (longest, way) in longest[number].iter_mut().zip(ways) {
                    *longest = way.delay.1.max(*longest);
                }
            }
            let time = network.now + plan.interval() * event.rounds;
            // Frames of one that came back as another may still be on their way by any cable.
            let slowest = longest.iter().map(|both| both.iter().sum::<u64>()).max().unwrap_or(0);
            network.run(time, |network| {
                for ((cable, broken), longest) in network.cables.iter().zip(&broken).zip(&longest) {
                    let Some(broken) = broken.iter().flatten().min() else { continue };
                    for (end, number) in cable.ends {
                        let it = &network.ends[end];
                        let Settings { misses, reply_timeout, .. } = *it.health.settings();
                        let rounds = u64::from(misses) + 1;
                        // Replies have taken so long at the most, and may be waited for five times as
                        // long. A late tick waits for what has come in.
                        let longest = longest.iter().sum::<u64>() + it.lateness;
                        let limit = broken + rounds * (it.interval() + 2 * it.lateness)
                            + 6 * longest + u64::from(reply_timeout) * US;
                        let fine = it.reason(number) == Reason::None;
                        let probed = network.is_testing(end) && it.is_probed(number);
                        if network.now > limit && probed && fine {
                            wrong = wrong.or(Some((network.now, end, number, it.reason(number))));
                        }
                        let old = limit - broken + 6 * slowest;
                        let settled = restarted.is_none_or(|time| network.now > time + old);
                        if settled && it.reason(number) == Reason::PeerMismatch {
                            wrong = wrong.or(Some((network.now, end, number, it.reason(number))));
                        }
                    }
                }
            });
        }
        prop_assert_eq!(wrong, None);

        mend(&mut network, &plan);
        for (end, seen) in reasons(&mut network, 10 * plan.interval()).iter().enumerate() {
            for (number, seen) in seen.iter().enumerate() {
                prop_assert!(within(seen, &[Reason::None]), "{end} {number} {seen:?}");
            }
            prop_assert!(network.proves_all(end));
        }
    }
}

/// Something happens, and then nothing else for some rounds.
#[derive(Clone, Debug)]
struct Event {
    cable: usize,
    way: usize,
    rounds: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Cut(bool),
    Lose(u16),
    Double(u16),
    Delay(u64, u64),
    Carrier(bool),
    /// More tests than those of the rounds.
    Test(u8),
    Stop,
    Start,
    Restart,
    Use(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let what = prop_oneof![
        4 => any::<bool>().prop_map(What::Cut),
        2 => (0..600u16).prop_map(What::Lose),
        1 => (0..1_000u16).prop_map(What::Double),
        2 => (0..8_000u64, 0..2_000u64).prop_map(|(most, less)| What::Delay(most, less)),
        4 => any::<bool>().prop_map(What::Carrier),
        2 => (1..30u8).prop_map(What::Test),
        1 => Just(What::Stop),
        2 => Just(What::Start),
        1 => Just(What::Restart),
        1 => any::<u64>().prop_map(What::Use),
    ];
    let rounds = prop_oneof![3 => 0..4u64, 2 => 4..12u64];
    (0..6usize, 0..2usize, rounds, what).prop_map(|(cable, way, rounds, what)| Event {
        cable,
        way,
        rounds,
        what,
    })
}

fn apply(network: &mut Network, plan: &Plan, event: &Event) {
    let number = event.cable % plan.cables;
    let end = event.way;
    let way = &mut network.cables[number].ways[event.way];
    match event.what {
        What::Cut(cut) => way.cut = cut,
        What::Lose(lost) => way.lost = lost,
        What::Double(doubled) => way.doubled = doubled,
        What::Delay(most, less) => {
            let most = plan.interval() * most / 4_000;
            way.delay = (most.saturating_sub(plan.interval() * less / 4_000), most);
        }
        What::Carrier(carrier) => network.set_carrier(number, carrier),
        What::Test(count) => {
            for _ in 0..count {
                network.test((end, number));
            }
        }
        What::Stop => network.stop(end),
        What::Start => network.start(end),
        What::Restart => {
            let identity = network.ends[end].identity;
            network.restart(
                end,
                Identity {
                    trunk: identity.trunk + 1,
                    ..identity
                },
            );
            network.start(end);
        }
        What::Use(ports) => {
            let it = &mut network.ends[end];
            it.in_use = trunk_core::port::PortSet::from_bits(ports);
            it.held = trunk_core::port::PortSet::from_bits(ports >> 8);
        }
    }
}
