// SPDX-License-Identifier: GPL-2.0

//! How long the largest table takes, and the tests of as many links as there can be:
//! `cargo run --release --example time`.

use std::hint::black_box;
use std::time::{Duration, Instant};
use trunk_core::health::{Health, Link, Reason, View};
use trunk_core::port::*;
use trunk_core::spares::StandIns;
use trunk_core::table::{assign_homes, resolve, Bucket};
use trunk_core::wire::{Identity, Kind, Probe};
use trunk_core::{MAX_BITS, MAX_PORTS};

struct Trunk {
    ports: Ports,
    table: Vec<Bucket>,
    stand_ins: StandIns,
}

impl Trunk {
    fn set(&mut self, index: usize, priority: u16, weight: u16, state: LinkState) {
        let port = PortView {
            priority,
            weight,
            state,
            carrier: state == LinkState::Act,
            held: false,
            held_back: false,
            rank: index as u8,
        };
        self.ports.set(PortId::new(index).unwrap(), Some(port));
    }

    fn assign(&mut self) -> usize {
        assign_homes(black_box(&self.table), &self.ports)
    }

    fn resolve(&mut self) -> usize {
        self.stand_ins.let_go(&self.ports);
        self.stand_ins.take(&self.ports);
        let table = black_box(&self.table);
        resolve(table, &self.stand_ins, &self.ports, |_, _, _| {})
    }
}

/// Prints the best of some runs of one `step` on fresh trunks, and what it moved.
fn report(name: &str, prepare: impl Fn(&mut Trunk), step: impl Fn(&mut Trunk) -> usize) {
    let mut best = (Duration::MAX, 0);
    for _ in 0..20 {
        let mut trunk = Trunk {
            ports: Ports::default(),
            table: (0..1 << MAX_BITS).map(|_| Bucket::empty()).collect(),
            stand_ins: StandIns::default(),
        };
        prepare(&mut trunk);
        let start = Instant::now();
        let moved = step(&mut trunk);
        best = best.min((start.elapsed(), moved));
    }
    println!("{name:46} {:5} us, {:5} moved", best.0.as_micros(), best.1);
}

fn main() {
    use LinkState::{Act, Sby};
    println!("{} buckets, {MAX_PORTS} ports", 1 << MAX_BITS);
    let equal = |trunk: &mut Trunk| (0..MAX_PORTS).for_each(|i| trunk.set(i, 1, 1, Act));
    let ready = |trunk: &mut Trunk| {
        equal(trunk);
        trunk.assign();
        trunk.resolve();
    };
    let uneven = |trunk: &mut Trunk| {
        equal(trunk);
        trunk.set(0, 1, u16::MAX, Act);
    };
    report("assign, fresh, equal weights", equal, Trunk::assign);
    report("assign, fresh, one weighs 65,535", uneven, Trunk::assign);
    report(
        "assign, one leaves that had nearly all",
        |trunk| {
            uneven(trunk);
            trunk.assign();
            trunk.set(0, 2, 1, Act);
        },
        Trunk::assign,
    );
    report(
        "assign, the 64th joins",
        |trunk| {
            equal(trunk);
            trunk.set(63, 2, 1, Act);
            trunk.assign();
            trunk.set(63, 1, 1, Act);
        },
        Trunk::assign,
    );
    report("resolve, nothing to do", ready, Trunk::resolve);
    report(
        "resolve, one fails, no spare",
        |trunk| {
            ready(trunk);
            trunk.set(9, 1, 1, Sby);
        },
        Trunk::resolve,
    );
    report(
        "resolve, 32 fail, no spare",
        |trunk| {
            ready(trunk);
            (0..32).for_each(|i| trunk.set(i, 1, 1, Sby));
        },
        Trunk::resolve,
    );
    report(
        "resolve, 32 fail, 32 spares",
        |trunk| {
            equal(trunk);
            (32..64).for_each(|i| trunk.set(i, 2, 1, Act));
            trunk.assign();
            trunk.resolve();
            (0..32).for_each(|i| trunk.set(i, 1, 1, Sby));
        },
        Trunk::resolve,
    );
    report(
        "resolve, all of them turn up",
        |trunk| {
            equal(trunk);
            trunk.assign();
        },
        Trunk::resolve,
    );
    health();
}

/// Prints the best of some rounds of tests, part by part, then what links cost that are dead in one
/// direction.
fn health() {
    let identity = |system| Identity { system, trunk: 1 };
    let mut health = Health::new(identity(1));
    for id in PortId::all() {
        health.add(id, Box::new(Link::new(1)));
    }
    let interval = u64::from(health.settings().interval) * 1_000;
    let timeout = u64::from(health.settings().reply_timeout) * 1_000;
    let (all, view) = (!PortSet::EMPTY, View::default());
    health.start(interval);

    const PARTS: [&str; 5] = [
        "health, 64 tests sent",
        "health, 64 tests answered",
        "health, 64 replies taken",
        "health, end of a round, 64 verdicts",
        "health, the same, none but tests comes in",
    ];
    let mut best = [Duration::MAX; PARTS.len()];
    for round in 1..200u64 {
        let works = round < 100;
        let mut now = round * interval;
        let mut start = Instant::now();
        let mut took = |part: usize| {
            best[part] = best[part].min(start.elapsed());
            start = Instant::now();
        };
        let due = health.tick(now, all).test;
        let nonce = |id: PortId| round * 100 + id.index() as u64;
        let test = |id| health.test(id, nonce(id), now, &view);
        let tests: Vec<_> = due.iter().filter_map(test).collect();
        took(0);

        // The peer's own are as these are, but that they are the peer's.
        now += timeout / 2;
        let theirs = |test: &Probe, kind| Probe {
            kind,
            from: identity(2),
            usable: true,
            nonce: test.nonce + 50,
            echo: if works { test.nonce } else { 0 },
            heard: if works { u64::MAX } else { 0 },
            ..*test
        };
        let mut receive = |kind| {
            for (id, test) in due.iter().zip(&tests) {
                black_box(health.receive(id, &theirs(test, kind), now, &view));
            }
        };
        receive(Kind::Test);
        took(1);
        if works {
            receive(Kind::Reply);
            took(2);
        }
        health.tick(now + timeout, all);
        let is = |id: &PortId| health.verdict(*id).reason == Reason::OneWayRx;
        let dead = PortId::all().filter(is).count();
        if works || dead == MAX_PORTS {
            took(if works { 3 } else { 4 });
        }
    }
    for (name, best) in PARTS.iter().zip(best) {
        println!("{name:46} {:5} ns", best.as_nanos());
    }
}
