// SPDX-License-Identifier: GPL-2.0

//! Brings stand-ins, claims and slots into line with the ports.

use super::claims::{
    self,
    Claim, //
};
use super::port::{
    from_slot,
    PortId,
    PortSet,
    PortView,
    Ports, //
};
use super::spares::StandIns;
use super::table::{
    resolve,
    Bucket, //
};

/// Chooses the stand-ins and the links of `claims`, gives each bucket of `table` to the port that
/// is to carry it, and returns the number of moves.
///
/// `theirs` are the spares that claims of peers hold, `doubts` the ports that no claim may get.
/// This sets `held` of `ports`. A port that is held back, but had to take all its buckets back, is
/// not held back afterwards. `moves` is called as by [`resolve`].
pub fn switch(
    table: &[Bucket],
    ports: &mut Ports,
    stand_ins: &mut StandIns,
    claims: &mut [Claim],
    theirs: PortSet,
    doubts: PortSet,
    mut moves: impl FnMut(Option<PortId>, Option<PortId>, Option<PortId>),
) -> usize {
    let mut moved = 0usize;
    loop {
        hold(ports, theirs);
        stand_ins.let_go(ports);
        claims::let_go(claims, ports, stand_ins.in_use(), doubts);
        hold(ports, theirs | claims::held(claims, ports));
        stand_ins.take(ports);
        claims::take(claims, ports, stand_ins.in_use(), doubts);

        moved = moved.saturating_add(resolve(table, stand_ins, ports, &mut moves));
        // A port that has returned does not need its stand-in any more, so another port may have
        // it. Each turn releases at least one port.
        let returned = returned(table, ports);
        if returned.is_empty() {
            return moved;
        }
        for id in returned.iter() {
            change(ports, id, |view| view.held_back = false);
        }
    }
}

fn change(ports: &mut Ports, id: PortId, change: impl FnOnce(&mut PortView)) {
    if let Some(mut view) = ports.get(id).copied() {
        change(&mut view);
        ports.set(id, Some(view));
    }
}

/// Makes `held` the ports that claims hold.
fn hold(ports: &mut Ports, held: PortSet) {
    for id in PortId::all() {
        change(ports, id, |view| view.held = held.contains(id));
    }
}

/// Returns the ports that are held back, but carry all of their buckets.
fn returned(table: &[Bucket], ports: &Ports) -> PortSet {
    let held_back = ports.select(PortView::is_held_back);
    if held_back.is_empty() {
        return held_back;
    }
    let away = table.iter().filter(|bucket| bucket.slot() != bucket.home());
    let away: PortSet = away.filter_map(|bucket| from_slot(bucket.home())).collect();
    held_back & !away
}
