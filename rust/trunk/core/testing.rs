// SPDX-License-Identifier: GPL-2.0

//! What the tests of this folder share. Nothing here asserts: under KUnit, that is for tests alone.

use super::claims::Claim;
use super::port::{
    from_slot,
    LinkState,
    PortId,
    PortSet,
    PortView,
    Ports,
    Slot, //
};
use super::spares::StandIns;
use super::switch::switch;
use super::table::{
    assign_homes,
    Bucket, //
};

/// Ports from a line such as `"1a 1s 2ah 1a*3 -"`: each is a priority, then letters (`a`: `act`,
/// `s`: `sby`, `c`: `sby` with carrier, `h`: held by a claim, `b`: held back), then perhaps `*` and
/// a weight of one digit. `-` leaves the number out.
pub(super) fn ports(line: &str) -> Ports {
    let mut ports = Ports::default();
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

/// The table of a trunk with `N` buckets, and who stands in for whom.
pub(super) struct Trunk<const N: usize> {
    table: [Bucket; N],
    pub(super) stand_ins: StandIns,
}

impl<const N: usize> Trunk<N> {
    /// A trunk configured with the ports of that line.
    pub(super) fn new(line: &str) -> Self {
        let mut trunk = Self {
            table: [const { Bucket::empty() }; N],
            stand_ins: StandIns::default(),
        };
        trunk.configure(line);
        trunk
    }

    /// The user chooses these homes.
    pub(super) fn choose(&self, homes: [Slot; N]) {
        for (bucket, home) in self.table.iter().zip(homes) {
            bucket.choose(home);
        }
    }

    /// Its ports, weights or priorities are now those of that line. Returns the homes moved.
    pub(super) fn configure(&mut self, line: &str) -> usize {
        let moved = assign_homes(&self.table, &ports(line));
        self.change(line);
        moved
    }

    /// Its ports are now those of that line, and these are the claims to them.
    pub(super) fn serve(&mut self, claims: &mut [Claim], line: &str) {
        assign_homes(&self.table, &ports(line));
        self.switch(claims, line);
    }

    /// The states of its ports are now those of that line. Returns the buckets moved.
    pub(super) fn change(&mut self, line: &str) -> usize {
        self.switch(&mut [], line)
    }

    fn switch(&mut self, claims: &mut [Claim], line: &str) -> usize {
        let mut ports = ports(line);
        let theirs = ports.select(|view| view.held);
        let stand_ins = &mut self.stand_ins;
        switch(
            &self.table,
            &mut ports,
            stand_ins,
            claims,
            theirs,
            PortSet::EMPTY,
            |_, _, _| {},
        )
    }

    /// The homes of the buckets.
    pub(super) fn homes(&self) -> [Slot; N] {
        self.table.each_ref().map(Bucket::home)
    }

    /// The ports that carry the buckets.
    pub(super) fn slots(&self) -> [Slot; N] {
        self.table.each_ref().map(Bucket::slot)
    }
}
