// SPDX-License-Identifier: GPL-2.0

//! The table: the home of each bucket, and the port that carries it now.

use super::deal::{
    shares,
    step,
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

/// Gives each bucket a working port for its home, and returns the number of homes that changed.
///
/// `homes` has one slot a bucket, at most 2^[`MAX_BITS`](super::MAX_BITS) of them, and holds the
/// result of the last call; all [`NO_PORT`] makes a fresh table, dealt out in turns: bucket i to
/// the (i mod P)-th of P ports of one weight. The number a working port gets is less than one off
/// its share by weight, whatever the states of the links. Within that bound no call moves more
/// homes than it must: a port that joins takes its own share and one that leaves gives away its
/// own, spread over the table and over the other ports. Without a working port there are no homes.
pub fn assign_homes(homes: &mut [Slot], ports: &Ports) -> usize {
    let working = ports.select(PortView::is_working);
    let need = release(homes, ports, working);
    let mut deal = Dealer::new(need, working);
    let mut moved = 0usize;
    for slot in homes.iter_mut().filter(|slot| **slot == NO_PORT) {
        let Some(home) = deal.next() else {
            break;
        };
        *slot = to_slot(Some(home));
        moved = moved.saturating_add(1);
    }
    moved
}

/// Takes from `homes` what its port is to lose, and returns what each of `working` is to get.
#[inline(never)] // Its stack is gone before the deal.
fn release(homes: &mut [Slot], ports: &Ports, working: PortSet) -> PerPort<u32> {
    let mut has = PerPort::new(0u32);
    for slot in homes.iter_mut() {
        match from_slot(*slot).filter(|id| working.contains(*id)) {
            Some(id) => has[id] = has[id].saturating_add(1),
            None => *slot = NO_PORT,
        }
    }
    let buckets = u32::try_from(homes.len()).unwrap_or(u32::MAX);
    let share = shares(ports, working, buckets, &has);

    // Each giver starts at another phase, lest neighbours in the table be taken together.
    let givers: PortSet = working.iter().filter(|id| has[*id] > share[*id]).collect();
    let mut credit = PerPort::new(0u32);
    for (rank, id) in (0u32..).zip(givers.iter()) {
        let phase = has[id].saturating_mul(rank);
        credit[id] = phase.checked_div(givers.len()).unwrap_or(0);
    }
    for slot in homes.iter_mut() {
        if let Some(id) = from_slot(*slot).filter(|id| givers.contains(*id)) {
            let surplus = has[id].saturating_sub(share[id]);
            if step(&mut credit[id], surplus, has[id]) {
                *slot = NO_PORT;
            }
        }
    }

    let mut need = PerPort::new(0);
    for id in working.iter() {
        need[id] = share[id].saturating_sub(has[id]);
    }
    need
}

/// What becomes of the buckets of one home.
#[derive(Clone, Copy)]
enum Plan {
    /// This port carries them: the home itself, or its stand-in.
    Carry(PortId),
    /// The home may carry them, but is held back: they stay where they are as long as they can.
    Wait,
    /// Other homes' ports carry them.
    Spread,
}

/// Has each bucket carried by the port that is due to carry it, and returns the number of moves.
///
/// `current(bucket)` reads the slot of a bucket; `mv(bucket, slot)` writes it, and is called only
/// where the slot changes. Slots are read more than once, so nobody else may write them meanwhile.
///
/// - A home that is usable and not held back carries its own buckets, and nothing moves them.
/// - A home with a stand-in has all its buckets carried by that.
/// - A failed home without one has its buckets spread evenly over the working ports in service, or
///   if there are none, over the stand-ins, or if there are none, has them all on the best usable
///   port. A bucket once spread stays, as long as its port is one of these.
/// - A home held back without a stand-in gets back only those whose port is no longer one of these.
/// - [`NO_PORT`] is the answer only when no port is usable, not even as the last resort.
pub fn resolve(
    homes: &[Slot],
    stand_ins: &StandIns,
    ports: &Ports,
    current: impl Fn(usize) -> Slot,
    mut mv: impl FnMut(usize, Slot),
) -> usize {
    let usable = ports.usable();
    let working = ports.select(PortView::is_working);
    let in_service = working & usable & !ports.select(PortView::is_held_back);

    let mut plans = PerPort::new(Plan::Spread);
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

    let spread = homes
        .iter()
        .enumerate()
        .filter(|(_, home)| matches!(plan(from_slot(**home)), Plan::Spread))
        .map(|(bucket, _)| stays(from_slot(current(bucket))));
    let mut deal = Dealer::new(level(targets, spread), targets);

    let mut moved = 0usize;
    for (bucket, home) in homes.iter().enumerate() {
        let home = from_slot(*home);
        let now = current(bucket);
        let port = match plan(home) {
            Plan::Carry(port) => Some(port),
            Plan::Wait => stays(from_slot(now)).or(home),
            Plan::Spread => stays(from_slot(now)).or_else(|| deal.next()),
        };
        let slot = to_slot(port);
        if slot != now {
            mv(bucket, slot);
            moved = moved.saturating_add(1);
        }
    }
    moved
}

/// How many more buckets each of `targets` is to get, for all to have as many as each other.
///
/// `spread` gives, for each bucket to be spread, the target it stays on, or `None` if it is yet to
/// be dealt. A target on which more stay than its even part gets none.
#[inline(never)] // Its stack is gone before the deal.
fn level(targets: PortSet, spread: impl Iterator<Item = Option<PortId>>) -> PerPort<u32> {
    let mut has = PerPort::new(0u32);
    let mut total = 0u32;
    for port in spread {
        total = total.saturating_add(1);
        if let Some(id) = port {
            has[id] = has[id].saturating_add(1);
        }
    }

    let mut low = targets;
    let mut need = PerPort::new(0);
    loop {
        let part = total.checked_div(low.len()).unwrap_or(0);
        let Some(high) = low.iter().find(|id| has[*id] > part) else {
            let more = total.checked_rem(low.len()).unwrap_or(0);
            for (rank, id) in (0u32..).zip(low.iter()) {
                let part = part.saturating_add(u32::from(rank < more));
                need[id] = part.saturating_sub(has[id]);
            }
            return need;
        };
        low.remove(high);
        total = total.saturating_sub(has[high]);
    }
}
