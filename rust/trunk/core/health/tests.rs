// SPDX-License-Identifier: GPL-2.0

//! The rules of [`Health`], one by one.

use super::super::testing::id;
use super::super::wire::{
    Identity,
    Kind,
    Probe, //
};
use super::*;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

const OWN: Identity = Identity {
    system: 7,
    trunk: 1,
};
const PEER: Identity = Identity {
    system: 7,
    trunk: 2,
};
const OTHER: Identity = Identity {
    system: 8,
    trunk: 1,
};

/// The first of all moments.
const BEGIN: u64 = 1_000 * SECOND;

/// A trunk with a link for each of `links`, ports from 0 on, and what its peers do by hand.
struct Bench<'a> {
    health: Health<&'a mut Link>,
    now: u64,
    view: View,
    /// The nonces of both sides.
    nonce: u64,
    /// The last test of each port.
    sent: [Option<Probe>; 4],
    /// The number of the peer's port at the other end of each link.
    places: [u8; 4],
    /// The ports of the peer that its messages say are heard.
    heard: u64,
}

/// An interval of 100 ms, a timeout of 10 ms, and a rise or fall by two rounds.
fn settings() -> Settings {
    Settings {
        misses: 2,
        hits: 2,
        ..Settings::default()
    }
}

const fn set(ports: u64) -> PortSet {
    PortSet::from_bits(ports)
}

impl<'a> Bench<'a> {
    fn new(links: &'a mut [Link], settings: Settings) -> Self {
        let mut health = Health::new(OWN);
        health.configure(settings);
        for (id, link) in PortId::all().zip(links) {
            health.add(id, link);
        }
        health.start(BEGIN);
        Self {
            health,
            now: BEGIN,
            view: View::default(),
            nonce: 0,
            sent: [None; 4],
            places: [0, 1, 2, 3],
            heard: 0,
        }
    }

    fn fresh(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce
    }

    fn test(&mut self, id: PortId) -> Option<Probe> {
        let nonce = self.fresh();
        self.health.test(id, nonce, self.now, &self.view)
    }

    fn receive(&mut self, id: PortId, probe: &Probe) -> Option<Probe> {
        self.health.receive(id, probe, self.now, &self.view)
    }

    /// A message that a peer sends to a port, knowing its last test.
    fn message(&mut self, kind: Kind, id: PortId, from: Identity) -> Probe {
        let known = self.sent.get(id.index()).copied().flatten();
        let nonce = self.fresh();
        Probe {
            kind,
            from,
            port: self.places.get(id.index()).copied().unwrap_or_default(),
            priority: 1,
            interval: 100_000,
            usable: true,
            in_use: false,
            held: false,
            sequence: match (kind, known) {
                (Kind::Reply, Some(test)) => test.sequence,
                _ => nonce as u32,
            },
            nonce,
            echo: known.map_or(0, |test| test.nonce),
            heard: self.heard,
            address: None,
            path: None,
            counted: None,
        }
    }

    /// One round from its start to the start of the next. A letter for each port says what becomes
    /// of its test:
    ///
    /// * `a` answered by the peer, `o` by another, `u` by the peer which finds the link not usable
    /// * `.` missed, `t` missed although a test of the peer is heard, `l` answered too late
    /// * `b` a goodbye instead of an answer
    /// * `-` there is no carrier
    ///
    /// Returns the ports that had a test.
    fn round(&mut self, line: &str) -> PortSet {
        let acts = || PortId::all().zip(line.chars());
        let carrier = acts()
            .filter(|(_, act)| *act != '-')
            .map(|(id, _)| id)
            .collect();
        let due = self.health.tick(self.now, carrier);
        for id in due.test.iter() {
            let probe = self.test(id);
            if let Some(sent) = self.sent.get_mut(id.index()) {
                *sent = probe;
            }
        }
        self.now += MS;
        for (id, act) in acts() {
            let (kind, from) = match act {
                'a' | 'u' => (Kind::Reply, PEER),
                'o' => (Kind::Reply, OTHER),
                'b' => (Kind::Bye, PEER),
                't' => (Kind::Test, PEER),
                _ => continue,
            };
            let mut probe = self.message(kind, id, from);
            probe.usable = act != 'u';
            if act == 't' {
                // It has not heard the last one, nor any other.
                probe.echo = 0;
            }
            self.receive(id, &probe);
        }
        self.now += 10 * MS;
        for (id, _) in acts().filter(|(_, act)| *act == 'l') {
            let probe = self.message(Kind::Reply, id, PEER);
            self.receive(id, &probe);
        }
        let next = self.health.tick(self.now, carrier).next;
        if next != u64::MAX {
            self.now = next;
        }
        due.test
    }

    /// As many rounds as there are words. The last one's end is a moment before the next begins.
    fn rounds(&mut self, lines: &str) {
        for line in lines.split(' ') {
            self.round(line);
        }
    }

    /// A letter for each of the first `N` ports: what there is against it.
    ///
    /// `-` nothing, `t` timeout, `r` and `x` it only receives or transmits, `s` silent peer,
    /// `m` mismatch, `h` held down, `p` the peer does not use it
    fn reasons<const N: usize>(&self) -> [char; N] {
        let mut letters = ['-'; N];
        for (id, letter) in PortId::all().zip(&mut letters) {
            *letter = match self.health.verdict(id).reason {
                Reason::None => '-',
                Reason::ProbeTimeout => 't',
                Reason::OneWayRx => 'r',
                Reason::OneWayTx => 'x',
                Reason::PeerSilent => 's',
                Reason::PeerMismatch => 'm',
                Reason::HeldDown => 'h',
                Reason::PeerSby => 'p',
                _ => '?',
            };
        }
        letters
    }

    fn verdict(&self, number: i8) -> Option<Verdict> {
        Some(self.health.verdict(id(number)?))
    }

    /// Are the peers of all these ports alive, and trunks?
    fn proves_all(&self, among: PortSet) -> bool {
        among
            .iter()
            .all(|id| self.health.verdict(id).proven.is_some())
    }

    fn set_priority(&mut self, id: PortId, priority: u16) {
        if let Some(link) = self.health.get_mut(id) {
            link.priority = priority;
        }
    }

    fn link(&self, number: i8) -> Option<&Link> {
        self.health.link(id(number)?)
    }

    fn counts(&self, number: i8) -> Counts {
        self.link(number)
            .map(|link| link.counts)
            .unwrap_or_default()
    }
}

fn links<const N: usize>() -> [Link; N] {
    ::core::array::from_fn(|_| Link::new(1))
}

/// A link as the rules of `misses` and `hits` put it, no more: what the exhaustive test compares
/// with.
#[derive(Clone, Copy)]
struct Model {
    required: bool,
    found: bool,
    alive: bool,
    misses: u8,
    hits: u8,
}

impl Model {
    fn step(&mut self, act: char, settings: &Settings) {
        match act {
            'a' => {
                self.hits += 1;
                self.misses = 0;
                let first = !self.required && !self.found;
                self.alive |= first || self.hits >= settings.hits;
                self.found = true;
            }
            '-' | 'b' => {
                self.alive = false;
                self.hits = 0;
                self.misses = 0;
                self.found &= act == '-';
            }
            _ => {
                self.misses += 1;
                self.hits = 0;
                self.alive &= self.misses < settings.misses;
            }
        }
    }

    fn is_fine(&self) -> bool {
        self.alive || !self.required && !self.found
    }
}

#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_health))]
mod rules {
    use super::*;

    /// All histories of one link: answered, missed, bye and no carrier in any order.
    #[test]
    fn all_short_histories_are_as_the_model_has_them() {
        const ACTS: [char; 4] = ['a', '.', 'b', '-'];
        // The kernel under test is a slow one.
        let length = if cfg!(test) { 8 } else { 4 };
        let histories = (0..length).fold(1u32, |count, _| count * ACTS.len() as u32);
        for (mode, misses, hits) in [ProbeMode::Auto, ProbeMode::Required]
            .into_iter()
            .flat_map(|mode| (1..=3).map(move |misses| (mode, misses)))
            .flat_map(|(mode, misses)| (1..=3).map(move |hits| (mode, misses, hits)))
        {
            let settings = Settings {
                mode,
                misses,
                hits,
                hold_down: 0,
                ..Settings::default()
            };
            for history in 0..histories {
                let mut links = links::<1>();
                let mut bench = Bench::new(&mut links, settings);
                let mut model = Model {
                    required: mode == ProbeMode::Required,
                    found: false,
                    alive: false,
                    misses: 0,
                    hits: 0,
                };
                let mut rest = history;
                let mut buffer = [0; 4];
                for _ in 0..length {
                    let act = ACTS.get((rest % 4) as usize).copied().unwrap_or('a');
                    rest /= 4;
                    bench.round(act.encode_utf8(&mut buffer));
                    model.step(act, &settings);
                    let fine = bench.reasons() == ['-'];
                    assert_eq!(fine, model.is_fine());
                    let probed = model.required || model.found;
                    assert_eq!(bench.link(0).map(Link::is_probed), Some(probed));
                }
            }
        }
    }

    #[test]
    fn rounds_keep_their_beat() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let health = &mut bench.health;
        let both = set(0b11);
        let after = |ms: u64| BEGIN + ms * MS;
        for (now, tests, next) in [
            // At once, then the deadline, then the next.
            (0, true, 10),
            (10, false, 100),
            (100, true, 110),
            // Somewhat late, for a deadline and for a round: a timeout has its full length.
            (115, false, 200),
            (207, true, 217),
            (217, false, 300),
            // Early does no harm.
            (250, false, 300),
            (299, false, 300),
            (300, true, 310),
            // So late that rounds were left out: one, and a beat from there.
            (733, true, 743),
            (743, false, 833),
            (833, true, 843),
        ] {
            let due = health.tick(after(now), both);
            let test = if tests { both } else { PortSet::EMPTY };
            assert_eq!((due.test, due.next), (test, after(next)));
        }
        // Those that were not sent were not missed.
        assert_eq!(bench.counts(0).rounds, 0);
        assert_eq!(bench.counts(0).missed, 0);
    }

    #[test]
    fn a_timeout_as_long_as_the_interval_has_its_full_length() {
        let mut links = links::<1>();
        let settings = Settings {
            interval: 10_000,
            reply_timeout: 10_000,
            misses: 1,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, settings);
        let one = set(1);
        let after = |ms: u64| BEGIN + ms * MS;
        let Some(port) = id(0) else { return };
        let mut tests = [None; 3];
        // The first round begins late; its replies count until 19 ms, well into the second.
        assert_eq!(bench.health.tick(BEGIN, PortSet::EMPTY).next, after(10));
        for (now, test, next) in [(19, 0, 20), (20, 1, 29)] {
            let due = bench.health.tick(after(now), one);
            assert_eq!((due.test, due.next), (one, after(next)));
            bench.now = after(now);
            let probe = bench.test(port);
            if let Some(room) = tests.get_mut(test) {
                *room = probe;
            }
        }
        for (now, test) in [(29, 0), (30, 1)] {
            bench.now = after(now);
            bench.sent = [tests.get(test).copied().flatten(), None, None, None];
            let reply = bench.message(Kind::Reply, port, PEER);
            bench.receive(port, &reply);
        }
        assert_eq!(bench.counts(0).replies_received, 2);
        assert_eq!(bench.health.tick(after(29), one).next, after(30));
        assert_eq!(bench.health.tick(after(30), one).test, one);
        assert_eq!(bench.counts(0).rounds, 2);
        assert_eq!(bench.counts(0).missed, 0);
    }

    #[test]
    fn a_reply_counts_for_its_own_round() {
        let mut links = links::<1>();
        let settings = Settings {
            interval: 10_000,
            reply_timeout: 10_000,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, settings);
        let one = set(1);
        let after = |ms: u64| BEGIN + ms * MS;
        let Some(port) = id(0) else { return };
        // The second round begins, and is answered, while the first is still open.
        bench.health.tick(BEGIN, PortSet::EMPTY);
        for now in [19, 20] {
            bench.now = after(now);
            assert_eq!(bench.health.tick(bench.now, one).test, one);
            bench.sent = [bench.test(port), None, None, None];
        }
        let reply = bench.message(Kind::Reply, port, PEER);
        bench.receive(port, &reply);
        for (now, rounds) in [(28, 0), (29, 1), (30, 2)] {
            bench.health.tick(after(now), one);
            let counts = bench.counts(0);
            assert_eq!((counts.rounds, counts.missed), (rounds, rounds.min(1)));
        }
    }

    #[test]
    fn what_was_missed_before_the_peer_was_found_does_not_count() {
        for misses in [1, 3] {
            let mut links = links::<1>();
            let settings = Settings {
                interval: 10_000,
                reply_timeout: 10_000,
                misses,
                ..settings()
            };
            let mut bench = Bench::new(&mut links, settings);
            let one = set(1);
            let Some(port) = id(0) else { return };
            // The last round that is missed begins late, so that the next, which is answered at
            // once, begins before it is over.
            for ms in [0, 10, 20, 30, 45, 50] {
                bench.now = BEGIN + ms * MS;
                assert_eq!(bench.health.tick(bench.now, one).test, one);
                bench.sent = [bench.test(port), None, None, None];
            }
            let reply = bench.message(Kind::Reply, port, PEER);
            bench.receive(port, &reply);
            assert_eq!(bench.health.news().found, one);
            bench.now = BEGIN + 55 * MS;
            bench.health.tick(bench.now, one);
            assert!(!bench.health.news().lost);
            assert_eq!(bench.health.verdict(port).reason, Reason::None);
        }
    }

    #[test]
    fn without_carrier_there_are_no_rounds() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.rounds("aa -a");
        bench.health.tick(bench.now, set(0b10));
        // Whoever sends one all the same does not make it one.
        bench.test(port);
        bench.now += 10 * MS;
        bench.health.tick(bench.now, set(0b10));
        assert_eq!(bench.counts(0).rounds, 1);
        // Nor does a round count in which carrier was lost.
        bench.now += 90 * MS;
        bench.health.tick(bench.now, set(0b11));
        bench.test(port);
        bench.health.tick(bench.now + MS, set(0b10));
        bench.health.tick(bench.now + 10 * MS, set(0b11));
        assert_eq!(bench.counts(0).rounds, 1);
    }

    #[test]
    fn the_interval_may_change_at_any_time() {
        let mut links = links::<1>();
        let long = Settings {
            interval: 60_000_000,
            reply_timeout: 60_000_000,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, long);
        assert_eq!(bench.round("."), set(1));
        bench.health.configure(settings());
        // Those 60 s are not waited for.
        bench.now = BEGIN + 2 * SECOND;
        let due = bench.health.tick(bench.now, set(1));
        assert_eq!(due.test, set(1));
        assert_eq!(due.next, bench.now + 10 * MS);
        // A timeout longer than the interval is cut.
        bench.health.configure(Settings {
            interval: 1_000,
            ..settings()
        });
        assert_eq!(bench.health.settings().reply_timeout, 1_000);
    }

    #[test]
    fn a_port_goes_by_carrier_until_its_peer_answers() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        bench.rounds(".. .. .. ..");
        assert_eq!(bench.reasons(), ['-', '-']);
        assert_eq!(bench.counts(0).missed, 4);
        assert_eq!(bench.link(0).map(Link::is_probed), Some(false));

        bench.round("a.");
        assert_eq!(bench.health.news().found, set(0b01));
        assert_eq!(bench.link(0).map(Link::is_probed), Some(true));
        assert_eq!(
            bench.verdict(0).map(|verdict| verdict.proven.is_some()),
            Some(true)
        );
        assert_eq!(
            bench.verdict(1).map(|verdict| verdict.proven.is_some()),
            Some(false)
        );
        assert!(bench.proves_all(set(0b01)));
        assert!(!bench.proves_all(set(0b11)));

        bench.round("..");
        assert_eq!(bench.reasons(), ['-', '-']);
        bench.round("..");
        assert_eq!(bench.reasons(), ['t', '-']);
        assert_eq!(
            bench.verdict(0).map(|verdict| verdict.proven.is_some()),
            Some(false)
        );
        bench.rounds("a.");
        assert_eq!(bench.reasons(), ['t', '-']);
        bench.rounds("a.");
        assert_eq!(bench.reasons(), ['-', '-']);
        assert!(bench.health.news() == News::default());
    }

    #[test]
    fn a_late_reply_is_a_sign_of_life() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        bench.round("l");
        assert_eq!(bench.health.news().found, set(1));
        assert_eq!(bench.link(0).map(Link::is_probed), Some(true));
        assert_eq!(bench.link(0).and_then(|link| link.late), Some(11 * MS));
        bench.rounds("l l l");
        assert_eq!(bench.reasons(), ['-']);
        let counts = bench.counts(0);
        assert_eq!((counts.replies_late, counts.replies_received), (4, 0));
        // Silence is another matter: it is borne for a round longer, since replies are late.
        bench.rounds(". .");
        assert_eq!(bench.reasons(), ['-']);
        bench.round(".");
        assert_eq!(bench.reasons(), ['t']);
        assert_eq!(bench.counts(0).missed, 7);
        // Nor does it need replies in time to be alive again.
        bench.rounds("l l");
        assert_eq!(bench.reasons(), ['-']);
    }

    #[test]
    fn lateness_is_a_state_of_a_link_that_is_alive() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        // The words of `round`; whether it is late then, and what is told.
        for (line, late, (begins, ends)) in [
            ("a a l", false, (0, 0)),
            ("a l", false, (0, 0)),
            ("l", true, (1, 0)),
            ("l l a l a", true, (0, 0)),
            ("a", false, (0, 1)),
            // Not of one that is dead, and at once of one that lives again.
            ("l l", true, (1, 0)),
            (". . .", false, (0, 0)),
            ("l", false, (0, 0)),
            ("l", true, (1, 0)),
        ] {
            bench.health.news();
            bench.rounds(line);
            assert_eq!(bench.link(0).map(Link::is_late), Some(late));
            let news = bench.health.news();
            assert_eq!((news.late, news.in_time), (set(begins), set(ends)));
        }
        assert_eq!(bench.counts(0).late, 3);
    }

    #[test]
    fn a_reply_to_a_test_from_before_the_death_undoes_it() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        for _ in 0..4 {
            (0..20).for_each(|_| bench.rounds("aa"));
            bench.rounds(".a .a");
            assert_eq!(bench.reasons(), ['t', '-']);
            let late = bench.message(Kind::Reply, port, PEER);
            bench.receive(port, &late);
            assert_eq!(bench.reasons(), ['-', '-']);
            bench.round("aa");
            // It was no failure, so it is never held down.
            assert_eq!(bench.reasons(), ['-', '-']);
        }
    }

    #[test]
    fn the_longer_replies_take_the_longer_silence_is_borne() {
        // By how many whole intervals replies are late.
        for delay in [0, 1, 2, 5, 20] {
            let mut links = links::<1>();
            let mut bench = Bench::new(&mut links, settings());
            let Some(port) = id(0) else { return };
            let mut sent = [None; 21];
            for _ in 0..80 {
                sent.rotate_right(1);
                bench.round(".");
                sent[0] = bench.sent[0];
                bench.sent[0] = sent[delay];
                if sent[delay].is_some() {
                    let late = bench.message(Kind::Reply, port, PEER);
                    bench.receive(port, &late);
                }
            }
            // The last one has come after the end of its round.
            for _ in 0..delay + 3 {
                bench.round(".");
                assert_eq!(bench.reasons(), ['-']);
            }
            bench.round(".");
            assert_eq!(bench.reasons(), ['t']);
        }
    }

    #[test]
    fn replies_that_wait_while_the_machine_stands_still_count() {
        for answered in [true, false] {
            let mut links = links::<1>();
            let settings = Settings {
                misses: 1,
                ..settings()
            };
            let mut bench = Bench::new(&mut links, settings);
            let Some(port) = id(0) else { return };
            bench.rounds("a a");
            let due = bench.health.tick(bench.now, set(1));
            assert_eq!(due.test, set(1));
            bench.sent = [bench.test(port), None, None, None];
            // The timer should have come after 10 ms, and the reply lies behind it.
            bench.now += 250 * MS;
            let due = bench.health.tick(bench.now, set(1));
            assert_eq!(due.next, bench.now + 10 * MS);
            assert_eq!(bench.reasons(), ['-']);
            if answered {
                let reply = bench.message(Kind::Reply, port, PEER);
                bench.receive(port, &reply);
            }
            // It waits once for a round, however late the timer is.
            bench.now = due.next + 50 * MS;
            bench.health.tick(bench.now, set(1));
            assert_eq!(bench.reasons(), [if answered { '-' } else { 't' }]);
        }
    }

    #[test]
    fn a_silent_peer_is_no_failure_of_the_links() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        for _ in 0..4 {
            bench.rounds("aa aa .. ..");
            assert_eq!(bench.reasons(), ['s', 's']);
            bench.rounds("aa aa");
            assert_eq!(bench.reasons(), ['-', '-']);
        }
    }

    #[test]
    fn carrier_that_is_lost_again_and_again_is_held_down_without_a_peer() {
        for mode in [ProbeMode::Auto, ProbeMode::Off] {
            let mut links = links::<2>();
            let mut bench = Bench::new(&mut links, Settings { mode, ..settings() });
            let Some(port) = id(0) else { return };
            let blink = |bench: &mut Bench<'_>, down| {
                bench.health.note_carrier(bench.now, set(2), down);
                bench.now += MS;
                bench.health.note_carrier(bench.now, set(3), PortSet::EMPTY);
                bench.health.tick(bench.now, set(3));
            };
            bench.health.tick(bench.now, set(3));
            blink(&mut bench, set(0));
            assert_eq!(bench.reasons(), ['-', '-']);
            // Whoever brings the device down knows what he does.
            blink(&mut bench, set(1));
            assert_eq!(bench.reasons(), ['-', '-']);
            for seconds in [1, 2, 4] {
                blink(&mut bench, set(0));
                bench.now += seconds * 1_000 * MS - 2 * MS;
                bench.health.tick(bench.now, set(3));
                assert_eq!(bench.health.verdict(port).reason, Reason::HeldDown);
                bench.now += MS;
                bench.health.tick(bench.now, set(3));
                assert_eq!(bench.reasons(), ['-', '-']);
            }
        }
    }

    #[test]
    fn required_means_from_the_start() {
        let mut links = links::<1>();
        let mode = ProbeMode::Required;
        let mut bench = Bench::new(&mut links, Settings { mode, ..settings() });
        assert_eq!(bench.reasons(), ['t']);
        bench.round("a");
        assert_eq!(bench.reasons(), ['t']);
        assert_eq!(bench.health.news().found, set(1));
        bench.round("a");
        assert_eq!(bench.reasons(), ['-']);
        // Whoever leaves leaves it unused.
        bench.round("b");
        assert_eq!(bench.reasons(), ['t']);
        assert_eq!(bench.health.news().bye, set(1));
        assert_eq!(bench.link(0).and_then(|link| link.peer), None);
        bench.rounds("a a");
        assert_eq!(bench.reasons(), ['-']);
        assert_eq!(bench.health.news().found, set(1));
    }

    #[test]
    fn off_and_stopped_mean_nothing_at_all() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.rounds("a . .");
        assert_eq!(bench.reasons(), ['t']);
        let test = bench.message(Kind::Test, port, PEER);
        assert!(bench.receive(port, &test).is_some());
        let counts = bench.counts(0);
        for off in [false, true] {
            if off {
                let mode = ProbeMode::Off;
                bench.health.configure(Settings { mode, ..settings() });
            } else {
                bench.health.stop();
            }
            assert_eq!(bench.health.is_running(), off);
            let due = bench.health.tick(bench.now, set(1));
            assert_eq!((due.test, due.next), (PortSet::EMPTY, u64::MAX));
            assert_eq!(bench.test(port), None);
            assert_eq!(bench.receive(port, &test), None);
            assert_eq!(bench.reasons(), ['-']);
            assert_eq!(bench.health.bye(port, 1, &View::default()), None);
            assert_eq!(bench.link(0).and_then(|link| link.peer), None);
            assert_eq!(bench.counts(0), counts);
            bench.health.start(bench.now);
        }
        // Nothing that was known before is known now.
        bench.health.configure(settings());
        bench.rounds(". . .");
        assert_eq!(bench.reasons(), ['-']);
        assert_eq!(bench.counts(0).rounds, counts.rounds + 3);
    }

    #[test]
    fn nothing_counts_but_an_echo_of_the_last_tests() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let (Some(port), Some(second)) = (id(0), id(1)) else {
            return;
        };
        bench.rounds("aa ..");
        let refused = bench.counts(0).refused;
        let peer = bench.link(0).and_then(|link| link.peer);
        let mut mine = bench.message(Kind::Reply, port, OTHER);
        mine.usable = false;
        let echo = mine.echo;
        let foreign = bench.message(Kind::Reply, second, PEER).echo;
        // A guess, none, that of another port, one that is long forgotten.
        for kind in [Kind::Reply, Kind::Bye, Kind::Test] {
            for wrong in [echo.wrapping_add(1_000), 0, foreign] {
                let reply = bench.receive(
                    port,
                    &Probe {
                        kind,
                        echo: wrong,
                        ..mine
                    },
                );
                assert_eq!(reply.is_some(), kind == Kind::Test);
            }
        }
        // The right nonce with the number of another test.
        let sequence = mine.sequence.wrapping_sub(1);
        bench.receive(port, &Probe { sequence, ..mine });
        assert_eq!(bench.counts(0).refused, refused + 7);
        assert_eq!(bench.counts(0).replies_received, 1);
        assert_eq!(bench.link(0).and_then(|link| link.peer), peer);
        assert!(bench.health.news().bye.is_empty());

        // 32 tests later it is none any more.
        (0..8).for_each(|_| bench.rounds("aa aa aa aa"));
        let received = bench.counts(0).replies_received;
        bench.receive(port, &mine);
        assert_eq!(bench.counts(0).refused, refused + 8);
        assert_eq!(bench.counts(0).replies_received, received);
    }

    #[test]
    fn each_test_is_answered_once() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        for (line, counts) in [("a", (1, 0)), ("l", (1, 1))] {
            bench.round(line);
            let refused = bench.counts(0).refused;
            let again = bench.message(Kind::Reply, port, PEER);
            bench.receive(port, &again);
            let Counts {
                replies_received,
                replies_late,
                ..
            } = bench.counts(0);
            assert_eq!((replies_received, replies_late), counts);
            assert_eq!(bench.counts(0).refused, refused + 1);
        }
    }

    #[test]
    fn a_message_that_was_overtaken_tells_nothing_new() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.round("a");
        let old = bench.message(Kind::Test, port, PEER);
        bench.round("a");
        let usable = |bench: &Bench<'_>| bench.link(0).and_then(|link| link.peer).map(|p| p.usable);
        let mut new = bench.message(Kind::Test, port, PEER);
        new.usable = false;
        bench.receive(port, &new);
        assert_eq!(usable(&bench), Some(false));
        // Older by what it echoes, older by its number, and the same once more.
        let sequence = new.sequence.wrapping_sub(1);
        let usable_again = Probe {
            usable: true,
            ..new
        };
        for stale in [
            old,
            Probe {
                sequence,
                ..usable_again
            },
            usable_again,
        ] {
            assert!(bench.receive(port, &stale).is_some());
            assert_eq!(usable(&bench), Some(false));
        }
        // Replies likewise: the one to an earlier test comes after that to a later.
        bench.health.tick(bench.now, set(1));
        bench.sent = [bench.test(port), None, None, None];
        let mut stale = bench.message(Kind::Reply, port, PEER);
        stale.usable = false;
        bench.sent = [bench.test(port), None, None, None];
        let reply = bench.message(Kind::Reply, port, PEER);
        bench.receive(port, &reply);
        bench.receive(port, &stale);
        assert_eq!(usable(&bench), Some(true));
        assert_eq!(bench.counts(0).replies_received, 4);
    }

    #[test]
    fn a_goodbye_stays_one() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.round("a");
        bench.health.news();
        bench.health.tick(bench.now, set(1));
        bench.sent = [bench.test(port), None, None, None];
        let bye = bench.message(Kind::Bye, port, PEER);
        let reply = bench.message(Kind::Reply, port, PEER);
        bench.receive(port, &bye);
        assert_eq!(bench.health.news().bye, set(1));
        assert_eq!(bench.link(0).map(Link::is_probed), Some(false));
        // Its last reply, overtaken by it, and the same once more.
        bench.receive(port, &reply);
        bench.receive(port, &bye);
        assert!(bench.health.news() == News::default());
        assert_eq!(bench.counts(0).replies_received, 2);
        assert_eq!(bench.counts(0).refused, 1);
        bench.now += 10 * MS;
        bench.now = bench.health.tick(bench.now, set(1)).next;
        bench.rounds(". . .");
        assert_eq!(bench.reasons(), ['-']);
        bench.round("a");
        assert_eq!(bench.health.news().found, set(1));
    }

    #[test]
    fn who_leaves_says_so_to_those_it_knows() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let (Some(port), Some(second)) = (id(0), id(1)) else {
            return;
        };
        bench.view.in_use = set(1);
        bench.rounds("a. a.");
        let last = bench.message(Kind::Test, port, PEER);
        bench.receive(port, &last);
        let bye = bench.health.bye(port, 99, &bench.view);
        let said = bye.map(|bye| (bye.kind, bye.nonce, bye.echo, bye.sequence, bye.in_use));
        assert_eq!(said, Some((Kind::Bye, 99, last.nonce, 3, true)));
        assert_eq!(bench.health.bye(second, 99, &bench.view), None);
        // Nothing more is said there, until the next start.
        let test = bench.message(Kind::Test, port, PEER);
        assert_eq!(bench.receive(port, &test), None);
        assert_eq!(bench.test(port), None);
        assert!(bench.health.tick(bench.now, set(0b11)).test.is_empty());
        bench.health.stop();
        bench.health.start(bench.now);
        assert_eq!(bench.round("aa"), set(0b11));
        assert_eq!(bench.sent[0].map(|test| test.sequence), Some(4));
    }

    #[test]
    fn one_direction_is_named() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        // The peer hears both.
        bench.heard = 0b11;
        bench.rounds("aa aa");
        // Then not the first any more; but is heard on it.
        bench.heard = 0b10;
        bench.rounds("ta ta");
        assert_eq!(bench.reasons(), ['r', '-']);
        // It hears and is heard: tests are lost now and then.
        bench.heard = 0b11;
        bench.rounds("ta ta");
        assert_eq!(bench.reasons(), ['t', '-']);
        // It still hears the first, but is not heard: told by what it says on the second.
        bench.rounds(".a .a");
        assert_eq!(bench.reasons(), ['x', '-']);
        // Neither way.
        bench.heard = 0b10;
        bench.rounds(".a .a");
        assert_eq!(bench.reasons(), ['t', '-']);
        // What nobody says any more is not known any more.
        bench.heard = 0b11;
        bench.rounds(".a");
        assert_eq!(bench.reasons(), ['x', '-']);
        bench.rounds(".. ..");
        assert_eq!(bench.reasons(), ['t', 't']);
    }

    #[test]
    fn what_was_heard_before_the_failure_names_nothing() {
        let mut links = links::<2>();
        let settings = Settings {
            misses: 1,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, settings);
        let Some(port) = id(0) else { return };
        bench.heard = 0b11;
        bench.rounds("aa aa");
        bench.now -= 50 * MS;
        let test = bench.message(Kind::Test, port, PEER);
        bench.receive(port, &test);
        bench.now += 50 * MS;
        // Both ways at once; the peer does not know of it yet.
        bench.rounds(".a .a");
        assert_eq!(bench.reasons(), ['t', '-']);
        // A whole window after the first that was lost, it should.
        bench.rounds(".a");
        assert_eq!(bench.reasons(), ['x', '-']);
    }

    #[test]
    fn a_peer_that_dies_is_silent() {
        let mut links = links::<3>();
        let mut bench = Bench::new(&mut links, settings());
        bench.rounds("aa. aa.");
        // It died in the middle of a round.
        bench.round("a..");
        assert!(!bench.health.news().lost);
        bench.rounds("...");
        assert_eq!(bench.reasons(), ['-', 't', '-']);
        bench.rounds("...");
        assert_eq!(bench.reasons(), ['s', 's', '-']);
        assert!(bench.health.news().lost);
        bench.rounds("... ...");
        assert_eq!(bench.reasons(), ['s', 's', '-']);
        assert!(!bench.health.news().lost);
        // A link that is alive again, or without carrier, is not silent.
        bench.rounds("a-.");
        assert_eq!(bench.reasons(), ['s', 't', '-']);
        bench.rounds("a..");
        assert_eq!(bench.reasons(), ['-', 't', '-']);
        bench.rounds("... ...");
        assert_eq!(bench.reasons(), ['t', 't', '-']);
        assert!(!bench.health.news().lost);
    }

    #[test]
    fn no_link_is_silent_once_another_is_alive_again() {
        let mut links = links::<3>();
        let mut bench = Bench::new(&mut links, settings());
        bench.rounds("aaa aaa ... ...");
        assert_eq!(bench.reasons(), ['s', 's', 's']);
        bench.rounds("aa. aa.");
        assert_eq!(bench.reasons(), ['-', '-', 't']);
        assert!(bench.health.news().lost);
        // Nor does it become so as it goes on alone.
        bench.rounds("aa. aa.");
        assert_eq!(bench.reasons(), ['-', '-', 't']);
        assert!(!bench.health.news().lost);
    }

    #[test]
    fn silence_is_all_at_once_and_complete() {
        let mut links = links::<3>();
        let mut bench = Bench::new(&mut links, settings());
        // One after the other.
        bench.rounds("aa a. a. a. .. ..");
        assert_eq!(bench.reasons(), ['t', 't']);
        assert!(!bench.health.news().lost);
        // One is left.
        bench.rounds("aaa aaa .a. .a.");
        assert_eq!(bench.reasons(), ['t', '-', 't']);
        // The others have no carrier.
        bench.rounds("aaa aaa --. --.");
        assert_eq!(bench.reasons(), ['t', 't', 't']);
        // It is still heard.
        bench.rounds("aaa aaa aaa ttt ttt");
        assert_eq!(bench.reasons(), ['r', 'r', 'r']);
        assert!(!bench.health.news().lost);
    }

    #[test]
    fn whoever_fails_again_and_again_is_held_down() {
        let mut links = links::<1>();
        let settings = Settings {
            misses: 1,
            hits: 1,
            hold_down: 3_000,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, settings);
        bench.round("a");
        // Seconds from the fall: none for the first, then as many as the limit allows.
        for held in [0, 1, 2, 3, 3] {
            bench.round(".");
            let fell = bench.now - 90 * MS;
            bench.round("a");
            assert_eq!(bench.reasons(), [if held > 0 { 'h' } else { '-' }]);
            assert_eq!(
                bench.verdict(0).map(|verdict| verdict.proven.is_some()),
                Some(true)
            );
            while bench.reasons() == ['h'] {
                bench.round("a");
            }
            if held > 0 {
                let took = bench.now - fell;
                assert!((held * SECOND..held * SECOND + 200 * MS).contains(&took));
            }
        }
        // Loss of carrier is a fall as well.
        bench.rounds("- a");
        assert_eq!(bench.reasons(), ['h']);
        // After a quiet minute all is forgiven.
        while bench.now < BEGIN + 100 * SECOND {
            bench.round("a");
        }
        bench.rounds(". a");
        assert_eq!(bench.reasons(), ['-']);
    }

    #[test]
    fn holding_down_can_be_off_and_has_no_end_of_doublings() {
        let mut links = links::<1>();
        let settings = Settings {
            misses: 1,
            hits: 1,
            hold_down: 0,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, settings);
        for _ in 0..300 {
            bench.rounds("a .");
        }
        bench.round("a");
        assert_eq!(bench.reasons(), ['-']);
        let hold_down = u32::MAX;
        bench.health.configure(Settings {
            hold_down,
            ..settings
        });
        bench.rounds(". a");
        assert_eq!(bench.reasons(), ['h']);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_not_used() {
        let mut links = links::<3>();
        let mut bench = Bench::new(&mut links, settings());
        // Most links lead to the peer.
        bench.round("oaa");
        assert_eq!(bench.reasons(), ['m', '-', '-']);
        assert!(!bench.proves_all(set(0b001)));
        assert!(bench.proves_all(set(0b110)));
        // That stays, if most lead elsewhere later; unless it is the peer that has become another
        // and the rest are yet to find out.
        bench.rounds("ooa ooa");
        assert_eq!(bench.reasons(), ['m', '-', '-']);
        bench.rounds("ooa ooa");
        assert_eq!(bench.reasons(), ['m', 'm', '-']);
        // Until no link of the peer is alive any more.
        bench.rounds("oo. oo.");
        assert_eq!(bench.reasons(), ['-', '-', 't']);
        // The cable is plugged in where it belongs.
        bench.rounds("--- aaa aaa");
        assert_eq!(bench.reasons(), ['-', '-', '-']);
        // Carrier loss forgets who was there.
        bench.rounds("-aa oaa oaa");
        assert_eq!(bench.reasons(), ['m', '-', '-']);
        bench.round("-aa");
        assert_eq!(bench.reasons(), ['t', '-', '-']);
    }

    #[test]
    fn of_as_many_links_the_best_one_decides() {
        for (priorities, reasons) in [
            ([1, 1], ['-', 'm']),
            ([2, 1], ['m', '-']),
            ([1, 2], ['-', 'm']),
        ] {
            let mut links = links::<2>();
            let mut bench = Bench::new(&mut links, settings());
            for (id, priority) in PortId::all().zip(priorities) {
                bench.set_priority(id, priority);
            }
            bench.round("oa");
            assert_eq!(bench.reasons(), reasons);
        }
    }

    #[test]
    fn a_peer_that_comes_back_as_another_is_no_mismatch() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        bench.rounds("aa aa ..");
        bench.rounds("oo");
        assert_eq!(bench.reasons(), ['-', '-']);
        let peer = bench
            .link(1)
            .and_then(|link| link.peer)
            .map(|peer| peer.identity);
        assert_eq!(peer, Some(OTHER));
    }

    #[test]
    fn links_may_lead_to_several() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        bench.round("ao");
        assert_eq!(bench.reasons(), ['-', 'm']);
        let peers = Peers::Several;
        bench.health.configure(Settings {
            peers,
            ..settings()
        });
        bench.round("ao");
        assert_eq!(bench.reasons(), ['-', '-']);
    }

    #[test]
    fn a_loop_is_a_mismatch_for_as_long_as_it_lasts() {
        let mut links = links::<3>();
        let peers = Peers::Several;
        let mut bench = Bench::new(
            &mut links,
            Settings {
                peers,
                ..settings()
            },
        );
        let (Some(one), Some(other)) = (id(0), id(1)) else {
            return;
        };
        // A cable from port 0 to port 1.
        bench.rounds("--a");
        for _ in 0..3 {
            bench.round("..a");
            let [Some(first), Some(second), ..] = bench.sent else {
                return;
            };
            assert_eq!(bench.receive(one, &second), None);
            assert_eq!(bench.receive(other, &first), None);
            assert_eq!(bench.reasons(), ['m', 'm', '-']);
        }
        // What counts is rounds, not time.
        bench.now += 1_000 * MS;
        bench.rounds("..a ..a ..a");
        assert_eq!(bench.reasons(), ['m', 'm', '-']);
        bench.rounds("..a");
        assert_eq!(bench.reasons(), ['-', '-', '-']);

        // Whoever only claims to be this trunk is answered, and no more.
        let mut forged = bench.message(Kind::Test, one, OWN);
        forged.echo = 0;
        assert!(bench.receive(one, &forged).is_some());
        assert_eq!(bench.reasons(), ['-', '-', '-']);
        // One that truly has the same identity is not used.
        let reply = bench.message(Kind::Reply, one, OWN);
        bench.receive(one, &reply);
        assert_eq!(bench.reasons(), ['m', '-', '-']);
        assert_eq!(bench.link(0).map(Link::is_probed), Some(false));
    }

    #[test]
    fn a_segment_that_several_ports_share_is_no_wrong_cable_if_it_is_all_there_is() {
        let mut links = links::<3>();
        let mut bench = Bench::new(&mut links, settings());
        let (Some(one), Some(other)) = (id(0), id(1)) else {
            return;
        };
        let shared = |bench: &Bench<'_>| {
            let shared = [0, 1, 2].map(|n| bench.verdict(n).is_some_and(|it| it.shared));
            (bench.reasons(), shared)
        };
        // Both go on by carrier, whoever answers besides.
        for line in ["..-", "a.-", "a.-", "..-", "..-", "..-", "..-"] {
            bench.round(line);
            let [Some(first), ..] = bench.sent else {
                return;
            };
            assert_eq!(bench.receive(other, &first), None);
        }
        assert_eq!(shared(&bench), (['-', '-', '-'], [true, true, false]));
        assert_eq!(bench.verdict(0).map(|it| it.proven), Some(None));
        // Own frames do not come any more: the one that was answered before is dead.
        bench.rounds("..- ..- ..- ..-");
        assert_eq!(shared(&bench), (['t', '-', '-'], [false; 3]));
        // A link to a trunk comes, and beside it they are wrong cables. When it goes, they are not.
        for (line, reasons) in [("..a", ['m', 'm', '-']), ("..-", ['-', '-', 't'])] {
            bench.round(line);
            let [Some(first), Some(second), ..] = bench.sent else {
                return;
            };
            bench.receive(one, &second);
            bench.receive(other, &first);
            bench.round(line);
            assert_eq!(bench.reasons(), reasons);
        }
    }

    #[test]
    fn two_ports_that_answer_one_test_are_at_a_switch() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(one) = id(0) else { return };
        let shared = |bench: &Bench<'_>| bench.verdict(0).map(|it| it.shared);
        for (ms, late) in [(0, false), (20, true)] {
            bench.rounds("-- aa");
            let test = bench.test(one);
            if let Some(sent) = bench.sent.first_mut() {
                *sent = test;
            }
            let first = bench.message(Kind::Reply, one, PEER);
            bench.receive(one, &first);
            bench.receive(one, &first);
            assert_eq!(shared(&bench), Some(false));
            // What comes too late may be of another time.
            bench.now += ms * MS;
            bench.receive(one, &Probe { port: 9, ..first });
            assert_eq!(shared(&bench), Some(!late));
            bench.rounds("aa aa aa aa aa");
            assert_eq!(shared(&bench), Some(false));
        }
    }

    #[test]
    fn two_links_to_one_port_lead_to_a_switch() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let shared =
            |bench: &Bench<'_>| [0, 1].map(|n| bench.verdict(n).is_some_and(|it| it.shared));
        bench.rounds("aa");
        assert_eq!(shared(&bench), [false; 2]);
        bench.places = [5; 4];
        bench.rounds("aa aa");
        assert_eq!((shared(&bench), bench.reasons()), ([true; 2], ['-'; 2]));
        // A link that does not answer may have had its cable moved to the other.
        bench.places = [5, 6, 7, 8];
        bench.rounds("aa aa aa aa aa");
        bench.places = [6, 6, 7, 8];
        bench.rounds("a. a. a. a.");
        assert_eq!((shared(&bench), bench.reasons()), ([false; 2], ['-', 't']));
    }

    #[test]
    fn reasons_have_an_order() {
        let mut links = links::<2>();
        let settings = Settings {
            misses: 1,
            hits: 1,
            ..settings()
        };
        let mut bench = Bench::new(&mut links, settings);
        bench.rounds("ua");
        assert_eq!(bench.reasons(), ['p', '-']);
        assert_eq!(
            bench.verdict(0).map(|verdict| verdict.proven.is_some()),
            Some(true)
        );
        bench.rounds(".a ua .a ua");
        assert_eq!(bench.reasons(), ['h', '-']);
        bench.rounds(".a");
        assert_eq!(bench.reasons(), ['t', '-']);
        bench.rounds("oa oa");
        assert_eq!(bench.reasons(), ['m', '-']);
        // Nobody knows whom a dead link leads to.
        bench.rounds(".a");
        assert_eq!(bench.reasons(), ['t', '-']);
    }

    #[test]
    fn the_peers_view_is_known() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.round("a");
        let mut probe = bench.message(Kind::Test, port, PEER);
        probe.held = true;
        probe.in_use = true;
        probe.port = 5;
        probe.priority = 3;
        probe.interval = 7;
        probe.address = Some([2, 0, 0, 0, 0, 9]);
        bench.receive(port, &probe);
        let known = bench.link(0).and_then(|link| link.peer);
        assert_eq!(
            known,
            Some(Peer {
                identity: PEER,
                port: 5,
                priority: 3,
                usable: true,
                in_use: true,
                held: true,
                interval: 7,
                address: Some([2, 0, 0, 0, 0, 9]),
                heard: bench.now,
            })
        );
        assert_eq!(bench.verdict(0).map(|verdict| verdict.held), Some(true));
        // What a dead link's peer holds is not known.
        bench.rounds(". .");
        assert_eq!(bench.verdict(0).map(|verdict| verdict.held), Some(false));
        assert!(bench.link(0).and_then(|link| link.peer).is_some());
        bench.round("-");
        assert_eq!(bench.link(0).and_then(|link| link.peer), None);
    }

    #[test]
    fn the_peer_is_told() {
        let mut links = links::<3>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(1) else { return };
        bench.view = View {
            usable: set(0b010),
            in_use: set(0b100),
            held: set(0b110),
            address: Some([2, 0, 0, 0, 0, 7]),
        };
        bench.set_priority(port, 9);
        bench.rounds("aaa aaa");
        let test = bench.message(Kind::Test, port, PEER);
        let said = |probe: Probe| {
            let Probe {
                kind,
                from,
                port,
                priority,
                interval,
                usable,
                in_use,
                held,
                address,
                ..
            } = probe;
            assert_eq!((from, port, priority, interval), (OWN, 1, 9, 100_000));
            assert_eq!((usable, in_use, held), (true, false, true));
            assert_eq!(address, Some([2, 0, 0, 0, 0, 7]));
            (kind, probe.sequence, probe.echo)
        };
        let reply = bench.receive(port, &test);
        assert_eq!(
            reply.map(said),
            Some((Kind::Reply, test.sequence, test.nonce))
        );
        // The nonce of its own last test, and the echo of what was heard last.
        assert_eq!(
            reply.map(|reply| reply.nonce),
            bench.sent[1].map(|sent| sent.nonce)
        );
        let own = bench.test(port);
        assert_eq!(own.map(said), Some((Kind::Test, 3, test.nonce)));
        assert_eq!(own.map(|own| own.nonce), Some(bench.nonce));
        // A peer that has sent no test has no nonce to be echoed.
        bench.sent = [None, own, None, None];
        let mut silent = bench.message(Kind::Reply, port, PEER);
        silent.nonce = 0;
        bench.receive(port, &silent);
        assert_eq!(bench.test(port).map(|own| own.echo), Some(test.nonce));
        // A forged test is answered, but not echoed.
        let forged = Probe {
            echo: 12345,
            ..bench.message(Kind::Test, port, OTHER)
        };
        assert!(bench.receive(port, &forged).is_some());
        assert_eq!(bench.test(port).map(|own| own.echo), Some(test.nonce));
    }

    #[test]
    fn the_peer_is_told_what_is_heard() {
        let mut links = links::<3>();
        let peers = Peers::Several;
        let mut bench = Bench::new(
            &mut links,
            Settings {
                peers,
                ..settings()
            },
        );
        let ports = [id(0), id(1), id(2)];
        // Just before the next round.
        let heard = |bench: &mut Bench<'_>| {
            bench.health.tick(bench.now - MS, set(0b111));
            ports.map(|port| bench.test(port?).map(|test| test.heard))
        };
        bench.round("...");
        assert_eq!(heard(&mut bench), [Some(0); 3]);
        // Ports 0 and 1 lead to one trunk, port 2 to another.
        bench.rounds("aao");
        assert_eq!(heard(&mut bench), [Some(0b011), Some(0b011), Some(0b100)]);
        // Not heard for longer than 1.5 intervals and the timeout.
        bench.rounds("a.o");
        assert_eq!(heard(&mut bench), [Some(0b001), Some(0b001), Some(0b100)]);
        // Any message will do, at once, though it is not to be trusted.
        if let Some(port) = id(1) {
            let mut test = bench.message(Kind::Test, port, PEER);
            test.echo = 0;
            bench.receive(port, &test);
            assert_eq!(bench.test(port).map(|test| test.heard), Some(0b011));
        }
        // The other end counts by its own numbers.
        if let Some(port) = id(0) {
            let mut test = bench.message(Kind::Test, port, PEER);
            test.port = 63;
            bench.receive(port, &test);
            let bits = Some((1 << 63) | 0b010);
            assert_eq!(bench.test(port).map(|test| test.heard), bits);
        }
        // What comes from another trunk is nothing to this one.
        if let (Some(port), Some(other)) = (id(0), id(2)) {
            bench.sent = [None, None, bench.test(other), None];
            bench.test(port);
            let reply = bench.message(Kind::Reply, other, OTHER);
            bench.receive(other, &reply);
            let bits = Some((1 << 63) | 0b010);
            assert_eq!(bench.test(port).map(|test| test.heard), bits);
            assert_eq!(bench.test(other).map(|test| test.heard), Some(0b100));
            // For 1.5 intervals and the timeout, to the ns.
            for (after, heard) in [(0, 0b100), (160 * MS, 0b100), (160 * MS + 1, 0)] {
                let now = bench.now + after;
                let test = bench.health.test(other, now, now, &bench.view);
                assert_eq!(test.map(|test| test.heard), Some(heard));
            }
        }
    }

    #[test]
    fn differing_priorities_are_told_once() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.round("a");
        assert!(bench.health.news().differs.is_empty());
        for (priority, told) in [(2, true), (2, false), (3, false), (1, false), (2, true)] {
            bench.set_priority(port, priority);
            bench.round("a");
            assert_eq!(!bench.health.news().differs.is_empty(), told);
        }
    }

    #[test]
    fn replies_have_a_limit() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.round("a");
        let mut flood = bench.message(Kind::Test, port, PEER);
        flood.echo = 0;
        let answer = |bench: &mut Bench<'_>| bench.receive(port, &flood).is_some();
        let burst = (0..100).filter(|_| answer(&mut bench)).count();
        assert_eq!(burst, 32);
        assert_eq!(bench.counts(0).limited, 68);
        // 2,000 a second.
        let mut answered = 0;
        for _ in 0..10_000 {
            bench.now += 100 * US;
            answered += u32::from(answer(&mut bench));
        }
        assert_eq!(answered, 2_000);
        // A peer that can be trusted is answered all the same.
        bench.sent = [bench.test(port), None, None, None];
        let test = bench.message(Kind::Test, port, PEER);
        assert!(bench.receive(port, &test).is_some());
        assert!(!answer(&mut bench));
        let counts = bench.counts(0);
        assert_eq!(counts.tests_received, 10_102);
        assert_eq!(counts.replies_sent + counts.limited, 10_102);
    }

    #[test]
    fn both_ends_have_one_order() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        assert_eq!(bench.health.rank(port), 0);
        for (system, rank) in [(6, 9), (7, 0), (8, 0)] {
            bench.round("a");
            let mut test = bench.message(Kind::Test, port, Identity { system, trunk: 5 });
            test.port = 9;
            bench.receive(port, &test);
            assert_eq!(bench.health.rank(port), rank);
        }
    }

    #[test]
    fn tests_beside_the_rounds_count_for_who_asked() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        bench.round("a");
        bench.now -= 50 * MS;
        let since = bench.now;
        assert!(bench.health.answered_since(port, BEGIN));
        assert!(!bench.health.answered_since(port, since));
        bench.sent = [bench.test(port), None, None, None];
        bench.now += MS;
        let reply = bench.message(Kind::Reply, port, PEER);
        bench.receive(port, &reply);
        assert!(bench.health.answered_since(port, since));
        assert!(!bench.health.answered_since(port, bench.now));
        // For a round only if sent in one.
        let counts = bench.counts(0);
        assert_eq!((counts.tests_sent, counts.rounds), (2, 1));
        bench.now = BEGIN + 100 * MS;
        bench.round(".");
        assert_eq!(bench.counts(0).missed, 1);
        bench.health.tick(bench.now, set(1));
        bench.test(port);
        bench.now += MS;
        bench.sent = [bench.test(port), None, None, None];
        let reply = bench.message(Kind::Reply, port, PEER);
        bench.receive(port, &reply);
        bench.health.tick(bench.now + 10 * MS, set(1));
        let counts = bench.counts(0);
        assert_eq!((counts.rounds, counts.missed), (3, 1));
    }

    #[test]
    fn round_trips_are_measured() {
        let mut links = links::<1>();
        let mut bench = Bench::new(&mut links, settings());
        let Some(port) = id(0) else { return };
        for (took, min, avg, deviation) in [
            (800, 800, 800, 0),
            (1600, 800, 900, 200),
            (100, 100, 800, 350),
        ] {
            bench.health.tick(bench.now, set(1));
            bench.sent = [bench.test(port), None, None, None];
            bench.now += took;
            let reply = bench.message(Kind::Reply, port, PEER);
            bench.receive(port, &reply);
            let last = took;
            let round_trip = bench.link(0).and_then(|link| link.round_trip);
            let got = round_trip.map(|it| (it.last, it.min, it.avg, it.deviation));
            assert_eq!(got, Some((last, min, avg, deviation)));
            let good = bench.link(0).and_then(|link| link.good);
            assert_eq!(good, Some(bench.now));
        }
    }

    #[test]
    fn links_come_and_go() {
        let mut links = links::<2>();
        let mut bench = Bench::new(&mut links, settings());
        let (Some(port), Some(none)) = (id(1), id(5)) else {
            return;
        };
        bench.rounds("aa aa");
        let link = bench.health.remove(port);
        assert_eq!(bench.round("aa"), set(0b01));
        assert!(bench.link(1).is_none());
        assert_eq!(bench.health.verdict(port).reason, Reason::None);
        if let Some(link) = link {
            *link = Link::new(1);
            bench.health.add(port, link);
        }
        assert_eq!(bench.round("aa"), set(0b11));
        assert_eq!(bench.health.news().found, set(0b11));

        // A port that there is not.
        let test = bench.message(Kind::Test, none, PEER);
        assert_eq!(bench.receive(none, &test), None);
        assert_eq!(bench.test(none), None);
        assert_eq!(bench.health.bye(none, 1, &bench.view), None);
        assert!(bench.health.remove(none).is_none());
        bench.health.refused(none);
        bench.health.unknown(none, 1);
        bench.health.refused(port);
        bench.health.unknown(port, 3);
        let counts = bench.counts(1);
        assert_eq!((counts.refused, counts.unknown), (1, 3));
    }

    /// There may be tens of thousands of them.
    #[test]
    fn a_link_is_small() {
        assert!(size_of::<Link>() <= 896);
    }
}
