// SPDX-License-Identifier: GPL-2.0

//! Ports as the table sees them: numbers, states, sets.

use super::uapi::Redundancy;
pub use super::uapi::State as LinkState;
use super::MAX_PORTS;
use ::core::ops::{
    BitAnd,
    BitOr,
    Index,
    IndexMut,
    Not, //
};

/// A port's number within its trunk.
///
/// # Invariants
///
/// Less than [`MAX_PORTS`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PortId(u8);

impl PortId {
    /// Returns the port of number `index`, `None` if no trunk can have such a port.
    #[inline]
    pub const fn new(index: usize) -> Option<Self> {
        if index < MAX_PORTS {
            // INVARIANT: Just checked; `MAX_PORTS` fits in a `u8`.
            Some(Self(index as u8))
        } else {
            None
        }
    }

    /// Returns the number, less than [`MAX_PORTS`].
    #[inline]
    pub const fn index(self) -> usize {
        // The remainder changes nothing; it shows the bound to the compiler.
        self.0 as usize % MAX_PORTS
    }

    /// Returns all possible ports, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..MAX_PORTS).filter_map(Self::new)
    }
}

/// One byte of a table: a port's number, or a negative number for no port.
pub type Slot = i8;

/// The slot that names no port.
pub const NO_PORT: Slot = -1;

/// Returns the slot that names `port`.
#[inline]
pub const fn to_slot(port: Option<PortId>) -> Slot {
    match port {
        Some(id) => id.0 as Slot,
        None => NO_PORT,
    }
}

/// Returns the port that `slot` names. A value that is not the number of a port names none.
#[inline]
pub const fn from_slot(slot: Slot) -> Option<PortId> {
    if slot < 0 {
        None
    } else {
        PortId::new(slot as usize)
    }
}

/// What the choice of ports depends on, for one port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortView {
    /// 1 is a working port. 2 and more is a spare, the lower number first. 0 counts as 1.
    pub priority: u16,
    /// Share of a working port, in proportion to the weights of the others. 0 counts as 1.
    pub weight: u16,
    /// Whether the link is usable.
    pub state: LinkState,
    /// The link has carrier. Only this counts when every port is `sby`.
    pub carrier: bool,
    /// A claim of this end or of the peer holds this spare, so it is not free to stand in.
    pub held: bool,
    /// This working port is `act` again, but the failback policy does not let it return yet. This
    /// means nothing for a port that is `sby`.
    pub held_back: bool,
    /// Orders ports of one priority, the lower rank first. Ports of one rank are ordered by number.
    /// Where the two ends number a link differently, one end takes the number of the other, so that
    /// both come to the same choice.
    pub rank: u8,
}

impl PortView {
    /// Returns whether it is a working port, which has buckets of its own.
    pub const fn is_working(&self) -> bool {
        self.priority <= 1
    }

    /// Returns whether its link state is `act`.
    pub const fn is_act(&self) -> bool {
        matches!(self.state, LinkState::Act)
    }

    /// Returns whether it is `act`, but has to wait for its buckets.
    pub const fn is_held_back(&self) -> bool {
        self.is_act() && self.held_back
    }
}

/// One value for each port a trunk can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerPort<T>([T; MAX_PORTS]);

impl<T: Copy + Default> Default for PerPort<T> {
    #[inline]
    fn default() -> Self {
        Self([T::default(); MAX_PORTS])
    }
}

impl<T> Index<PortId> for PerPort<T> {
    type Output = T;

    #[inline]
    #[expect(clippy::indexing_slicing)] // In range by the invariant of `PortId`.
    fn index(&self, id: PortId) -> &T {
        &self.0[id.index()]
    }
}

impl<T> IndexMut<PortId> for PerPort<T> {
    #[inline]
    #[expect(clippy::indexing_slicing)] // In range by the invariant of `PortId`.
    fn index_mut(&mut self, id: PortId) -> &mut T {
        &mut self.0[id.index()]
    }
}

/// The ports of a trunk (640 bytes, too large for a stack).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ports(PerPort<Option<PortView>>);

impl Ports {
    /// Returns the port of that number, if the trunk has it.
    pub fn get(&self, id: PortId) -> Option<&PortView> {
        self.0[id].as_ref()
    }

    /// Adds or replaces the port of that number; with `None`, removes it.
    pub fn set(&mut self, id: PortId, view: Option<PortView>) {
        self.0[id] = view;
    }

    /// Returns the ports there are, in order.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, &PortView)> {
        PortId::all().filter_map(|id| Some((id, self.get(id)?)))
    }

    /// Returns the ports for which `test` holds.
    pub fn select(&self, test: impl Fn(&PortView) -> bool) -> PortSet {
        self.iter()
            .filter(|(_, view)| test(view))
            .map(|(id, _)| id)
            .collect()
    }

    /// Returns the ports that may carry frames: those that are `act`. If none is `act`, returns the
    /// last resort, those with carrier: a frame that may arrive is better than none.
    pub fn usable(&self) -> PortSet {
        let act = self.select(PortView::is_act);
        if act.is_empty() {
            self.select(|view| view.carrier)
        } else {
            act
        }
    }

    /// Returns whether another port can still take over.
    pub fn redundancy(&self) -> Redundancy {
        let all = self.select(|_| true);
        let act = self.select(PortView::is_act);
        if act.len() < 2 {
            Redundancy::None
        } else if act == all {
            Redundancy::Full
        } else {
            Redundancy::Degraded
        }
    }

    /// Returns the first of `among` by priority, then rank, then number.
    pub fn best(&self, among: PortSet) -> Option<PortId> {
        among
            .iter()
            .filter_map(|id| self.get(id).map(|view| (view.priority, view.rank, id)))
            .min()
            .map(|(_, _, id)| id)
    }

    /// Returns all of `among` by priority, then rank, then number.
    pub fn by_rank(&self, mut among: PortSet) -> impl Iterator<Item = PortId> + '_ {
        ::core::iter::from_fn(move || {
            let best = self.best(among)?;
            among.remove(best);
            Some(best)
        })
    }
}

/// A set of ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortSet(u64);

impl PortSet {
    /// The set of no ports.
    pub const EMPTY: Self = Self(0);

    const fn bit(id: PortId) -> u64 {
        1u64.wrapping_shl(id.0 as u32)
    }

    /// Returns whether no port is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the number of ports in it.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Returns whether `id` is in it.
    #[inline]
    pub const fn contains(self, id: PortId) -> bool {
        self.0 & Self::bit(id) != 0
    }

    /// Returns one bit for each port, the lowest for number 0.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the set of these [`bits`](Self::bits).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Puts `id` in.
    pub fn insert(&mut self, id: PortId) {
        self.0 |= Self::bit(id);
    }

    /// Takes `id` out.
    pub fn remove(&mut self, id: PortId) {
        self.0 &= !Self::bit(id);
    }

    /// Takes the port of the lowest number out, and returns it.
    pub fn pop_first(&mut self) -> Option<PortId> {
        // No bit set: 64 trailing zeros, which is no port.
        let id = PortId::new(self.0.trailing_zeros() as usize)?;
        self.remove(id);
        Some(id)
    }

    /// Returns its ports, in order.
    pub fn iter(mut self) -> impl Iterator<Item = PortId> + Clone {
        ::core::iter::from_fn(move || self.pop_first())
    }
}

impl FromIterator<PortId> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortId>>(ids: I) -> Self {
        let mut set = Self::EMPTY;
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

impl BitAnd for PortSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for PortSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for PortSet {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_port))]
mod tests {
    use super::super::testing::{
        id,
        ports, //
    };
    use super::*;

    #[test]
    fn every_slot_names_a_port_or_none() {
        for slot in Slot::MIN..=Slot::MAX {
            let port = from_slot(slot);
            let named = (0..MAX_PORTS as Slot).contains(&slot);
            assert_eq!(port.is_some(), named);
            assert_eq!(to_slot(port), if named { slot } else { NO_PORT });
            assert_eq!(
                port.map(PortId::index),
                usize::try_from(slot).ok().filter(|_| named)
            );
        }
        assert_eq!(PortId::new(MAX_PORTS), None);
        assert_eq!(PortId::all().count(), MAX_PORTS);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let odd: PortSet = PortId::all().filter(|id| id.index() % 2 == 1).collect();
        assert_eq!(odd.len(), 32);
        assert!(PortId::all().all(|id| odd.contains(id) == (id.index() % 2 == 1)));
        assert!(odd
            .iter()
            .eq(PortId::all().filter(|id| id.index() % 2 == 1)));
        assert!((odd & !odd).is_empty());
        assert_eq!((odd | !odd).len(), 64);

        let mut rest = !odd;
        assert_eq!(rest.pop_first(), id(0));
        assert_eq!(rest.pop_first(), id(2));
        assert_eq!(rest.len(), 30);
        assert_eq!((odd & !odd).iter().next(), None);
    }

    #[test]
    fn usable_is_act_or_else_carrier() {
        let cases: [(&str, &[Slot]); 6] = [
            ("1a 1s 2a", &[0, 2]),
            ("1c 1s 2a", &[2]),
            ("1ab 1c 2ah", &[0, 2]),
            ("1c 1s 2c", &[0, 2]),
            ("1s 1s 2s", &[]),
            ("- - -", &[]),
        ];
        for (line, usable) in cases {
            assert_eq!(
                ports(line).usable(),
                usable.iter().filter_map(|n| id(*n)).collect()
            );
        }
    }

    #[test]
    fn redundancy_is_what_can_still_fail() {
        for (line, redundancy) in [
            ("- -", Redundancy::None),
            ("1a", Redundancy::None),
            ("1a 1s 2s", Redundancy::None),
            ("1a 1a", Redundancy::Full),
            ("1a 2a 1ab", Redundancy::Full),
            ("1a 1s 2a", Redundancy::Degraded),
        ] {
            assert_eq!(ports(line).redundancy(), redundancy);
        }
    }

    #[test]
    fn best_is_by_priority_then_number() {
        for (line, best) in [
            ("2a 1a 1a", 1),
            ("3a 2a 2a", 1),
            ("- 9a 3a", 2),
            ("- - -", NO_PORT),
        ] {
            let ports = ports(line);
            assert_eq!(ports.best(ports.usable()), id(best));
        }
    }

    #[test]
    fn ranks_decide_between_ports_of_one_priority() {
        let mut ports = ports("2a 1a 2a 1a 1a");
        for (number, rank) in [(0, 0), (1, 3), (2, 1), (3, 2), (4, 2)] {
            if let Some(port) = id(number) {
                let view = ports.get(port).copied();
                ports.set(port, view.map(|view| PortView { rank, ..view }));
            }
        }
        let order = [3, 4, 1, 0, 2];
        assert!(ports
            .by_rank(ports.usable())
            .eq(order.into_iter().filter_map(id)));
        let without = !id(3).into_iter().collect::<PortSet>();
        assert_eq!(ports.best(ports.usable() & without), id(4));
    }
}
