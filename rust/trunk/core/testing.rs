// SPDX-License-Identifier: GPL-2.0

//! What the tests of this folder share. Nothing here asserts: under KUnit, that is for tests alone.

use super::port::{
    from_slot,
    LinkState,
    PortId,
    PortView,
    Ports,
    Slot,
    NO_PORT, //
};
use super::spares::StandIns;
use super::table::{
    assign_homes,
    resolve, //
};
use ::core::cell::Cell;

/// Ports from a line such as `"1a 1s 2ah 1a*3 -"`: each is a priority, then letters (`a`: `act`,
/// `s`: `sby`, `c`: `sby` with carrier, `h`: held by a claim, `b`: held back), then perhaps `*` and
/// a weight of one digit. `-` leaves the number out.
pub(super) fn ports(line: &str) -> Ports {
    let mut ports = Ports::new();
    for (id, word) in PortId::all().zip(line.split(' ')) {
        let (word, weight) = word.split_once('*').unwrap_or((word, "1"));
        let number = |digit: Option<char>| Some(digit?.to_digit(10)? as u16);
        ports.set(
            id,
            number(word.chars().next()).map(|priority| PortView {
                priority,
                weight: number(weight.chars().next()).unwrap_or(1),
                state: if word.contains('a') {
                    LinkState::Act
                } else {
                    LinkState::Sby
                },
                carrier: !word.contains('s'),
                held: word.contains('h'),
                held_back: word.contains('b'),
                rank: id.index() as u8,
            }),
        );
    }
    ports
}

/// The port of that number; of none, if there can be none.
pub(super) fn id(number: Slot) -> Option<PortId> {
    from_slot(number)
}

/// A trunk with `N` buckets, kept as the driver keeps it.
pub(super) struct Trunk<const N: usize> {
    pub(super) homes: [Slot; N],
    /// The homes that the user has set.
    pub(super) set: [Slot; N],
    pub(super) stand_ins: StandIns,
    slots: [Cell<Slot>; N],
}

impl<const N: usize> Trunk<N> {
    /// A trunk configured with the ports of that line.
    pub(super) fn new(line: &str) -> Self {
        let mut trunk = Self {
            homes: [NO_PORT; N],
            set: [NO_PORT; N],
            stand_ins: StandIns::new(),
            slots: [const { Cell::new(NO_PORT) }; N],
        };
        trunk.configure(line);
        trunk
    }

    /// Its ports, weights or priorities are now those of that line. Returns the homes moved.
    pub(super) fn configure(&mut self, line: &str) -> usize {
        let moved = assign_homes(&mut self.homes, &self.set, &ports(line));
        self.change(line);
        moved
    }

    /// The states of its ports are now those of that line. Returns the buckets moved.
    pub(super) fn change(&mut self, line: &str) -> usize {
        let ports = ports(line);
        self.stand_ins.update(&ports);
        let slots = &self.slots;
        resolve(
            &self.homes,
            &self.stand_ins,
            &ports,
            |bucket| slots.get(bucket).map_or(NO_PORT, Cell::get),
            |bucket, slot| {
                if let Some(cell) = slots.get(bucket) {
                    cell.set(slot);
                }
            },
        )
    }

    /// The ports that carry the buckets.
    pub(super) fn slots(&self) -> [Slot; N] {
        self.slots.each_ref().map(Cell::get)
    }
}
