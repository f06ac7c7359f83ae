// SPDX-License-Identifier: GPL-2.0

//! A trunk that lives through a random history, watched step by step.

use proptest::prelude::*;
use proptest::sample::Index;
use trunk_core::port::*;
use trunk_core::spares::StandIns;
use trunk_core::switch::switch;
use trunk_core::table::{assign_homes, Bucket};

/// A trunk as the driver keeps it.
#[derive(Clone, PartialEq, Debug)]
pub struct World {
    pub ports: Ports,
    pub homes: Vec<Slot>,
    /// The homes that the user has set.
    pub set: Vec<Slot>,
    pub stand_ins: StandIns,
    pub slots: Vec<Slot>,
}

/// Something that is asked to happen. An index picks one of the ports that it may happen to.
#[derive(Clone, Debug)]
pub enum Event {
    /// A port joins at the first free number from this one on.
    Join {
        from: u8,
        port: PortView,
    },
    Leave(Index),
    /// A port turns `sby`.
    Fail {
        port: Index,
        carrier: bool,
    },
    /// A port turns `act`; a working one is held back by the failback policy, or is not.
    Recover {
        port: Index,
        held_back: bool,
    },
    /// The failback policy lets a port return.
    Return(Index),
    /// A claim takes a spare that is free, or lets go of it.
    Claim(Index),
    Unclaim(Index),
    Weight(Index, u16),
    Priority(Index, u16),
}

/// What has happened.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Change {
    Join(PortId),
    Leave(PortId),
    Fail(PortId),
    Recover(PortId),
    Return(PortId),
    Claim,
    Weight,
    Priority,
}

impl Change {
    /// Does it change the configuration, and with it the homes?
    pub fn configures(self) -> bool {
        matches!(
            self,
            Self::Join(_) | Self::Leave(_) | Self::Weight | Self::Priority
        )
    }
}

/// One step of a history: some changes at a time, then the driver's calls.
pub struct Step {
    pub before: World,
    pub changes: Vec<Change>,
    pub after: World,
    /// What the calls reported.
    pub homes_moved: usize,
    pub moves: Vec<(Slot, Slot, Slot)>,
    pub moved: usize,
    /// Ports that were held back, and had to take all of their buckets back. What they have set free
    /// has been given to others in a turn of its own.
    pub released: bool,
}

impl Step {
    /// The one thing that has happened, if it was one.
    pub fn only(&self) -> Option<Change> {
        match self.changes[..] {
            [change] => Some(change),
            _ => None,
        }
    }

    /// Did the configuration stay as it was?
    pub fn same_configuration(&self) -> bool {
        !self.changes.iter().any(|change| change.configures())
    }

    /// Buckets with the slots before and after.
    pub fn slots(&self) -> impl Iterator<Item = (usize, Option<PortId>, Option<PortId>)> + '_ {
        self.before
            .slots
            .iter()
            .zip(&self.after.slots)
            .enumerate()
            .map(|(bucket, (before, after))| (bucket, from_slot(*before), from_slot(*after)))
    }
}

impl World {
    pub fn new(bits: u32) -> Self {
        Self {
            ports: Ports::default(),
            homes: vec![NO_PORT; 1 << bits],
            set: vec![NO_PORT; 1 << bits],
            stand_ins: StandIns::default(),
            slots: vec![NO_PORT; 1 << bits],
        }
    }

    /// The home of a bucket.
    pub fn home(&self, bucket: usize) -> Option<PortId> {
        from_slot(self.homes[bucket])
    }

    /// Is any port `act`?
    pub fn any_act(&self) -> bool {
        self.ports.iter().any(|(_, port)| port.is_act())
    }

    pub fn numbers(&self, test: impl Fn(&PortView) -> bool) -> Vec<PortId> {
        let chosen = self.ports.iter().filter(|(_, port)| test(port));
        chosen.map(|(id, _)| id).collect()
    }

    fn apply(&mut self, event: &Event) -> Option<Change> {
        let pick = |index: &Index, test: fn(&PortView) -> bool| {
            let open = self.numbers(test);
            let id = *index.get(&Some(open).filter(|open| !open.is_empty())?);
            Some((id, *self.ports.get(id)?))
        };
        let (id, port, change) = match event {
            Event::Join { from, port } => {
                let free = |id: &PortId| self.ports.get(*id).is_none();
                let id = PortId::all().skip((*from).into()).find(free)?;
                (id, Some(*port), Change::Join(id))
            }
            Event::Leave(index) => {
                let (id, _) = pick(index, |_| true)?;
                (id, None, Change::Leave(id))
            }
            Event::Fail { port, carrier } => {
                let (id, mut port) = pick(port, PortView::is_act)?;
                port.state = LinkState::Sby;
                port.carrier = *carrier;
                port.held_back = false;
                (id, Some(port), Change::Fail(id))
            }
            Event::Recover { port, held_back } => {
                let (id, mut port) = pick(port, |port| !port.is_act())?;
                port.state = LinkState::Act;
                port.carrier = true;
                port.held_back = port.is_working() && *held_back;
                (id, Some(port), Change::Recover(id))
            }
            Event::Return(index) => {
                let (id, mut port) = pick(index, PortView::is_held_back)?;
                port.held_back = false;
                (id, Some(port), Change::Return(id))
            }
            Event::Claim(index) => {
                let (id, mut port) = pick(index, |port| !port.is_working() && !port.held)?;
                if self.stand_ins.home_of(id).is_some() {
                    return None;
                }
                port.held = true;
                (id, Some(port), Change::Claim)
            }
            Event::Unclaim(index) => {
                let (id, mut port) = pick(index, |port| port.held)?;
                port.held = false;
                (id, Some(port), Change::Claim)
            }
            Event::Weight(index, weight) => {
                let (id, mut port) = pick(index, PortView::is_working)?;
                port.weight = *weight;
                (id, Some(port), Change::Weight)
            }
            Event::Priority(index, priority) => {
                let (id, mut port) = pick(index, |_| true)?;
                port.priority = *priority;
                port.held &= !port.is_working();
                port.held_back &= port.is_working();
                (id, Some(port), Change::Priority)
            }
        };
        self.ports.set(id, port);
        Some(change)
    }

    /// The table of it.
    fn table(&self) -> Vec<Bucket> {
        let slots = self.slots.iter().zip(&self.homes).zip(&self.set);
        let buckets = slots.map(|((slot, home), set)| Bucket::new(*slot, *home, *set));
        buckets.collect()
    }

    /// Assigns the homes, as after a change of configuration. Returns the number that changed.
    pub fn assign_homes(&mut self) -> usize {
        let table = self.table();
        let moved = assign_homes(&table, &self.ports);
        self.homes = table.iter().map(Bucket::home).collect();
        moved
    }

    /// Switches over, as after any change. Returns the moves, each with the home, the port before and
    /// after; and the number that was reported.
    pub fn switch(&mut self) -> (Vec<(Slot, Slot, Slot)>, usize) {
        let table = self.table();
        let theirs = self.ports.select(|port| port.held);
        let mut moves = Vec::new();
        let moved = switch(
            &table,
            &mut self.ports,
            &mut self.stand_ins,
            &mut [],
            theirs,
            PortSet::EMPTY,
            |home, from, to| moves.push((to_slot(home), to_slot(from), to_slot(to))),
        );
        self.slots = table.iter().map(Bucket::slot).collect();
        (moves, moved)
    }

    /// Lives through one step; `None` if none of its events can happen.
    pub fn step(&mut self, events: &[Event]) -> Option<Step> {
        let before = self.clone();
        let changes: Vec<_> = events
            .iter()
            .filter_map(|event| self.apply(event))
            .collect();
        if changes.is_empty() {
            return None;
        }
        let configured = changes.iter().any(|change| change.configures());
        let homes_moved = if configured { self.assign_homes() } else { 0 };
        let held_back = self.numbers(PortView::is_held_back);
        let (moves, moved) = self.switch();
        Some(Step {
            released: self.numbers(PortView::is_held_back) != held_back,
            before,
            changes,
            after: self.clone(),
            homes_moved,
            moves,
            moved,
        })
    }
}

/// A history: the number of bits, and what happens step by step.
#[derive(Clone, Debug)]
pub struct History {
    pub bits: u32,
    pub steps: Vec<Vec<Event>>,
}

impl History {
    /// Lives through it, looking at each step.
    pub fn run(
        &self,
        mut look: impl FnMut(&Step) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let mut world = World::new(self.bits);
        for events in &self.steps {
            if let Some(step) = world.step(events) {
                look(&step)?;
            }
        }
        Ok(())
    }
}

/// Random ports: mostly `act`, a third of them spares.
fn port(weights: BoxedStrategy<u16>) -> impl Strategy<Value = PortView> {
    let priority = prop_oneof![6 => Just(1u16), 3 => 2..5u16, 1 => any::<u16>()];
    (priority, weights, 0..10u8).prop_map(|(priority, weight, state)| PortView {
        priority,
        weight,
        state: if state < 8 {
            LinkState::Act
        } else {
            LinkState::Sby
        },
        carrier: state < 9,
        held: false,
        held_back: false,
        rank: 0,
    })
}

fn event(weights: BoxedStrategy<u16>) -> impl Strategy<Value = Event> {
    let priority = prop_oneof![3 => Just(1u16), 2 => 2..5u16];
    let from = prop_oneof![3 => Just(0u8), 1 => 0..64u8];
    prop_oneof![
        3 => (from, port(weights.clone())).prop_map(|(from, port)| Event::Join { from, port }),
        2 => any::<Index>().prop_map(Event::Leave),
        8 => (any::<Index>(), prop::bool::weighted(0.3))
            .prop_map(|(port, carrier)| Event::Fail { port, carrier }),
        8 => (any::<Index>(), prop::bool::weighted(0.3))
            .prop_map(|(port, held_back)| Event::Recover { port, held_back }),
        2 => any::<Index>().prop_map(Event::Return),
        1 => any::<Index>().prop_map(Event::Claim),
        1 => any::<Index>().prop_map(Event::Unclaim),
        1 => (any::<Index>(), weights).prop_map(|(port, weight)| Event::Weight(port, weight)),
        1 => (any::<Index>(), priority).prop_map(|(port, prio)| Event::Priority(port, prio)),
    ]
}

fn history_of(weights: BoxedStrategy<u16>) -> impl Strategy<Value = History> {
    let bits = prop_oneof![30 => 0..=7u32, 12 => 8..=12u32, 1 => Just(16)];
    let count = prop_oneof![12 => 1..=8usize, 2 => 9..=64usize];
    (bits, count).prop_flat_map(move |(bits, count)| {
        let join = port(weights.clone()).prop_map(|port| vec![Event::Join { from: 0, port }]);
        let joins = prop::collection::vec(join, count);
        let size = prop_oneof![8 => Just(1usize), 1 => Just(2), 1 => Just(3)];
        let weights = weights.clone();
        let step =
            size.prop_flat_map(move |size| prop::collection::vec(event(weights.clone()), size));
        (joins, prop::collection::vec(step, 0..60)).prop_map(move |(mut steps, more)| {
            steps.extend(more);
            History { bits, steps }
        })
    })
}

/// Random histories, with all kinds of weights.
pub fn history() -> impl Strategy<Value = History> {
    history_of(prop_oneof![3 => Just(1u16), 3 => 1..=10u16, 1 => any::<u16>()].boxed())
}

/// Random histories in which all ports weigh the same.
pub fn history_of_equals() -> impl Strategy<Value = History> {
    history_of(Just(1).boxed())
}

/// Any ports at all, with anything set.
pub fn any_ports() -> impl Strategy<Value = Ports> {
    let flags = || any::<[bool; 4]>();
    let port = (prop_oneof![0..4u16, any::<u16>()], any::<u16>(), flags());
    prop::collection::vec(prop::option::of(port), 0..=64).prop_map(|list| {
        let mut ports = Ports::default();
        for (id, port) in PortId::all().zip(list) {
            let view = port.map(
                |(priority, weight, [act, carrier, held, held_back])| PortView {
                    priority,
                    weight,
                    state: if act { LinkState::Act } else { LinkState::Sby },
                    carrier,
                    held,
                    held_back,
                    rank: 0,
                },
            );
            ports.set(id, view);
        }
        ports
    })
}
