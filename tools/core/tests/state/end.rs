// SPDX-License-Identifier: GPL-2.0

//! Two ends of a trunk, as the driver has them: a state, a table, a timer; and cables between them.
//! The fuzzer (`tools/fuzz`) uses this file, too.

use std::collections::{BTreeMap, VecDeque};
use trunk_core::claims::{Claim, Holder, Socket, Stage, MAX_CLAIMS};
use trunk_core::history::{Event, EventKind};
use trunk_core::port::{from_slot, LinkState, PortId, PortSet, Slot};
use trunk_core::state::{
    Desk, Effects, Ending, Input, Links, Memory, Port, PortSettings, Replacement, Settings, State,
};
use trunk_core::table::{inherit, Bucket};
use trunk_core::wire::{Identity, Path, Probe};

pub const MS: u64 = 1_000_000;

/// A frame takes so long, in ns.
const DELAY: u64 = 100_000;

pub fn port(number: usize) -> PortId {
    PortId::new(number).unwrap()
}

/// The socket that claims a mark.
pub fn socket(mark: u32) -> Socket {
    Socket {
        port_id: mark,
        cookie: 1,
    }
}

pub struct Heap;

impl Memory for Heap {
    type Port = Box<Port>;
    type Events = Vec<Event>;
    type Claims = Vec<Claim>;
    type Desk = Box<Desk>;
}

/// A cable from the ports of a number at both ends.
#[derive(Clone, Debug)]
pub struct Cable {
    pub carrier: bool,
    /// Frames of the first end, and of the second, are lost.
    pub cut: [bool; 2],
    /// It loses frames of that kind from the first end, and from the second.
    pub loses: [Option<Path>; 2],
}

impl Cable {
    pub fn pull(&mut self) {
        self.carrier = false;
    }
}

struct End {
    state: State<Heap>,
    table: Vec<Bucket>,
    ports: PortSet,
    /// When time is to come next, in ns.
    timer: Option<u64>,
    /// When the work is to make the tests that resemble data, in ns.
    work: Option<u64>,
    /// What claims were answered.
    answers: BTreeMap<u32, Option<PortId>>,
    events: Vec<Event>,
    /// The states of ports, by the events.
    states: BTreeMap<u32, LinkState>,
}

pub struct Ends {
    pub now: u64,
    ends: [End; 2],
    cables: Vec<Cable>,
    frames: VecDeque<(u64, usize, PortId, Vec<u8>)>,
    nonces: u64,
    /// The work runs so long after it is scheduled, in ns.
    pub work_after: u64,
    /// There is no memory for frames of that kind.
    pub unmade: Option<Path>,
}

fn ifindex(id: PortId) -> u32 {
    id.index() as u32 + 10
}

impl Ends {
    /// Both ends are up, with ports of these priorities.
    pub fn new(priorities: &[u16]) -> Self {
        let end = |number: u8| End {
            state: State::new(
                Settings::default(),
                [number; 6],
                vec![Event::new(EventKind::Config, 0, 0); 64],
                vec![Claim::NONE; MAX_CLAIMS],
                Box::default(),
            ),
            table: (0..32).map(|_| Bucket::empty()).collect(),
            ports: PortSet::EMPTY,
            timer: None,
            work: None,
            answers: BTreeMap::new(),
            events: Vec::new(),
            states: BTreeMap::new(),
        };
        let mut ends = Self {
            now: 1_000 * MS,
            ends: [end(0), end(1)],
            cables: Vec::new(),
            frames: VecDeque::new(),
            nonces: 0,
            work_after: 0,
            unmade: None,
        };
        for (number, priority) in priorities.iter().enumerate() {
            ends.join(number, *priority);
        }
        ends.up(0, true);
        ends.up(1, true);
        ends
    }

    pub fn state(&self, end: usize) -> &State<Heap> {
        &self.ends[end].state
    }

    pub fn slots(&self, end: usize) -> Vec<Slot> {
        self.ends[end].table.iter().map(Bucket::slot).collect()
    }

    pub fn events(&self, end: usize) -> &[Event] {
        &self.ends[end].events
    }

    /// What a claim was answered: the link it has, or none.
    pub fn answered(&self, end: usize, mark: u32) -> Option<Option<PortId>> {
        self.ends[end].answers.get(&mark).copied()
    }

    fn links(&self, end: usize) -> Links {
        let ports = self.ends[end].ports;
        let carrier = |id: &PortId| self.cables[id.index()].carrier;
        Links {
            operational: ports.iter().filter(carrier).collect(),
            started: ports,
        }
    }

    /// Does what the driver does: a step, and what its effects ask for.
    fn step(&mut self, end: usize, input: Input<'_, Box<Port>>) -> Effects<Box<Port>> {
        let effects = self.step_once(end, input);
        let mut tests = effects.tests;
        while tests {
            tests = self.test(end).tests;
        }
        if effects.paths && self.ends[end].work.is_none() {
            self.ends[end].work = Some(self.now + self.work_after);
        }
        self.tell(end);
        effects
    }

    fn test(&mut self, end: usize) -> Effects<Box<Port>> {
        self.nonces += 1;
        let nonce = self.nonces.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.step_once(end, Input::Test(nonce))
    }

    /// Makes the tests that resemble data, as the driver's work does.
    fn work(&mut self, end: usize) {
        self.ends[end].work = None;
        while self.test(end).paths {}
    }

    fn step_once(&mut self, end: usize, input: Input<'_, Box<Port>>) -> Effects<Box<Port>> {
        let (links, now) = (self.links(end), self.now);
        let End { state, table, .. } = &mut self.ends[end];
        let effects = state.step(table, links, input, || now);
        assert!(state.is_sound(table));
        assert!(effects.next.is_none_or(|next| next > now));
        assert!(effects.decided.is_none_or(|it| it == state.decision()));
        if let Some((id, probe)) = &effects.send {
            if probe.path.is_some() && probe.path == self.unmade {
                self.step_once(end, Input::NotMade(*id));
            } else {
                self.send(end, *id, probe);
            }
        }
        effects
    }

    fn send(&mut self, end: usize, id: PortId, probe: &Probe) {
        let cable = &self.cables[id.index()];
        let lost = probe.path.is_some() && probe.path == cable.loses[end];
        if cable.carrier && !cable.cut[end] && !lost {
            let (bytes, len) = probe.write(None::<fn(&[u8]) -> u64>);
            let frame = (self.now + DELAY, 1 - end, id, bytes[..len].to_vec());
            self.frames.push_back(frame);
        }
    }

    /// Starts or stops testing, as it is needed.
    fn settle(&mut self, end: usize) {
        let it = &mut self.ends[end];
        it.state.take_unsettled();
        let (needed, runs) = (it.state.needs_tests(), it.state.is_testing());
        let own = Identity {
            system: end as u64 + 1,
            trunk: 1,
        };
        match (runs, needed) {
            (false, true) => {
                self.step_once(end, Input::Start(own));
                self.ends[end].timer = Some(self.now);
            }
            (true, false) => {
                self.ends[end].timer = None;
                for id in self.ends[end].ports.iter() {
                    self.step_once(end, Input::Bye(id, 1));
                }
                self.step_once(end, Input::Stop);
            }
            _ => {}
        }
    }

    /// Takes what is to be told, as the driver's work does.
    fn tell(&mut self, end: usize) {
        self.settle(end);
        let it = &mut self.ends[end];
        while let Some(claim) = it.state.take_answer() {
            let link = claim.link.filter(|_| claim.stage == Stage::Served);
            it.answers.insert(claim.holder.mark, link);
        }
        while it.state.tell_holder().is_some() {}
        while let Some((_, event)) = it.state.tell() {
            if let (EventKind::PortState, Some((old, new))) = (event.kind, event.states) {
                let before = it.states.insert(event.port, new);
                assert_eq!(before.unwrap_or(LinkState::Sby), old, "{event:?}");
            }
            if event.kind == EventKind::Leave {
                it.states.remove(&event.port);
            }
            it.events.push(event);
        }
    }

    /// Goes on for so long, in ns.
    pub fn run(&mut self, time: u64) {
        let until = self.now + time;
        loop {
            let timer = (0..2)
                .filter_map(|end| Some((self.ends[end].timer?, end)))
                .min();
            let work = (0..2)
                .filter_map(|end| Some((self.ends[end].work?, end)))
                .min();
            let frame = self.frames.front().map(|(time, ..)| *time);
            if let Some((time, end)) = work.filter(|(time, _)| {
                let frame = frame.is_none_or(|frame| *time < frame);
                *time <= until && frame && timer.is_none_or(|(timer, _)| *time < timer)
            }) {
                self.now = self.now.max(time);
                self.work(end);
                continue;
            }
            match (timer, frame) {
                (_, Some(time)) if time <= until && timer.is_none_or(|(t, _)| time <= t) => {
                    self.now = self.now.max(time);
                    let (_, end, id, bytes) = self.frames.pop_front().unwrap();
                    // A cable may have been pulled, or the port left.
                    if self.links(end).operational.contains(id) {
                        self.frame(end, id.index(), &bytes);
                    }
                }
                (Some((time, end)), _) if time <= until => {
                    self.now = self.now.max(time);
                    let next = self.step(end, Input::Time).next;
                    self.ends[end].timer = next.filter(|_| self.ends[end].state.is_testing());
                }
                _ => break,
            }
        }
        self.now = until;
        for end in 0..2 {
            self.step(end, Input::Links);
        }
    }

    /// A cable changes, and both ends notice it.
    pub fn cable(&mut self, number: usize, change: impl FnOnce(&mut Cable)) {
        if self.cables.is_empty() {
            return;
        }
        let number = number % self.cables.len();
        change(&mut self.cables[number]);
        self.step(0, Input::Links);
        self.step(1, Input::Time);
    }

    pub fn join(&mut self, number: usize, priority: u16) {
        if number >= self.cables.len() {
            self.cables.resize(
                number + 1,
                Cable {
                    carrier: true,
                    cut: [false; 2],
                    loses: [None; 2],
                },
            );
        }
        let id = port(number);
        for end in 0..2 {
            if !self.ends[end].ports.contains(id) {
                let new = Box::new(Port::new(ifindex(id), priority, None, self.now));
                self.ends[end].ports.insert(id);
                self.step(end, Input::Join(id, new));
            }
        }
    }

    pub fn leave(&mut self, number: usize) {
        let id = port(number);
        for end in 0..2 {
            if self.ends[end].ports.contains(id) {
                self.step(end, Input::Bye(id, 1));
                assert!(self.step(end, Input::Leave(id)).left.is_some());
                self.ends[end].ports.remove(id);
                let free = self.ends[end].state.free_id();
                assert!(free.is_some_and(|free| free.index() <= number));
            }
        }
    }

    pub fn up(&mut self, end: usize, up: bool) {
        self.step(end, Input::Up(up));
    }

    pub fn set_port(&mut self, end: usize, number: usize, settings: PortSettings) {
        self.step(end, Input::Port(port(number), settings, None));
    }

    pub fn configure(&mut self, end: usize, change: impl FnOnce(&mut Settings)) {
        let mut settings = *self.ends[end].state.settings();
        change(&mut settings);
        self.step(end, Input::Settings(&settings));
        if let Some(timer) = &mut self.ends[end].timer {
            *timer = self.now;
        }
    }

    pub fn release(&mut self, end: usize) {
        self.step(end, Input::Release(!PortSet::EMPTY));
        assert!(self.ends[end].state.failback_in(self.now).is_none());
    }

    fn replace(&mut self, end: usize, new: Vec<Bucket>, why: Replacement<'_>) {
        let old = std::mem::replace(&mut self.ends[end].table, new);
        inherit(&self.ends[end].table, &old);
        self.step(end, Input::Table(&old, why));
    }

    pub fn set_bits(&mut self, end: usize, bits: u32) {
        let settings = *self.ends[end].state.settings();
        let new = (0..1 << bits).map(|_| Bucket::empty()).collect();
        self.replace(end, new, Replacement::Settings(&settings));
    }

    pub fn choose(&mut self, end: usize, bucket: usize, number: usize) {
        let End { table, ports, .. } = &self.ends[end];
        if ports.contains(port(number)) {
            table[bucket % table.len()].choose(number as Slot);
        }
        let new = table.iter().map(|_| Bucket::empty()).collect();
        self.replace(end, new, Replacement::Homes);
    }

    pub fn claim(&mut self, end: usize, number: usize, mark: u32) {
        let id = port(number);
        let it = &mut self.ends[end];
        if !it.ports.contains(id) || it.state.can_claim(mark).is_err() {
            return;
        }
        it.answers.remove(&mark);
        let holder = Holder {
            mark,
            socket: socket(mark),
            ifindex: ifindex(id),
            name: [0; 32],
        };
        self.step(end, Input::Claim(id, holder));
    }

    pub fn end_claims(&mut self, end: usize, which: Ending) {
        self.step(end, Input::EndClaims(which));
    }

    /// A frame of these bytes comes in.
    pub fn frame(&mut self, end: usize, number: usize, bytes: &[u8]) {
        let read = Probe::read(bytes, None::<fn(&[u8]) -> u64>);
        self.step(end, Input::Probe(port(number), read.as_ref().ok()));
    }

    /// The next frame to arrive is changed on its way.
    pub fn garble(&mut self, place: usize, bits: u8) {
        if let Some((.., bytes)) = self.frames.front_mut() {
            let place = place % bytes.len();
            bytes[place] ^= bits;
        }
    }

    pub fn speed(&mut self, end: usize, number: usize, speed: u32) {
        self.step(end, Input::Speed(port(number), speed));
    }

    pub fn address(&mut self, end: usize, address: [u8; 6]) {
        self.step(end, Input::Address(address));
    }

    pub fn mtu(&mut self, end: usize) {
        self.step(end, Input::Mtu);
    }

    pub fn vlan(&mut self, end: usize, vlan: u16, used: bool) {
        self.step(end, Input::Vlan(vlan, used));
    }

    pub fn promiscuous(&mut self, end: usize, on: bool) {
        self.step(end, Input::Promiscuous(on));
    }

    pub fn one_copy(&mut self, end: usize, one: bool) {
        self.step(end, Input::OneCopy(one));
    }

    pub fn refusal(&mut self, end: usize) {
        self.step(end, Input::Refusal(77, 16));
    }

    /// The user has the counters of the buckets begin anew.
    pub fn reset(&mut self, end: usize) {
        let new = self.ends[end].table.iter().map(|_| Bucket::empty());
        let new = new.collect();
        self.replace(end, new, Replacement::Counters);
    }

    /// All cables are whole, and both ends are set as they began.
    pub fn mend(&mut self) {
        for number in 0..self.cables.len() {
            self.cable(number, |cable| {
                cable.carrier = true;
                cable.cut = [false; 2];
                cable.loses = [None; 2];
            });
        }
        for end in 0..2 {
            let old = Settings::default();
            self.configure(end, |settings| *settings = old);
            for number in 0..self.cables.len() {
                let enabled = PortSettings {
                    enabled: Some(true),
                    ..PortSettings::default()
                };
                self.set_port(end, number, enabled);
            }
            self.up(end, true);
        }
    }

    /// Checks that both ends keep the rules. That each table is sound is checked after each step.
    pub fn check(&self) {
        for (number, end) in self.ends.iter().enumerate() {
            let state = &end.state;
            let (ports, decision) = (state.ports(), state.decision());
            let (usable, working) = (ports.usable(), ports.select(|it| it.is_working()));
            assert_eq!(ports.select(|_| true), end.ports);
            assert_eq!(ports.select(|it| it.is_act()), decision.act);
            let enough = decision.act.len() >= state.settings().min_links.into();
            assert_eq!(!usable.is_empty() && enough, decision.carrier);
            assert_eq!(state.view().in_use, decision.in_use);
            let ways = decision.ways;
            assert_eq!((ways.accepts & usable).is_empty(), usable.is_empty());
            assert!(ways
                .sends
                .is_none_or(|id| (ways.accepts & usable).contains(id)));
            // What is told of ports is so.
            for (id, view) in ports.iter() {
                let told = end.states.get(&ifindex(id)).copied();
                assert_eq!(told.unwrap_or(LinkState::Sby), view.state);
                let operational = self.links(number).operational.contains(id);
                assert!(operational || !view.is_act());
                let stand_in = state.stand_ins().of(id);
                assert!(stand_in.is_none_or(|spare| (usable & !working).contains(spare)));
                assert!(stand_in.is_none() || working.contains(id));
            }
            // A spare serves one claim, or one port.
            let links: Vec<PortId> = state
                .claims()
                .iter()
                .filter_map(|claim| claim.link)
                .collect();
            for (at, link) in links.iter().enumerate() {
                let stands_in = state.stand_ins().home_of(*link).is_some();
                let shared = links[..at].contains(link) || stands_in;
                assert!(working.contains(*link) || !shared);
                assert!(usable.contains(*link));
            }
            let wanted = state.claims().iter().filter_map(|claim| claim.wanted);
            assert!(wanted.into_iter().all(|id| end.ports.contains(id)));
            // Buckets are carried by ports there are, and belong to such.
            let slots = |bucket: &Bucket| [bucket.slot(), bucket.home(), bucket.chosen()];
            for slot in end.table.iter().flat_map(slots).filter_map(from_slot) {
                assert!(end.ports.contains(slot));
            }
        }
    }
}
