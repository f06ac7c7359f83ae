// SPDX-License-Identifier: GPL-2.0

//! The table: the home of each bucket, and the port that carries it.

use super::deal::{
    shares,
    Dealer, //
};
use super::port::{
    from_slot,
    to_slot,
    PerPort,
    PortId,
    PortSet,
    PortView,
    Ports,
    Slot,
    NO_PORT, //
};
use super::spares::StandIns;
use ::core::sync::atomic::{
    AtomicI8,
    Ordering, //
};

/// One bucket of a table. Frames read it at any time. Writers take turns.
#[derive(Debug)]
// A power of two: its place in the table is part of the instruction that reads it.
#[repr(align(4))]
pub struct Bucket {
    slot: AtomicI8,
    home: AtomicI8,
    chosen: AtomicI8,
}

impl Bucket {
    /// Makes a bucket with these slots: the port that carries it, its home, and the home that the
    /// user has chosen.
    pub const fn new(slot: Slot, home: Slot, chosen: Slot) -> Self {
        Self {
            slot: AtomicI8::new(slot),
            home: AtomicI8::new(home),
            chosen: AtomicI8::new(chosen),
        }
    }

    /// Makes a bucket without any port.
    pub const fn empty() -> Self {
        Self::new(NO_PORT, NO_PORT, NO_PORT)
    }

    /// Returns the slot of the port that carries the bucket.
    #[inline(always)]
    pub fn slot(&self) -> Slot {
        self.slot.load(Ordering::Relaxed)
    }

    /// Makes `port` carry the bucket.
    pub fn set_slot(&self, port: Slot) {
        self.slot.store(port, Ordering::Relaxed);
    }

    /// Returns the slot of the working port that the bucket belongs to.
    pub fn home(&self) -> Slot {
        self.home.load(Ordering::Relaxed)
    }

    fn set_home(&self, home: Slot) {
        self.home.store(home, Ordering::Relaxed);
    }

    /// Returns the slot of the home that the user has chosen.
    pub fn chosen(&self) -> Slot {
        self.chosen.load(Ordering::Relaxed)
    }

    /// Makes `home` the choice of the user. [`assign_homes`] follows it.
    pub fn choose(&self, home: Slot) {
        self.chosen.store(home, Ordering::Relaxed);
    }

    /// Returns whether the user has chosen a working port as its home.
    fn is_chosen(&self, working: PortSet) -> bool {
        from_slot(self.chosen()).is_some_and(|id| working.contains(id))
    }

    /// Copies all three slots of `other`.
    fn copy(&self, other: &Self) {
        self.set_slot(other.slot());
        self.set_home(other.home());
        self.choose(other.chosen());
    }
}

/// Copies the buckets of `old` to `new`. If `new` has more buckets, each old one is copied to all
/// the new ones that its frames go to.
pub fn inherit(new: &[Bucket], old: &[Bucket]) {
    for part in new.chunks(old.len().max(1)) {
        for (new, old) in part.iter().zip(old) {
            new.copy(old);
        }
    }
}

/// Forgets that the user has chosen the port `id`, which has joined or left. The next port of that
/// number is another one.
pub fn forget_choice(table: &[Bucket], id: PortId) {
    for bucket in table {
        if bucket.chosen() == to_slot(Some(id)) {
            bucket.choose(NO_PORT);
        }
    }
}

/// Gives each bucket a working port as its home, and returns the number of homes that changed.
///
/// `table` has at most 2^[`MAX_BITS`](super::MAX_BITS) buckets, with the homes of the last call. A
/// new table is dealt out in turns: bucket i to the (i mod P)-th of P ports of one weight. The
/// number of buckets of a working port is less than one off its share by weight. The states of the
/// links do not matter. Within that bound a call moves as few homes as possible: a port that joins
/// takes its own share, and one that leaves gives its share away, spread over the table and over
/// the other ports. Without a working port there are no homes.
///
/// Where the user has chosen a working port, that port is the home. The rules above are then those
/// of the other buckets.
pub fn assign_homes(table: &[Bucket], ports: &Ports) -> usize {
    let working = ports.select(PortView::is_working);
    let mut moved = 0usize;
    for bucket in table.iter().filter(|bucket| bucket.is_chosen(working)) {
        if bucket.home() != bucket.chosen() {
            bucket.set_home(bucket.chosen());
            moved = moved.saturating_add(1);
        }
    }
    let need = release(table, ports, working);
    moved.saturating_add(fill(table, &need, working))
}

/// Returns the buckets whose home the user has not chosen.
fn automatic(table: &[Bucket], working: PortSet) -> impl Iterator<Item = &Bucket> {
    table
        .iter()
        .filter(move |bucket| !bucket.is_chosen(working))
}

/// Takes the homes that each port is to lose from `table`, and returns how many each of `working`
/// is to get.
#[inline(never)] // So that its stack is not in use at the same time as that of `fill`.
fn release(table: &[Bucket], ports: &Ports, working: PortSet) -> PerPort<u32> {
    let mut has = PerPort::<u32>::default();
    let mut buckets = 0u32;
    for bucket in automatic(table, working) {
        buckets = buckets.saturating_add(1);
        match from_slot(bucket.home()).filter(|id| working.contains(*id)) {
            Some(id) => has[id] = has[id].saturating_add(1),
            None => bucket.set_home(NO_PORT),
        }
    }
    let mut need = shares(ports, working, buckets, &has);
    let mut surplus = PerPort::<u32>::default();
    for id in working.iter() {
        surplus[id] = has[id].saturating_sub(need[id]);
        need[id] = has[id].abs_diff(need[id]);
    }
    take(table, working, &has, &surplus, &mut need);
    need
}

/// Takes the `surplus` of each port from the automatic homes, and counts it down in `left`. Each
/// port `has` so many automatic homes.
///
/// The pace is even over the buckets of each port, and over the table as a whole, so that
/// neighbours are not taken together. Each bucket that is passed gives credit, and one that is
/// taken costs it.
fn take(
    table: &[Bucket],
    working: PortSet,
    has: &PerPort<u32>,
    surplus: &PerPort<u32>,
    left: &mut PerPort<u32>,
) {
    let givers: PortSet = PortId::all().filter(|id| surplus[*id] > 0).collect();
    let total = givers.iter().map(|id| surplus[id]);
    let total = total.fold(0, u32::saturating_add);

    // Ports begin apart from each other. The credit of half a bucket more leaves the two paces
    // room.
    let mut credit = PerPort::<u32>::default();
    for (rank, id) in (0..givers.len()).zip(givers.iter()) {
        let phase = has[id].saturating_mul(rank).checked_div(givers.len());
        credit[id] = phase.unwrap_or(0).saturating_add(has[id] / 2);
    }
    let whole = automatic(table, working).fold(0u32, |sum, _| sum.saturating_add(1));
    let mut pool = whole;
    for bucket in automatic(table, working) {
        pool = pool.saturating_add(total);
        let giver = from_slot(bucket.home()).filter(|id| givers.contains(*id) && left[*id] > 0);
        let Some(id) = giver else {
            continue;
        };
        credit[id] = credit[id].saturating_add(surplus[id]);
        if pool >= whole && credit[id] >= has[id] {
            pool = pool.saturating_sub(whole);
            credit[id] = credit[id].saturating_sub(has[id]);
            left[id] = left[id].saturating_sub(1);
            bucket.set_home(NO_PORT);
        }
    }
    // A few are left where the two paces did not go together.
    for bucket in automatic(table, working) {
        let giver = from_slot(bucket.home());
        if let Some(id) = giver.filter(|id| givers.contains(*id) && left[*id] > 0) {
            left[id] = left[id].saturating_sub(1);
            bucket.set_home(NO_PORT);
        }
    }
}

/// Deals the buckets that have no home, and returns how many were dealt.
#[inline(never)]
fn fill(table: &[Bucket], need: &PerPort<u32>, working: PortSet) -> usize {
    let mut deal = Dealer::new();
    deal.need = *need;
    deal.start(working);
    let mut dealt = 0usize;
    for bucket in table.iter().filter(|bucket| bucket.home() == NO_PORT) {
        let Some(home) = deal.next() else {
            break;
        };
        bucket.set_home(to_slot(Some(home)));
        dealt = dealt.saturating_add(1);
    }
    dealt
}

/// Which port carries the buckets of one home.
#[derive(Clone, Copy, Default)]
enum Plan {
    /// This port carries them: the home itself, or its stand-in.
    Carry(PortId),
    /// The home is held back. They stay where they are as long as they can.
    Wait,
    /// The ports of other homes carry them.
    #[default]
    Spread,
}

/// Gives each bucket to the port that is to carry it, and returns the number of moves.
///
/// `moves` is called for each slot that changes, with the home of the bucket and the port before
/// and after. Slots are read more than once, so no other thread may write them meanwhile.
///
/// - A home that is usable and not held back carries its own buckets, and nothing moves them.
/// - The stand-in of a home carries all its buckets.
/// - The buckets of a failed home without a stand-in are spread evenly over the working ports in
///   service. If there are none, they are spread over the stand-ins. If there are none of these
///   either, the best usable port carries them all. A bucket that is spread stays as long as its
///   port is one of these.
/// - A home that is held back, without a stand-in, gets back only the buckets whose port is no
///   longer one of these.
/// - A bucket has no port ([`NO_PORT`]) only when no port is usable, not even as the last resort.
pub fn resolve(
    table: &[Bucket],
    stand_ins: &StandIns,
    ports: &Ports,
    mut moves: impl FnMut(Option<PortId>, Option<PortId>, Option<PortId>),
) -> usize {
    let usable = ports.usable();
    let working = ports.select(PortView::is_working);
    let in_service = working & usable & !ports.select(PortView::is_held_back);

    let mut plans = PerPort::<Plan>::default();
    for home in working.iter() {
        let stand_in = stand_ins.of(home).filter(|id| usable.contains(*id));
        plans[home] = match stand_in {
            _ if in_service.contains(home) => Plan::Carry(home),
            Some(spare) => Plan::Carry(spare),
            None if usable.contains(home) => Plan::Wait,
            None => Plan::Spread,
        };
    }
    let plan = |home: Option<PortId>| home.map_or(Plan::Spread, |id| plans[id]);

    let targets = [
        in_service,
        stand_ins.in_use() & usable,
        ports.best(usable).into_iter().collect(),
    ];
    let targets = targets
        .into_iter()
        .find(|set| !set.is_empty())
        .unwrap_or(PortSet::EMPTY);
    let stays = |port: Option<PortId>| port.filter(|id| targets.contains(*id));

    let spread = table
        .iter()
        .filter(|bucket| matches!(plan(from_slot(bucket.home())), Plan::Spread))
        .map(|bucket| stays(from_slot(bucket.slot())));
    let mut deal = Dealer::new();
    level(targets, spread, &mut deal.need);
    deal.start(targets);

    let mut moved = 0usize;
    for bucket in table {
        let home = from_slot(bucket.home());
        let now = bucket.slot();
        let port = match plan(home) {
            Plan::Carry(port) => Some(port),
            Plan::Wait => stays(from_slot(now)).or(home),
            Plan::Spread => stays(from_slot(now)).or_else(|| deal.next()),
        };
        let slot = to_slot(port);
        if slot != now {
            moves(home, from_slot(now), port);
            bucket.set_slot(slot);
            moved = moved.saturating_add(1);
        }
    }
    moved
}

/// Sets in `need`, which is all 0, how many more buckets each of `targets` is to get, so that all
/// have equal numbers.
///
/// `spread` gives, for each bucket to be spread, the target it stays on, or `None` if it is yet to
/// be dealt. A target on which more stay than its even part gets none.
fn level(targets: PortSet, spread: impl Iterator<Item = Option<PortId>>, need: &mut PerPort<u32>) {
    // At first, what each has.
    let mut total = 0u32;
    for port in spread {
        total = total.saturating_add(1);
        if let Some(id) = port {
            need[id] = need[id].saturating_add(1);
        }
    }

    let mut low = targets;
    while let Some(part) = total.checked_div(low.len()) {
        if let Some(high) = low.iter().find(|id| need[*id] > part) {
            low.remove(high);
            total = total.saturating_sub(need[high]);
            need[high] = 0;
            continue;
        }
        let more = total.checked_rem(low.len()).unwrap_or(0);
        for (rank, id) in (0..low.len()).zip(low.iter()) {
            let part = part.saturating_add(u32::from(rank < more));
            need[id] = part.saturating_sub(need[id]);
        }
        break;
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_table))]
mod tests {
    use super::super::testing::{
        ports,
        Trunk, //
    };
    use super::*;
    use ::core::array::from_fn;

    #[test]
    fn a_fresh_table_takes_the_ports_in_turn() {
        for (line, homes) in [
            ("1a 1a 1a 1a", [0, 1, 2, 3, 0, 1, 2, 3]),
            ("1a 1a 1a -", [0, 1, 2, 0, 1, 2, 0, 1]),
            ("2a 1s - 1a", [1, 3, 1, 3, 1, 3, 1, 3]),
            ("1a*6 1a*2 2a*9 -", [0, 0, 1, 0, 0, 0, 1, 0]),
            ("1a*4 1a*2 1a*1 1a*1", [0, 0, 1, 0, 2, 0, 1, 3]),
            ("2a 2a 3a -", [-1; 8]),
        ] {
            assert_eq!(Trunk::<8>::new(line).homes(), homes);
        }
    }

    #[test]
    fn joining_takes_a_fair_share_and_leaving_gives_it_back() {
        let mut trunk = Trunk::<16>::new("1a");
        for (line, moved, count) in [
            ("1a 1a", 8, [8, 8, 0, 0]),
            ("1a 1a 1a", 5, [6, 5, 5, 0]),
            ("1a 1a 1a 1s", 4, [4, 4, 4, 4]),
            ("1a 1a 1a 1s", 0, [4, 4, 4, 4]),
            // A spare has no buckets of its own.
            ("1a 1a 2a 1s", 4, [6, 5, 0, 5]),
            ("1a 1a - -", 5, [8, 8, 0, 0]),
            // Weights move the difference, no more.
            ("1a*3 1a", 4, [12, 4, 0, 0]),
            ("- -", 0, [0, 0, 0, 0]),
        ] {
            let before = trunk.homes();
            assert_eq!(trunk.configure(line), moved);
            let changed = before
                .into_iter()
                .zip(trunk.homes())
                .filter(|(a, b)| a != b);
            assert!(changed.count() == moved || line == "- -");
            for (id, count) in (0..).zip(count) {
                assert_eq!(
                    trunk.homes().into_iter().filter(|home| *home == id).count(),
                    count
                );
            }
        }
    }

    #[test]
    fn the_user_sets_homes_and_the_others_stay() {
        let mut trunk = Trunk::<8>::new("1a 1a 1a 2a");
        assert_eq!(trunk.homes(), [0, 1, 2, 0, 1, 2, 0, 1]);
        trunk.choose([2, 2, -1, -1, -1, -1, -1, -1]);
        assert_eq!(trunk.configure("1a 1a 1a 2a"), 2);
        assert_eq!(trunk.slots(), [2, 2, 2, 0, 1, 2, 0, 1]);
        // They fail over and back as any.
        trunk.change("1a 1a 1s 2a");
        assert_eq!(trunk.slots(), [3, 3, 3, 0, 1, 3, 0, 1]);
        // A spare, or a port there is not, is nobody's home.
        trunk.choose([3, 9, -1, -1, -1, -1, -1, -1]);
        assert_eq!(trunk.configure("1a 1a 1a 2a"), 1);
        assert_eq!(
            trunk.homes().into_iter().filter(|home| *home == 2).count(),
            3
        );
    }

    #[test]
    fn a_stand_in_takes_all_and_only_its_homes_buckets() {
        let mut trunk = Trunk::<8>::new("1a 1a 1a 1a 2a");
        assert_eq!(trunk.slots(), [0, 1, 2, 3, 0, 1, 2, 3]);
        assert_eq!(trunk.change("1a 1s 1a 1a 2a"), 2);
        assert_eq!(trunk.slots(), [0, 4, 2, 3, 0, 4, 2, 3]);
        assert_eq!(trunk.change("1a 1s 1a 1a 2a"), 0);
        assert_eq!(trunk.change("1a 1a 1a 1a 2a"), 2);
        assert_eq!(trunk.slots(), [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn without_a_spare_the_others_share_evenly() {
        let mut trunk = Trunk::<12>::new("1a 1a 1a 1a");
        assert_eq!(trunk.change("1a 1a 1a 1s"), 3);
        assert_eq!(trunk.slots(), [0, 1, 2, 0, 0, 1, 2, 1, 0, 1, 2, 2]);
        // The next to fail hands on its own buckets and those it had for the first.
        assert_eq!(trunk.change("1a 1s 1a 1s"), 4);
        assert_eq!(trunk.slots(), [0, 0, 2, 0, 0, 2, 2, 0, 0, 2, 2, 2]);
        // Back come the buckets of the one that recovers, no others.
        assert_eq!(trunk.change("1a 1a 1a 1s"), 3);
        assert_eq!(trunk.slots(), [0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2, 2]);
        assert_eq!(trunk.change("1a 1a 1a 1a"), 3);
        assert_eq!(trunk.slots(), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn a_spare_set_free_serves_the_next() {
        let mut trunk = Trunk::<8>::new("1a 1a 1a 1a 2a");
        trunk.change("1s 1s 1a 1a 2a");
        assert_eq!(trunk.slots(), [4, 2, 2, 3, 4, 3, 2, 3]);
        trunk.change("1a 1s 1a 1a 2a");
        assert_eq!(trunk.slots(), [0, 4, 2, 3, 0, 4, 2, 3]);
    }

    #[test]
    fn with_no_working_port_the_spares_carry_all() {
        let mut trunk = Trunk::<6>::new("1a 1a 1a 2a 3a");
        trunk.change("1s 1s 1s 2a 3a");
        assert_eq!(trunk.slots(), [3, 4, 3, 3, 4, 4]);
        // A claimed spare is better than nothing.
        trunk.change("1s 1s 1s 2s 3ah");
        assert_eq!(trunk.slots(), [4; 6]);
        // Nor need there be a working port at all.
        assert_eq!(Trunk::<4>::new("3a 2a").slots(), [1; 4]);
    }

    #[test]
    fn a_home_held_back_waits_until_it_must_return() {
        // With a stand-in: until that fails.
        let mut trunk = Trunk::<4>::new("1a 1a 2a 3a");
        trunk.change("1a 1s 2a 3a");
        assert_eq!(trunk.change("1a 1ab 2a 3a"), 0);
        assert_eq!(trunk.slots(), [0, 2, 0, 2]);
        trunk.change("1a 1ab 2s 3a");
        assert_eq!(trunk.slots(), [0, 1, 0, 1]);
        // It has returned, and stays when the spare is back.
        assert_eq!(trunk.change("1a 1ab 2a 3a"), 0);
        assert_eq!(trunk.change("1a 1a 2a 3a"), 0);

        // Without: until the ports that carry its buckets fail.
        let mut trunk = Trunk::<6>::new("1a 1a 1a");
        trunk.change("1a 1a 1s");
        assert_eq!(trunk.change("1a 1a 1ab"), 0);
        assert_eq!(trunk.slots(), [0, 1, 0, 0, 1, 1]);
        trunk.change("1a 1s 1ab");
        assert_eq!(trunk.slots(), [0, 0, 0, 0, 0, 2]);
        trunk.change("1a 1a 1a");
        assert_eq!(trunk.slots(), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn carrier_is_the_last_resort() {
        let mut trunk = Trunk::<8>::new("1a 1a 1a 2a");
        for (line, slots) in [
            // The peer died: all silent, carrier stays, nothing moves.
            ("1c 1c 1c 2c", [0, 1, 2, 0, 1, 2, 0, 1]),
            ("1s 1c 1c 2c", [3, 1, 2, 3, 1, 2, 3, 1]),
            ("1s 1s 1c 2s", [2; 8]),
            ("1s 1s 1s 2c", [3; 8]),
            ("1s 1s 1s 2s", [NO_PORT; 8]),
            // One `act` port is better than any carrier.
            ("1c 1c 1a 2c", [2; 8]),
            ("1c 1c 1s 2a", [3; 8]),
            ("- - - -", [NO_PORT; 8]),
            ("1a 1a 1a 2a", [0, 1, 2, 0, 1, 2, 0, 1]),
        ] {
            trunk.change(line);
            assert_eq!(trunk.slots(), slots);
        }
    }

    #[test]
    fn homes_without_their_port_are_carried_all_the_same() {
        // A port is gone before the homes were assigned anew.
        let mut trunk = Trunk::<4>::new("1a 1a");
        assert_eq!(trunk.change("1a -"), 2);
        assert_eq!(trunk.slots(), [0; 4]);
        // Slots that never were a port's are no port's.
        let table = [100, -7, 64, 0].map(|home| Bucket::new(NO_PORT, home, NO_PORT));
        assert_eq!(assign_homes(&table, &ports("1a 1a")), 3);
        assert_eq!(table.each_ref().map(Bucket::home), [0, 1, 1, 0]);
        assert_eq!(assign_homes(&[], &ports("1a 1a")), 0);
    }

    #[test]
    fn more_buckets_are_copies_of_those_there_were() {
        let old: [Bucket; 4] = from_fn(|n| Bucket::new(n as Slot, n as Slot + 1, n as Slot + 2));
        let new: [Bucket; 16] = from_fn(|_| Bucket::empty());
        inherit(&new, &old);
        for (n, bucket) in (0..).zip(&new) {
            let slots = (bucket.slot(), bucket.home(), bucket.chosen());
            assert_eq!(slots, (n % 4, n % 4 + 1, n % 4 + 2));
        }
        // Of fewer, the first.
        let few: [Bucket; 2] = from_fn(|_| Bucket::empty());
        inherit(&few, &new);
        assert_eq!(few.each_ref().map(Bucket::slot), [0, 1]);
        inherit(&few, &[]);
        assert_eq!(few.each_ref().map(Bucket::slot), [0, 1]);
    }
}
