// SPDX-License-Identifier: GPL-2.0

//! How long the largest table takes: `cargo run --release --example time`.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};
use trunk_core::port::*;
use trunk_core::spares::StandIns;
use trunk_core::table::{assign_homes, resolve};
use trunk_core::{MAX_BITS, MAX_PORTS};

struct Trunk {
    ports: Ports,
    homes: Vec<Slot>,
    stand_ins: StandIns,
    slots: Vec<Cell<Slot>>,
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
        };
        self.ports.set(PortId::new(index).unwrap(), Some(port));
    }

    fn assign(&mut self) -> usize {
        assign_homes(black_box(&mut self.homes), &self.ports)
    }

    fn resolve(&mut self) -> usize {
        self.stand_ins.update(&self.ports);
        resolve(
            black_box(&self.homes),
            &self.stand_ins,
            &self.ports,
            |bucket| self.slots[bucket].get(),
            |bucket, slot| self.slots[bucket].set(slot),
        )
    }
}

/// Prints the best of some runs of one `step` on fresh trunks, and what it moved.
fn report(name: &str, prepare: impl Fn(&mut Trunk), step: impl Fn(&mut Trunk) -> usize) {
    let mut best = (Duration::MAX, 0);
    for _ in 0..20 {
        let mut trunk = Trunk {
            ports: Ports::new(),
            homes: vec![NO_PORT; 1 << MAX_BITS],
            stand_ins: StandIns::new(),
            slots: vec![Cell::new(NO_PORT); 1 << MAX_BITS],
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
}
