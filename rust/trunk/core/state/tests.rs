// SPDX-License-Identifier: GPL-2.0

//! The rules of [`State::step`], one by one. `tools/core/tests/state` has two ends live through random
//! histories.

use super::super::{
    claims::Stage,
    health::{
        self,
        ProbeMode, //
    },
    port::LinkState,
    spares::Failback,
    testing::id,
    uapi::{
        FarEnd,
        Peers,
        Reason, //
    }, //
    wire::Kind,
};
use super::*;
use ::core::marker::PhantomData;

const MS: u64 = 1_000_000;

/// Ports, events and claims are the test's.
struct Borrowed<'a>(PhantomData<&'a ()>);

impl<'a> Memory for Borrowed<'a> {
    type Port = &'a mut Port;
    type Events = &'a mut [Event];
    type Claims = &'a mut [Claim];
    type Desk = &'a mut Desk;
}

/// A trunk with 8 buckets, whose links are as the test says.
struct Bench<'a> {
    state: State<Borrowed<'a>>,
    table: [Bucket; 8],
    links: Links,
    now: u64,
}

impl<'a> Bench<'a> {
    fn new(
        ports: &'a mut [Port],
        events: &'a mut [Event],
        claims: &'a mut [Claim],
        desk: &'a mut Desk,
    ) -> Self {
        let mut bench = Self {
            state: State::new(Settings::default(), [2; 6], events, claims, desk),
            table: [const { Bucket::empty() }; 8],
            links: Links::default(),
            now: 1_000 * MS,
        };
        for (id, port) in PortId::all().zip(ports) {
            bench.links.operational.insert(id);
            bench.links.started.insert(id);
            bench.step(Input::Join(id, port));
        }
        while bench.state.tell().is_some() {}
        bench
    }

    fn step(&mut self, input: Input<'_, &'a mut Port>) -> Effects<&'a mut Port> {
        let Self {
            state,
            table,
            links,
            now,
        } = self;
        state.step(table, *links, input, || *now)
    }

    /// The carrier of a port goes, or comes back.
    fn carrier(&mut self, number: i8, on: bool) -> Effects<&'a mut Port> {
        if let Some(id) = id(number) {
            match on {
                true => self.links.operational.insert(id),
                false => self.links.operational.remove(id),
            }
        }
        self.step(Input::Links)
    }

    fn slots(&self) -> [i8; 8] {
        self.table.each_ref().map(Bucket::slot)
    }

    /// Brings the trunk up. These ports answer the first round of tests.
    fn begin(&mut self, answered: u64) {
        self.step(Input::Up(true));
        self.step(Input::Start(OWN));
        self.step(Input::Time);
        self.round(answered);
    }

    /// Sends the tests that are due. Those of these ports are answered at once, by one peer.
    fn round(&mut self, answered: u64) {
        let peer = Identity {
            system: 1,
            trunk: 1,
        };
        let mut nonce = self.now;
        while let Some((port, test)) = {
            nonce += 1;
            self.step(Input::Test(nonce)).send
        } {
            if !PortSet::from_bits(answered).contains(port) {
                continue;
            }
            let reply = Probe {
                kind: Kind::Reply,
                from: peer,
                port: port.index() as u8,
                usable: true,
                nonce: 3,
                echo: test.nonce,
                heard: 0,
                ..test
            };
            let read = Read {
                probe: reply,
                unknown: 0,
            };
            self.step(Input::Probe(port, Some(&read)));
        }
    }

    /// The next event: what it is, its port and why.
    fn event(&mut self) -> Option<(EventKind, u32, Reason)> {
        let (_, event) = self.state.tell()?;
        Some((event.kind, event.port, event.reason))
    }
}

fn port(ifindex: u32, priority: u16) -> Port {
    Port::new(ifindex, priority, None, 0)
}

const OWN: Identity = Identity {
    system: 7,
    trunk: 3,
};

const NO_EVENT: Event = Event::new(EventKind::Config, 0, 0);

/// Makes a bench with ports of these priorities, of interface index 10 and up.
macro_rules! bench {
    ($bench:ident, [$($priority:literal),*]) => {
        let mut ports = [$($priority),*];
        let mut ifindex = 9;
        let mut ports = ports.each_mut().map(|priority| {
            ifindex += 1;
            port(ifindex, *priority)
        });
        let (mut events, mut claims) = ([NO_EVENT; 32], [Claim::NONE; 4]);
        let mut desk = Desk::default();
        let mut $bench = Bench::new(&mut ports, &mut events, &mut claims, &mut desk);
    };
}

mod rules {
    use super::*;

    /// What the ports lead to, and the ports by which groups leave, from which they are accepted and
    /// from which unicast is.
    fn ways(bench: &Bench<'_>) -> (FarEnd, [u64; 3]) {
        let ways = bench.state.decision().ways;
        let sends: PortSet = ways.sends.into_iter().collect();
        let sets = [sends, ways.accepts, ways.takes];
        (ways.far_end, sets.map(PortSet::bits))
    }

    #[test]
    fn the_port_of_groups_changes_in_the_step_of_the_buckets() {
        bench!(bench, [1, 2]);
        let switch = |port| (FarEnd::Switch, [port; 3]);
        assert_eq!(ways(&bench), switch(0b01));
        for (on, port) in [(false, 0b10), (true, 0b01)] {
            bench.carrier(0, on);
            assert_eq!(ways(&bench), switch(port));
        }
        // A claim uses the spare.
        if let Some(spare) = id(1) {
            bench.step(Input::Claim(
                spare,
                Holder {
                    mark: 9,
                    ..Holder::NONE
                },
            ));
            bench.now += 10 * MS;
            bench.step(Input::Time);
            assert_eq!(ways(&bench), (FarEnd::Switch, [0b01, 0b01, 0b11]));
        }
        // A trunk answers, until testing ends.
        bench.begin(0b11);
        let all = u64::MAX;
        assert_eq!(ways(&bench), (FarEnd::Trunk, [0, 0b11, all]));
        bench.step(Input::Stop);
        assert_eq!(ways(&bench).0, FarEnd::Switch);
        let settings = Settings {
            far_end: FarEnd::Aggregate,
            ..*bench.state.settings()
        };
        bench.step(Input::Settings(&settings));
        assert_eq!(ways(&bench), (FarEnd::Aggregate, [0, all, all]));
    }

    #[test]
    fn frames_of_machines_come_back_by_other_ports_of_a_switch() {
        bench!(bench, [1, 1, 2]);
        let set = |bench: &mut Bench<'_>, far_end| {
            let settings = Settings {
                far_end,
                ..*bench.state.settings()
            };
            bench.step(Input::Settings(&settings));
            bench.state.decision().echoes
        };
        assert!(!bench.state.decision().echoes);
        assert!(bench.step(Input::Promiscuous(true)).decided.is_some());
        assert!(bench.state.decision().echoes);
        assert!(bench.step(Input::Promiscuous(true)).decided.is_none());
        assert!(!set(&mut bench, FarEnd::Aggregate));
        assert!(set(&mut bench, FarEnd::Switch));
        // By a single port nothing comes back.
        for (on, echoes) in [(false, false), (true, true)] {
            bench.carrier(1, on);
            bench.carrier(2, on);
            assert_eq!(bench.state.decision().echoes, echoes);
        }
        bench.step(Input::Promiscuous(false));
        assert!(!bench.state.decision().echoes);
    }

    #[test]
    fn an_aggregate_is_what_sends_one_copy_until_something_else_is_known() {
        bench!(bench, [1, 2]);
        let (all, switch) = (u64::MAX, (FarEnd::Switch, [0b01; 3]));
        let found = (FarEnd::Aggregate, [0b01, all, all]);
        let set = |bench: &mut Bench<'_>, far_end| {
            let settings = Settings {
                far_end,
                ..*bench.state.settings()
            };
            bench.step(Input::Settings(&settings));
        };
        let changes: [fn(&mut Bench<'_>); 3] = [
            |bench| {
                bench.step(Input::OneCopy(false));
            },
            |bench| {
                // All links were lost. What comes then may be something else.
                for on in [false, true] {
                    bench.carrier(0, on);
                    bench.carrier(1, on);
                }
            },
            |bench| {
                bench.begin(0b11);
                assert_eq!(ways(bench).0, FarEnd::Trunk);
                bench.step(Input::Stop);
            },
        ];
        for change in changes {
            assert!(bench.step(Input::OneCopy(true)).decided.is_some());
            assert_eq!(ways(&bench), found);
            assert!(bench.step(Input::OneCopy(true)).decided.is_none());
            change(&mut bench);
            assert_eq!(ways(&bench).0, FarEnd::Switch);
        }
        bench.step(Input::OneCopy(true));
        set(&mut bench, FarEnd::Switch);
        assert_eq!(ways(&bench).0, FarEnd::Switch);
        set(&mut bench, FarEnd::Auto);
        bench.now += 60_000 * MS;
        bench.step(Input::Time);
        assert_eq!(ways(&bench), switch);
    }

    #[test]
    fn a_port_that_was_in_use_is_heard_until_a_switch_has_learned_of_another() {
        bench!(bench, [1, 2]);
        bench.begin(0);
        let lingering = |bench: &Bench<'_>| bench.state.decision().lingering.bits();
        for (on, left) in [(false, 0b01), (true, 0b10), (false, 0b01)] {
            assert_eq!(lingering(&bench), 0);
            bench.carrier(0, on);
            assert_eq!(lingering(&bench), left);
            // As long as it is not announced, and once more.
            for ms in [1_000, 200] {
                bench.now += 5_000 * MS;
                bench.step(Input::Time);
                assert_eq!(lingering(&bench), left);
                assert!(bench.state.take_unsettled().announce);
                bench.step(Input::Time);
                bench.now += (ms - 1) * MS;
                bench.step(Input::Time);
                assert_eq!(lingering(&bench), left);
                assert!(!bench.state.is_unsettled());
                bench.now += MS;
                bench.step(Input::Time);
            }
            assert!(!bench.state.is_unsettled());
        }
        // One that is used again does not count.
        bench.carrier(0, true);
        bench.carrier(0, false);
        assert_eq!(lingering(&bench), 0b01);
        // To a trunk, nothing is announced again.
        bench.carrier(0, true);
        bench.round(0b11);
        assert_eq!((ways(&bench).0, lingering(&bench)), (FarEnd::Trunk, 0));
    }

    /// It takes a kilobyte of the kernel's memory, and one byte more would take two.
    #[test]
    fn a_port_is_small() {
        assert!(size_of::<Port>() <= 1024);
    }

    #[test]
    fn neighbours_are_not_told_of_every_blink_but_of_the_last_one() {
        bench!(bench, [1, 2]);
        let settings = Settings {
            probes: health::Settings {
                hold_down: 0,
                ..bench.state.settings().probes
            },
            ..*bench.state.settings()
        };
        bench.step(Input::Settings(&settings));
        bench.begin(0);
        let told = |bench: &mut Bench<'_>| u32::from(bench.state.take_unsettled().announce);
        bench.now += 10_000 * MS;
        told(&mut bench);
        bench.now += 10_000 * MS;
        let mut count = 0;
        for ms in 0..1_000 {
            bench.carrier(0, ms % 20 >= 10);
            bench.now += MS;
            bench.step(Input::Time);
            count += told(&mut bench);
        }
        // Four, and one more each second.
        assert_eq!(count, 5);
        bench.carrier(0, false);
        assert_eq!(told(&mut bench), 0);
        bench.now += 1_000 * MS;
        bench.step(Input::Time);
        assert_eq!(told(&mut bench), 1);
    }

    #[test]
    fn what_a_port_in_use_announces_is_passed_on() {
        bench!(bench, [1, 2]);
        bench.begin(0);
        let passed_on = |bench: &mut Bench<'_>, id| {
            bench.state.take_unsettled();
            let effects = bench.step(Input::Moved(id));
            assert!(effects.decided.is_none());
            let unsettled = bench.state.take_unsettled();
            assert_eq!(unsettled.any, unsettled.announce);
            assert!(effects.work || !unsettled.any);
            unsettled.announce
        };
        let [first, spare, nobody] = [0, 1, 2].map(|n| PortId::all().nth(n).unwrap());
        for (id, want) in [(first, true), (spare, false), (nobody, false)] {
            assert_eq!(passed_on(&mut bench, id), want);
        }
        bench.carrier(0, false);
        for (id, want) in [(first, false), (spare, true)] {
            assert_eq!(passed_on(&mut bench, id), want);
        }
    }

    #[test]
    fn stations_are_announced_unless_one_trunk_finds_them_by_any_link() {
        bench!(bench, [1, 2]);
        assert!(bench.state.announces_stations());
        bench.begin(0b11);
        assert_eq!(ways(&bench).0, FarEnd::Trunk);
        assert!(!bench.state.announces_stations());
        let mut settings = *bench.state.settings();
        settings.probes.peers = Peers::Several;
        bench.step(Input::Settings(&settings));
        assert_eq!(ways(&bench).0, FarEnd::Trunk);
        assert!(bench.state.announces_stations());
    }

    #[test]
    fn groups_go_where_the_trunks_own_frames_go_if_their_source_decides() {
        bench!(bench, [1, 1]);
        assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        for (selector, own) in [(Selector::Smac, true), (Selector::SmacDmac, false)] {
            let settings = Settings {
                selector,
                ..*bench.state.settings()
            };
            bench.step(Input::Settings(&settings));
            for (last, port) in [(0x10, 0b10), (0x13, 0b01), (0x15, 0b01), (0x16, 0b10)] {
                let before = ways(&bench);
                bench.now += 1_000 * MS;
                bench.state.take_unsettled();
                bench.step(Input::Address([2, 0, 0, 0, 0, last]));
                let port = if own { port } else { 0b01 };
                assert_eq!(ways(&bench), (FarEnd::Switch, [port, port, 0b11]));
                // The switch has to learn of it.
                let other = before != ways(&bench);
                assert_eq!(bench.state.take_unsettled().announce, other);
            }
        }
    }

    #[test]
    fn a_failure_moves_the_buckets_and_is_recorded() {
        bench!(bench, [1, 1, 2]);
        assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        let effects = bench.carrier(1, false);
        assert!(effects.work && effects.decided.is_some_and(|it| it.carrier));
        assert_eq!(bench.slots(), [2, 0, 2, 0, 2, 0, 2, 0]);
        let reason = Reason::NoCarrier;
        assert_eq!(bench.event(), Some((EventKind::PortState, 11, reason)));
        assert_eq!(bench.event(), Some((EventKind::Failover, 11, reason)));
        assert_eq!(bench.event(), None);
        let unsettled = bench.state.take_unsettled();
        assert!(unsettled.any && unsettled.announce);

        bench.carrier(1, true);
        assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(
            bench.event(),
            Some((EventKind::PortState, 11, Reason::None))
        );
        assert_eq!(bench.event(), Some((EventKind::Failback, 11, Reason::None)));
        let totals = bench.state.totals();
        assert_eq!((totals.failovers, totals.failbacks), (1, 1));
        assert_eq!((totals.ups, totals.downs, totals.buckets_moved), (4, 1, 20));
    }

    #[test]
    fn nothing_is_decided_while_nothing_changes() {
        bench!(bench, [1, 2]);
        let generation = bench.state.generation();
        for input in [Input::Links, Input::Time, Input::Test(1)] {
            assert!(bench.step(input).decided.is_none());
        }
        let same = *bench.state.settings();
        assert!(bench.step(Input::Settings(&same)).decided.is_none());
        if let Some(first) = id(0) {
            let settings = PortSettings {
                priority: Some(1),
                ..PortSettings::default()
            };
            let effects = bench.step(Input::Port(first, settings, Some(10)));
            assert!(effects.decided.is_none());
        }
        assert_eq!(bench.state.generation(), generation);
        assert_eq!(bench.event(), None);
    }

    #[test]
    fn without_any_link_there_is_no_carrier() {
        bench!(bench, [1, 2]);
        bench.carrier(0, false);
        let effects = bench.carrier(1, false);
        assert!(effects
            .decided
            .is_some_and(|it| !it.carrier && it.act.is_empty()));
        assert_eq!(bench.slots(), [-1; 8]);
    }

    #[test]
    fn there_is_carrier_while_as_many_ports_are_act_as_the_user_wants() {
        bench!(bench, [1, 1, 2]);
        bench.state.take_unsettled();
        let change = |bench: &mut Bench<'_>, change: fn(&mut Settings)| {
            let mut settings = *bench.state.settings();
            change(&mut settings);
            let effects = bench.step(Input::Settings(&settings));
            effects.decided.is_some_and(|it| it.carrier)
        };
        // A setting alone takes the carrier, of which devices above are to be notified.
        assert!(change(&mut bench, |it| it.min_links = 3));
        assert!(!bench.state.is_unsettled());
        assert!(!change(&mut bench, |it| it.min_links = 4));
        let unsettled = bench.state.take_unsettled();
        assert!(unsettled.any && !unsettled.announce);
        // A spare counts.
        assert!(change(&mut bench, |it| it.min_links = 2));
        bench.carrier(1, false);
        assert!(bench.state.decision().carrier);
        bench.carrier(0, false);
        assert!(!bench.state.decision().carrier);
        assert_eq!(bench.slots(), [2; 8]);
        // What was announced has not left. So it is announced again once there is a carrier, though
        // no bucket moves.
        bench.state.take_unsettled();
        assert!(!change(&mut bench, |it| it.failback = Failback::Manual));
        bench.carrier(0, true);
        assert_eq!(bench.slots(), [2; 8]);
        let unsettled = bench.state.take_unsettled();
        assert!(bench.state.decision().carrier && unsettled.announce);
        // A last resort does not count.
        assert!(change(&mut bench, |it| it.min_links = 1));
        bench.step(Input::Up(true));
        bench.step(Input::Start(OWN));
        assert!(!change(&mut bench, |it| it.probes.mode = ProbeMode::Required));
        let unusable = bench.state.ports().usable().is_empty();
        assert!(bench.state.decision().act.is_empty() && !unusable);
        assert!(change(&mut bench, |it| it.min_links = 0));
    }

    #[test]
    fn a_port_that_the_user_disables_is_not_used() {
        bench!(bench, [1, 1]);
        if let Some(first) = id(0) {
            let enabled = |on| PortSettings {
                enabled: Some(on),
                ..PortSettings::default()
            };
            bench.step(Input::Port(first, enabled(false), None));
            assert_eq!(bench.slots(), [1; 8]);
            assert_eq!(
                bench.state.port(first).map(Port::why),
                Some(Reason::Disabled)
            );
            // Whoever enables it wants it used, whatever the policy.
            let manual = Settings {
                failback: Failback::Manual,
                ..*bench.state.settings()
            };
            bench.step(Input::Settings(&manual));
            bench.step(Input::Port(first, enabled(true), None));
            assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        }
    }

    #[test]
    fn what_is_held_back_waits_for_its_time_or_is_released() {
        bench!(bench, [1, 1, 2]);
        let delayed = Settings {
            failback: Failback::Delay,
            failback_delay: 30,
            ..*bench.state.settings()
        };
        bench.step(Input::Settings(&delayed));
        for released in [false, true] {
            bench.carrier(0, false);
            bench.carrier(0, true);
            assert_eq!(bench.slots(), [1, 2, 1, 2, 1, 2, 1, 2]);
            assert_eq!(bench.state.failback_in(bench.now + 10 * MS), Some(20 * MS));
            bench.now += 29 * MS;
            assert!(bench.step(Input::Links).decided.is_none());
            match released {
                true => bench.step(Input::Release(!PortSet::EMPTY)),
                false => {
                    bench.now += MS;
                    bench.step(Input::Links)
                }
            };
            assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
            assert_eq!(bench.state.failback_in(bench.now), None);
        }
    }

    #[test]
    fn a_speed_matters_to_who_goes_by_it() {
        bench!(bench, [1, 1]);
        if let (Some(first), Some(second)) = (id(0), id(1)) {
            assert!(bench.step(Input::Speed(first, 3_000)).decided.is_none());
            let auto = PortSettings {
                weight: Some(0),
                ..PortSettings::default()
            };
            bench.step(Input::Port(first, auto, None));
            bench.step(Input::Port(second, auto, Some(1_000)));
            let count = |bench: &Bench<'_>| bench.slots().iter().filter(|it| **it == 0).count();
            assert_eq!(count(&bench), 6);
            bench.step(Input::Speed(second, 3_000));
            assert_eq!(count(&bench), 4);
        }
    }

    #[test]
    fn a_table_of_another_size_takes_over_as_a_whole() {
        bench!(bench, [1, 1]);
        let new = [const { Bucket::empty() }; 16];
        super::super::super::table::inherit(&new, &bench.table);
        let settings = *bench.state.settings();
        let Bench {
            state,
            table,
            links,
            now,
        } = &mut bench;
        let replaced = Input::Table(&table[..], Replacement::Settings(&settings));
        state.step(&new, *links, replaced, || *now);
        assert!(state.is_sound(&new));
        assert_eq!(new.each_ref().map(Bucket::slot).iter().sum::<i8>(), 8);
        assert_eq!(bench.event(), Some((EventKind::Config, 0, Reason::None)));
    }

    #[test]
    fn a_port_that_leaves_is_given_back_and_forgotten() {
        bench!(bench, [1, 1, 2]);
        if let Some(first) = id(0) {
            bench.table[2].choose(0);
            let left = bench.step(Input::Leave(first)).left;
            assert_eq!(left.map(|port| port.ifindex), Some(10));
            assert_eq!(bench.slots(), [1; 8]);
            assert_eq!(bench.table[2].chosen(), -1);
            assert_eq!(bench.state.free_id(), Some(first));
            assert_eq!(bench.event(), Some((EventKind::Leave, 10, Reason::None)));
            assert!(bench.step(Input::Leave(first)).left.is_none());
        }
    }

    #[test]
    fn claims_end_with_their_socket_alone() {
        bench!(bench, [1, 1, 2]);
        if let Some(first) = id(0) {
            // The port id is the same, the socket is not.
            for (mark, cookie) in [(1, 1), (2, 2)] {
                let socket = Socket { port_id: 5, cookie };
                let holder = Holder {
                    mark,
                    socket,
                    ..Holder::NONE
                };
                bench.step(Input::Claim(first, holder));
            }
            assert_eq!(bench.state.can_claim(1), Err(CannotClaim::Claimed));
            // Nothing is tested, so nobody is waited for.
            bench.now += 1_000 * MS;
            bench.step(Input::Time);
            assert_eq!(bench.state.claims().len(), 2);
            let socket = Socket {
                port_id: 5,
                cookie: 1,
            };
            bench.step(Input::EndClaims(Ending::Mark(2, socket)));
            assert_eq!(bench.state.claims().len(), 2);
            bench.step(Input::EndClaims(Ending::Socket(socket)));
            assert!(bench.state.claim(1).is_none() && bench.state.claim(2).is_some());
            bench.step(Input::EndClaims(Ending::All));
            assert!(bench.state.claims().is_empty() && !bench.state.needs_tests());
        }
    }

    #[test]
    fn a_refusal_is_recorded() {
        bench!(bench, [1]);
        assert!(bench.step(Input::Refusal(77, 16)).work);
        let told = bench
            .state
            .tell()
            .map(|(_, it)| (it.kind, it.port, it.error));
        assert_eq!(told, Some((EventKind::JoinRefused, 77, 16)));
    }

    #[test]
    fn events_say_what_moved_where_and_how_fast() {
        bench!(bench, [1, 1, 2]);
        let numbered = |seq| {
            let event = bench.state.event(seq);
            event.map(|(seq, event)| (seq, event.kind, event.port))
        };
        assert_eq!(numbered(0), Some((1, EventKind::Join, 10)));
        assert_eq!(numbered(2), Some((2, EventKind::PortState, 10)));
        // The clock goes on while the table is switched over.
        if let Some(second) = id(1) {
            bench.links.operational.remove(second);
        }
        let clock = ::core::cell::Cell::new(bench.now);
        let Bench {
            state,
            table,
            links,
            now,
        } = &mut bench;
        state.step(table, *links, Input::Links, || {
            clock.replace(clock.get() + 7)
        });
        let reason = Reason::NoCarrier;
        let states = Some((LinkState::Act, LinkState::Sby));
        let fallen = Event {
            reason,
            states,
            ..Event::new(EventKind::PortState, 11, *now)
        };
        let moved = Event {
            reason,
            other: 12,
            buckets: 4,
            switch: 7,
            ..Event::new(EventKind::Failover, 11, *now)
        };
        assert_eq!(state.tell().map(|(_, event)| event), Some(fallen));
        assert_eq!(state.tell().map(|(_, event)| event), Some(moved));
        // No bucket moves because of these settings.
        let settings = Settings {
            failback: Failback::Manual,
            ..*state.settings()
        };
        bench.step(Input::Settings(&settings));
        let told = bench.state.tell().map(|(_, it)| (it.kind, it.buckets));
        assert_eq!(told, Some((EventKind::Config, 0)));
        bench.state.count_lost();
        assert_eq!(bench.state.totals().events_lost, 1);
    }

    #[test]
    fn a_reason_that_lasts_is_told() {
        bench!(bench, [1, 1]);
        bench.carrier(1, false);
        while bench.event().is_some() {}
        if let Some(second) = id(1) {
            bench.links.started.remove(second);
        }
        bench.step(Input::Links);
        bench.now += 800 * MS - 1;
        bench.step(Input::Time);
        assert_eq!(bench.event(), None);
        bench.now += 1;
        bench.step(Input::Time);
        let told = bench.state.tell();
        let told = told.map(|(_, it)| (it.kind, it.port, it.reason, it.states));
        let states = Some((LinkState::Sby, LinkState::Sby));
        let want = (EventKind::PortState, 11, Reason::AdminDown, states);
        assert_eq!(told, Some(want));
        bench.now += 2_000 * MS;
        bench.step(Input::Time);
        assert_eq!(bench.event(), None);
    }

    #[test]
    fn only_what_has_changed_is_to_be_settled() {
        bench!(bench, [1, 1, 2]);
        assert!(bench.state.is_unsettled());
        bench.state.take_unsettled();
        let settings = Settings {
            failback: Failback::Manual,
            ..*bench.state.settings()
        };
        let effects = bench.step(Input::Settings(&settings));
        assert!(effects.decided.is_some() && !bench.state.is_unsettled());
        // A spare that fails moves nothing.
        bench.carrier(2, false);
        let unsettled = bench.state.take_unsettled();
        assert!(unsettled.any && !unsettled.announce);
        let generation = bench.state.generation();
        bench.carrier(0, false);
        assert!(bench.state.generation() != generation && generation & 1 == 1);
    }

    #[test]
    fn peers_are_told_of_ports_usable_and_in_use() {
        bench!(bench, [1, 1, 2]);
        let view = |bench: &Bench<'_>| {
            let view = bench.state.view();
            (view.usable.bits(), view.in_use.bits(), view.held.bits())
        };
        assert_eq!(view(&bench), (0b111, 0b011, 0));
        bench.carrier(1, false);
        assert_eq!(view(&bench), (0b101, 0b101, 0));
        assert_eq!(bench.state.ports().usable().bits(), 0b101);
        assert_eq!(id(1).and_then(|id| bench.state.stand_ins().of(id)), id(2));
        if let Some(first) = id(0) {
            let enabled = Some(false);
            let settings = PortSettings {
                enabled,
                ..PortSettings::default()
            };
            bench.step(Input::Port(first, settings, None));
            assert_eq!(bench.state.port(first).map(Port::is_enabled), Some(false));
        }
        assert_eq!(view(&bench), (0b100, 0b100, 0));
        bench.carrier(1, true);
        assert_eq!(view(&bench), (0b110, 0b110, 0));
    }

    #[test]
    fn tests_are_made_while_they_are_needed() {
        bench!(bench, [1, 1]);
        assert!(!bench.state.needs_tests() && !bench.state.is_testing());
        bench.step(Input::Up(true));
        assert!(bench.state.needs_tests());
        bench.step(Input::Start(OWN));
        assert!(bench.state.is_testing());
        let effects = bench.step(Input::Time);
        assert!(effects.tests && effects.next == Some(bench.now + 10 * MS));
        for port in [0, 1] {
            let sent = bench.step(Input::Test(5)).send;
            let sent = sent.map(|(at, probe)| (Some(at), probe.from, probe.nonce));
            assert_eq!(sent, Some((id(port), OWN, 5)));
        }
        assert!(!bench.step(Input::Links).tests);
        // Nobody has to answer, until that is required. Then the carrier is the last resort.
        let required = Settings {
            probes: super::super::super::health::Settings {
                mode: ProbeMode::Required,
                ..bench.state.settings().probes
            },
            ..*bench.state.settings()
        };
        assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        bench.step(Input::Settings(&required));
        let decided = bench.state.decision();
        assert!(decided.act.is_empty() && decided.carrier);
        assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        bench.step(Input::Up(false));
        bench.step(Input::Stop);
        assert!(!bench.state.needs_tests() && !bench.state.is_testing());
        assert_eq!(bench.state.decision().act.bits(), 0b11);
    }

    #[test]
    fn a_claim_moves_with_its_link_and_its_holder_is_told() {
        bench!(bench, [1, 1, 2, 2]);
        let Some(second) = id(1) else { return };
        let holder = Holder {
            mark: 9,
            ifindex: 11,
            ..Holder::NONE
        };
        let effects = bench.step(Input::Claim(second, holder));
        assert!(effects.work && bench.state.needs_tests());
        // It waits for answers, as long as a reply may take.
        bench.now += 10 * MS - 1;
        assert!(bench.step(Input::Time).decided.is_none());
        assert!(bench.state.take_answer().is_none());
        bench.now += 1;
        assert!(bench.step(Input::Time).decided.is_some_and(|it| it.marks));
        while let Some((_, event)) = bench.state.tell() {
            let want = Event {
                other: 11,
                mark: 9,
                ..Event::new(EventKind::Claim, 11, bench.now)
            };
            assert_eq!(event, want);
        }
        bench.state.take_unsettled();
        assert!(bench.step(Input::Links).work);
        let answer = bench.state.take_answer();
        assert_eq!(
            answer.map(|it| (it.stage, it.link)),
            Some((Stage::Served, Some(second)))
        );
        assert!(bench.state.take_answer().is_none() && bench.state.tell_holder().is_none());
        assert!(!bench.step(Input::Links).work);

        // The first spare stands in for the port, the claim gets the other.
        bench.carrier(1, false);
        let want = Event {
            other: 13,
            mark: 9,
            reason: Reason::NoCarrier,
            ..Event::new(EventKind::ClaimMoved, 11, bench.now)
        };
        let mut told = None;
        while let Some((_, event)) = bench.state.tell() {
            told = Some(event);
        }
        assert_eq!(told, Some(want));
        assert_eq!(bench.state.view().held.bits(), 0b1000);
        bench.state.take_unsettled();
        assert!(bench.step(Input::Links).work);
        let told = bench.state.tell_holder();
        let told = told.map(|it| (it.old, it.claim.link, it.claim.reason));
        assert_eq!(told, Some((Some(second), id(3), Reason::NoCarrier)));
        assert!(bench.state.tell_holder().is_none() && !bench.step(Input::Links).work);

        let effects = bench.step(Input::EndClaims(Ending::Mark(9, holder.socket)));
        assert_eq!(
            (effects.ended, effects.decided.map(|it| it.marks)),
            (1, Some(false))
        );
        let want = Event {
            mark: 9,
            ..Event::new(EventKind::Release, 11, bench.now)
        };
        assert_eq!(bench.state.tell().map(|(_, event)| event), Some(want));
        assert!(bench.state.is_unsettled());
    }

    #[test]
    fn a_claim_without_a_link_is_refused_and_forgotten() {
        bench!(bench, [1]);
        bench.carrier(0, false);
        let Some(first) = id(0) else { return };
        let holder = Holder {
            mark: 9,
            ..Holder::NONE
        };
        bench.step(Input::Claim(first, holder));
        bench.now += 10 * MS;
        while bench.event().is_some() {}
        bench.step(Input::Time);
        assert_eq!(bench.event(), None);
        let answer = bench.state.take_answer();
        assert_eq!(
            answer.map(|it| (it.stage, it.link)),
            Some((Stage::Refused, None))
        );
        assert!(bench.state.claims().is_empty() && bench.state.is_unsettled());
        // One that nobody was answered about ends without an event.
        bench.step(Input::Claim(first, holder));
        bench.step(Input::EndClaims(Ending::All));
        assert_eq!(bench.event(), None);
    }

    /// A claim of mark 9 to that port, and what its holder is answered when so many ms are over, while
    /// these ports answer.
    fn claimed(
        bench: &mut Bench<'_>,
        wanted: i8,
        answered: u64,
        ms: u64,
    ) -> Option<Option<PortId>> {
        let holder = Holder {
            mark: 9,
            ..Holder::NONE
        };
        bench.step(Input::Claim(id(wanted)?, holder));
        if bench.state.needs_tests() {
            bench.step(Input::Start(OWN));
        }
        bench.round(answered);
        bench.now += ms * MS;
        bench.step(Input::Time);
        Some(bench.state.take_answer()?.link)
    }

    #[test]
    fn a_claim_does_not_get_a_link_that_is_silent_until_that_answers() {
        bench!(bench, [1, 1, 2, 2]);
        bench.begin(0b1111);
        assert!(PortId::all().take(4).all(|id| {
            let port = bench.state.port(id);
            port.is_some_and(|port| port.link.is_probed())
        }));
        bench.now += 20 * MS;
        // All that may serve it are asked, and no others. Who waits is told when he has to wait no more.
        assert_eq!(claimed(&mut bench, 1, 0b1100, 9), None);
        assert_eq!(bench.state.claims().len(), 1);
        bench.now += MS;
        let effects = bench.step(Input::Time);
        assert!(effects.decided.is_some());
        assert_eq!(bench.state.take_answer().map(|it| it.link), Some(id(2)));
        // It stays in doubt while it does not answer, whatever time passes, and is used all the same.
        bench.now += 50 * MS;
        bench.step(Input::Time);
        bench.round(0b1101);
        bench.now += 10 * MS;
        bench.step(Input::Time);
        assert_eq!(bench.state.claim(9).and_then(|it| it.link), id(2));
        assert_eq!(bench.slots(), [1, 0, 1, 0, 1, 0, 1, 0]);
        // It answers: the claim returns to it.
        bench.now += 90 * MS;
        bench.step(Input::Time);
        bench.round(0b1111);
        bench.now += 10 * MS;
        bench.step(Input::Time);
        assert_eq!(bench.state.claim(9).and_then(|it| it.link), id(1));
    }

    #[test]
    fn a_claim_waits_no_longer_than_for_the_last_answer() {
        bench!(bench, [1, 1, 2]);
        bench.begin(0b111);
        bench.now += 10 * MS;
        let effects = bench.step(Input::Time);
        assert_eq!(effects.next, Some(bench.now + 90 * MS));
        assert_eq!(claimed(&mut bench, 1, 0b110, 0), Some(id(1)));
        assert_eq!(bench.state.claim(9).map(|it| it.wanted), Some(id(1)));
    }

    #[test]
    fn of_a_trunk_that_is_down_all_links_should_answer_if_one_does() {
        for (answered, link) in [(0b111, 1), (0b110, 1), (0b100, 2), (0b010, 1), (0, 1)] {
            bench!(bench, [1, 1, 2]);
            let full = answered & 0b110 == 0b110;
            let got = claimed(&mut bench, 1, answered, if full { 0 } else { 10 });
            assert_eq!(got, Some(id(link)));
            // Another claim begins while tests are made already: nobody else's silence counts for it.
            let holder = Holder {
                mark: 10,
                ..Holder::NONE
            };
            if let Some(first) = id(0) {
                bench.step(Input::Claim(first, holder));
                bench.round(0);
                bench.now += 10 * MS;
                bench.step(Input::Time);
            }
            assert_eq!(bench.state.take_answer().map(|it| it.link), Some(id(0)));
        }
    }

    #[test]
    fn how_long_a_failure_went_unnoticed_is_told() {
        bench!(bench, [1, 1, 2]);
        bench.begin(0b111);
        for port in [10, 11, 12] {
            let found = (EventKind::PeerFound, port, Reason::None);
            assert_eq!(bench.event(), Some(found));
        }
        for _ in 0..3 {
            assert_eq!(bench.event(), None);
            bench.now += 100 * MS;
            bench.step(Input::Time);
            bench.round(0b101);
            bench.now += 10 * MS;
            bench.step(Input::Time);
            bench.now -= 10 * MS;
        }
        let told = |bench: &mut Bench<'_>| {
            let (_, event) = bench.state.tell()?;
            Some((event.kind, event.port, event.reason, event.detection))
        };
        let reason = Reason::ProbeTimeout;
        let detection = Some(310 * MS);
        for kind in [EventKind::PortState, EventKind::Failover] {
            assert_eq!(told(&mut bench), Some((kind, 11, reason, detection)));
        }
        assert_eq!(bench.slots(), [2, 0, 2, 0, 2, 0, 2, 0]);
        // Another reason that lasts has nothing to do with that.
        bench.now += 10 * MS;
        bench.carrier(1, false);
        bench.now += 800 * MS;
        bench.step(Input::Time);
        let lasting = (EventKind::PortState, 11, Reason::NoCarrier, None);
        assert_eq!(told(&mut bench), Some(lasting));
    }
}
