// SPDX-License-Identifier: GPL-2.0

//! The properties of the table, over random histories of a trunk. Tests named `p1` to `p6` are
//! the six rules the table is built on; the others hold it against a model, and feed it nonsense.
//! `PROPTEST_CASES` sets how many histories each test goes through.

mod model;
mod world;

use model::{Due, Spares};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use trunk_core::far_end::{ways, Sight};
use trunk_core::port::*;
use trunk_core::spares::StandIns;
use trunk_core::table::{resolve, Bucket};
use trunk_core::uapi::FarEnd;
use world::{any_ports, history, history_of_equals, Change, Step, World};

/// How often each value occurs.
fn count<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    values.fold(BTreeMap::new(), |mut counts, value| {
        *counts.entry(value).or_default() += 1;
        counts
    })
}

fn spares(stand_ins: &StandIns) -> Spares {
    PortId::all()
        .filter_map(|home| Some((home, stand_ins.of(home)?)))
        .collect()
}

fn bring_into_line(stand_ins: &mut StandIns, ports: &Ports) {
    stand_ins.let_go(ports);
    stand_ins.take(ports);
}

fn weight(ports: &Ports, id: PortId) -> usize {
    ports.get(id).map_or(0, |port| port.weight.max(1).into())
}

/// Buckets to be spread: those of homes that failed and have no stand-in, and those without a home.
fn displaced(world: &World) -> Vec<usize> {
    let usable = model::usable(&world.ports);
    let spread = |home: Option<PortId>| {
        home.is_none_or(|id| !usable.contains(&id) && world.stand_ins.of(id).is_none())
    };
    let buckets = 0..world.homes.len();
    buckets
        .filter(|bucket| spread(world.home(*bucket)))
        .collect()
}

/// How many of the homes `had` must change for the ports and the user's wishes of `world`.
fn fewest_moves(had: &[Slot], world: &World) -> usize {
    let working = world.numbers(PortView::is_working);
    if working.is_empty() {
        return 0;
    }
    let wish = |bucket: usize| from_slot(world.set[bucket]).filter(|id| working.contains(id));
    let (set, others): (Vec<_>, Vec<_>) = (0..had.len()).partition(|b| wish(*b).is_some());
    let granted = set.iter().filter(|b| from_slot(had[**b]) != wish(**b));
    let granted = granted.count();
    // What can stay: each port's own up to its share rounded down, and one bucket more for as many
    // ports as there are buckets left over.
    let buckets = others.len();
    let total: usize = working.iter().map(|id| weight(&world.ports, *id)).sum();
    let had = count(others.iter().map(|bucket| from_slot(had[*bucket])));
    let (mut stay, mut left, mut more) = (0, buckets, 0);
    for id in working {
        let exact = buckets * weight(&world.ports, id);
        let had = had.get(&Some(id)).copied().unwrap_or(0);
        stay += had.min(exact / total);
        left -= exact / total;
        more += usize::from(had > exact / total && exact % total > 0);
    }
    granted + buckets - stay - more.min(left)
}

/// All tables, but for the largest, that grow from one port to 64 of the same weight.
#[test]
fn p2_homes_stay_interleaved_as_ports_join() {
    for bits in 0..=10 {
        let mut world = World::new(bits);
        for (index, id) in PortId::all().enumerate() {
            let port = PortView {
                priority: 1,
                weight: 1,
                state: LinkState::Act,
                carrier: true,
                held: false,
                held_back: false,
                rank: 0,
            };
            world.ports.set(id, Some(port));
            world.assign_homes();
            // No more than two neighbours have one home; up to 64 buckets, no two.
            let run = if bits <= 6 { 1 } else { 2 };
            let runs = world.homes.chunk_by(|one, other| one == other);
            assert!(index == 0 || runs.into_iter().all(|chunk| chunk.len() <= run));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p1_a_bucket_has_an_act_port_if_there_is_one(history in history()) {
        history.run(|Step { after, .. }| {
            let act = after.numbers(|port| port.state == LinkState::Act);
            let carrier = after.numbers(|port| port.carrier);
            for slot in &after.slots {
                match from_slot(*slot) {
                    Some(id) if act.is_empty() => prop_assert!(carrier.contains(&id)),
                    Some(id) => prop_assert!(act.contains(&id)),
                    None => prop_assert!(act.is_empty() && carrier.is_empty()),
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn p2_shares_are_within_one_bucket_of_the_weights(history in history()) {
        history.run(|Step { after, .. }| {
            let working = after.numbers(PortView::is_working);
            let total: usize = working.iter().map(|id| weight(&after.ports, *id)).sum();
            let buckets = after.homes.len();
            let homes = count((0..buckets).map(|bucket| after.home(bucket)));
            if working.is_empty() {
                prop_assert_eq!(homes, BTreeMap::from([(None, buckets)]));
                return Ok(());
            }
            prop_assert!(homes.keys().all(|home| home.is_some_and(|id| working.contains(&id))));
            for id in working {
                let share = homes.get(&Some(id)).copied().unwrap_or(0) * total;
                let exact = buckets * weight(&after.ports, id);
                prop_assert!(share.abs_diff(exact) < total);
            }
            Ok(())
        })?;
    }

    #[test]
    fn p2_fresh_homes_are_interleaved(ports in any_ports(), bits in 0..=12u32, equal: bool) {
        let mut world = World::new(bits);
        for (id, port) in ports.iter() {
            let weight = if equal { 1 } else { port.weight };
            world.ports.set(id, Some(PortView { weight, ..*port }));
        }
        prop_assert_eq!(world.assign_homes() > 0, !world.numbers(PortView::is_working).is_empty());

        let working = world.numbers(PortView::is_working);
        let buckets = world.homes.len();
        if equal {
            for (bucket, id) in (0..buckets).zip(working.iter().cycle()) {
                prop_assert_eq!(world.home(bucket), Some(*id));
            }
        }
        // However heavy the others are: in as many turns as a port's buckets are apart, each of the
        // others has its own part, but for one bucket at either end.
        let homes = count((0..buckets).map(|bucket| world.home(bucket)));
        let turns = homes.values().copied().max().unwrap_or(0);
        for (home, share) in &homes {
            let own: Vec<_> = (0..buckets).filter(|b| world.home(*b) == *home).collect();
            // Round the end of the table too: nobody has all of his at its beginning.
            let next = own.iter().skip(1).copied().chain([own[0] + buckets]);
            let gap = own.iter().zip(next).map(|(own, next)| next - own).max().unwrap_or(0);
            let apart = turns.div_ceil(*share);
            let bound: usize = homes.values().map(|other| apart * other / turns + 2).sum();
            prop_assert!(gap <= bound, "{gap} > {bound}");
        }
    }

    #[test]
    fn p3_a_failure_moves_only_the_ports_buckets(history in history()) {
        history.run(|step| {
            let (Some(Change::Fail(failed)), true) = (step.only(), step.after.any_act()) else {
                return Ok(());
            };
            // A port that had to return, since its stand-in has failed, may set another spare free.
            let is_held_back = |ports: &Ports, id| ports.get(id).is_some_and(PortView::is_held_back);
            let mut held_back = step.before.ports.iter().filter(|(_, port)| port.is_held_back());
            let returned = held_back.any(|(id, _)| !is_held_back(&step.after.ports, id));
            let act = |id| step.after.ports.get(id).is_some_and(PortView::is_act);
            for (bucket, was, now) in step.slots() {
                let home = step.after.home(bucket);
                // Those it carried; and its own, if it fails while held back and there is a spare.
                let own = was == Some(failed) || home == Some(failed);
                // Those of another port that has failed may go to a spare that is free now.
                let freed = returned && !home.is_some_and(act);
                prop_assert!(was == now || own || freed);
            }
            Ok(())
        })?;
    }

    #[test]
    fn p3_to_the_best_free_spare_or_evenly_to_the_others(history in history()) {
        history.run(|step| {
            if step.released {
                return Ok(());
            }
            let (Some(Change::Fail(failed)), true) = (step.only(), step.after.any_act()) else {
                return Ok(());
            };
            let Step { before, after, .. } = step;
            let was_serving = model::in_service(&before.ports).contains(&failed);
            let in_use: BTreeSet<_> = spares(&before.stand_ins).into_values().collect();
            let free = after.ports.iter().filter(|(id, port)| {
                port.is_act() && !port.is_working() && !port.held && !in_use.contains(id)
            });
            let best = free.min_by_key(|(id, port)| (port.priority, *id)).map(|(id, _)| id);
            let others = model::in_service(&after.ports);
            if !was_serving || (best.is_none() && others.is_empty()) {
                return Ok(());
            }
            if let Some(best) = best {
                for (bucket, _, now) in step.slots() {
                    prop_assert!(after.home(bucket) != Some(failed) || now == Some(best));
                }
                return Ok(());
            }
            // Evenly: no port that got a bucket has two more of them than any other.
            let spread = count(displaced(after).into_iter().map(|b| from_slot(after.slots[b])));
            let has = |id: PortId| spread.get(&Some(id)).copied().unwrap_or(0);
            let least = others.iter().map(|id| has(*id)).min().unwrap_or(0);
            for (bucket, _, now) in step.slots() {
                if after.home(bucket) == Some(failed) {
                    let level = |id| others.contains(&id) && has(id) <= least + 1;
                    prop_assert!(now.is_some_and(level));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn p4_a_recovery_returns_exactly_the_ports_buckets(history in history()) {
        history.run(|step| {
            let Step { before, after, .. } = step;
            let (Some(Change::Recover(id) | Change::Return(id)), true) =
                (step.only(), before.any_act())
            else {
                return Ok(());
            };
            // Without a working port in service, others' buckets may wait for one.
            if model::in_service(&before.ports).is_empty() {
                return Ok(());
            }
            let returns = model::in_service(&after.ports).contains(&id);
            for (bucket, was, now) in step.slots() {
                let home = after.home(bucket);
                // The next waiting gets a spare: the one set free, or that has recovered.
                let served = home.is_some_and(|home| {
                    now.is_some()
                        && after.stand_ins.of(home) == now
                        && before.stand_ins.of(home).is_none()
                });
                if returns && home == Some(id) {
                    prop_assert_eq!(now, Some(id));
                } else {
                    prop_assert!(was == now || served);
                }
            }
            if returns {
                prop_assert_eq!(after.stand_ins.of(id), None);
            }
            if let Some(spare) = before.stand_ins.of(id).filter(|_| returns) {
                let usable = model::usable(&after.ports);
                let waiting = after.numbers(PortView::is_working).into_iter().find(|home| {
                    !usable.contains(home) && before.stand_ins.of(*home).is_none()
                });
                let held = after.ports.get(spare).is_some_and(|port| port.held);
                prop_assert_eq!(after.stand_ins.home_of(spare), waiting.filter(|_| !held));
            }
            Ok(())
        })?;
    }

    #[test]
    fn p5_joining_moves_a_fair_share_and_leaving_its_own(history in history_of_equals()) {
        history.run(|step| {
            let Step { before, after, .. } = step;
            let changed = || (0..after.homes.len()).filter(|b| before.homes[*b] != after.homes[*b]);
            prop_assert_eq!(step.homes_moved, changed().filter(|b| after.homes[*b] >= 0).count());
            let working = after.numbers(PortView::is_working).len();
            match step.only() {
                Some(Change::Join(id)) if working > 1 => {
                    prop_assert!(changed().all(|bucket| after.home(bucket) == Some(id)));
                    prop_assert!(step.homes_moved <= after.homes.len() / working);
                }
                Some(Change::Leave(id)) => {
                    prop_assert!(changed().all(|bucket| before.home(bucket) == Some(id)));
                }
                _ => (),
            }
            Ok(())
        })?;
    }

    #[test]
    fn p5_a_change_moves_no_more_homes_than_it_must(history in history()) {
        history.run(|step| {
            if !step.same_configuration() {
                prop_assert_eq!(step.homes_moved, fewest_moves(&step.before.homes, &step.after));
            }
            Ok(())
        })?;
    }

    #[test]
    fn p5_a_change_moves_only_buckets_whose_home_it_moves(history in history()) {
        history.run(|step| {
            let Step { before, after, .. } = step;
            let (Some(Change::Join(id) | Change::Leave(id)), true) =
                (step.only(), before.any_act() && after.any_act())
            else {
                return Ok(());
            };
            // Without a working port in service before and after, others' buckets go to and fro.
            let serving = |world: &World| !model::in_service(&world.ports).is_empty();
            if !serving(before) || !serving(after) {
                return Ok(());
            }
            for (bucket, was, now) in step.slots() {
                let home = after.home(bucket);
                let served = home.is_some_and(|home| {
                    after.stand_ins.of(home) != before.stand_ins.of(home)
                });
                let moved = home != before.home(bucket);
                prop_assert!(was == now || moved || served || was == Some(id));
            }
            Ok(())
        })?;
    }

    #[test]
    fn homes_set_by_the_user_hold_and_the_others_stay_fair(
        history in history(),
        wishes in prop::collection::vec((any::<prop::sample::Index>(), -1..64i8), 0..40),
    ) {
        let mut wishes = wishes.iter();
        let mut set = vec![NO_PORT; 1 << history.bits];
        history.run(|Step { after, .. }| {
            let mut world = World { set: set.clone(), ..after.clone() };
            for _ in 0..2 {
                world.assign_homes();
                let working = world.numbers(PortView::is_working);
                let is_set = |bucket: usize| {
                    from_slot(world.set[bucket]).filter(|id| working.contains(id))
                };
                let (own, others): (Vec<_>, Vec<_>) =
                    (0..world.homes.len()).partition(|bucket| is_set(*bucket).is_some());
                prop_assert!(own.iter().all(|bucket| world.home(*bucket) == is_set(*bucket)));
                let total: usize = working.iter().map(|id| weight(&world.ports, *id)).sum();
                let homes = count(others.iter().map(|bucket| world.home(*bucket)));
                for id in &working {
                    let share = homes.get(&Some(*id)).copied().unwrap_or(0) * total;
                    let exact = others.len() * weight(&world.ports, *id);
                    prop_assert!(share.abs_diff(exact) < total);
                }
                let mut again = world.clone();
                prop_assert_eq!(again.assign_homes(), 0);
                prop_assert!(again == world);

                // One bucket more, or set otherwise: of the others only those move that must.
                let Some((bucket, wish)) = wishes.next() else {
                    break;
                };
                let bucket = bucket.index(set.len());
                set[bucket] = *wish;
                let mut other = World { set: set.clone(), ..world.clone() };
                let moved = other.assign_homes();
                let differ = world.homes.iter().zip(&other.homes).filter(|(a, b)| a != b).count();
                prop_assert!(differ <= moved);
                prop_assert_eq!(moved, fewest_moves(&world.homes, &other));
                world = other;
            }
            Ok(())
        })?;
    }

    #[test]
    fn p6_both_ends_choose_the_same_spare(history in history(), weight: u16) {
        // The other end has other weights, and is told everything twice.
        let mut other = World::new(0);
        history.run(|Step { after, released, .. }| {
            if *released {
                other.stand_ins = after.stand_ins;
            }
            for (id, _) in other.ports.clone().iter() {
                other.ports.set(id, None);
            }
            for (id, port) in after.ports.iter() {
                other.ports.set(id, Some(PortView { weight, ..*port }));
            }
            for _ in 0..2 {
                bring_into_line(&mut other.stand_ins, &other.ports);
                prop_assert_eq!(spares(&other.stand_ins), spares(&after.stand_ins));
            }
            Ok(())
        })?;
    }

    #[test]
    fn p6_the_same_inputs_give_the_same_result(history in history()) {
        let mut twin = World::new(history.bits);
        let mut events = history.steps.iter();
        history.run(|step| {
            let again = events.by_ref().find_map(|events| twin.step(events));
            prop_assert!(again.is_some_and(|again| again.after == step.after));
            // And there is nothing left to do.
            let mut after = step.after.clone();
            prop_assert_eq!(after.assign_homes(), 0);
            prop_assert_eq!(after.switch(), (vec![], 0));
            prop_assert!(after == step.after);
            Ok(())
        })?;
    }

    #[test]
    fn stand_ins_are_as_the_model_says(history in history()) {
        history.run(|Step { before, after, released, .. }| {
            if *released {
                return Ok(());
            }
            let due = model::stand_ins(&spares(&before.stand_ins), &after.ports);
            prop_assert_eq!(spares(&after.stand_ins), due);
            Ok(())
        })?;
    }

    #[test]
    fn slots_are_as_the_model_says(history in history()) {
        history.run(|step| {
            if step.released {
                return Ok(());
            }
            let after = &step.after;
            let stand_ins = spares(&after.stand_ins);
            let targets = model::targets(&after.ports, &stand_ins);
            let mut due = BTreeMap::new();
            for (bucket, was, now) in step.slots() {
                let home = after.home(bucket);
                let due = due
                    .entry((home, was))
                    .or_insert_with(|| model::due(&after.ports, &stand_ins, home, was));
                match due {
                    Due::Port(port) => prop_assert_eq!(now, *port),
                    Due::Any => prop_assert!(now.is_some_and(|id| targets.contains(&id))),
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn spread_buckets_are_level(history in history()) {
        history.run(|step| {
            if step.released {
                return Ok(());
            }
            let after = &step.after;
            let targets = model::targets(&after.ports, &spares(&after.stand_ins));
            let displaced = displaced(after);
            let has = count(displaced.iter().map(|b| after.slots[*b]));
            let has = |id| has.get(&to_slot(Some(id))).copied().unwrap_or(0);
            let least = targets.iter().map(|id| has(*id)).min().unwrap_or(0);
            for bucket in displaced {
                let (was, now) = (step.before.slots[bucket], step.after.slots[bucket]);
                if let Some(id) = from_slot(now).filter(|_| was != now) {
                    prop_assert!(has(id) <= least + 1);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn healthy_homes_never_move(history in history()) {
        history.run(|step| {
            let Step { before, after, .. } = step;
            let (was, is) = (model::in_service(&before.ports), model::in_service(&after.ports));
            for (bucket, slot_before, slot_after) in step.slots() {
                let home = after.home(bucket);
                let healthy = home == before.home(bucket)
                    && home.is_some_and(|id| was.contains(&id) && is.contains(&id));
                prop_assert!(!healthy || (slot_before == home && slot_after == home));
            }
            Ok(())
        })?;
    }

    #[test]
    fn idle_spares_carry_nothing_while_others_can(history in history()) {
        history.run(|Step { after, .. }| {
            let stand_ins = spares(&after.stand_ins);
            let in_use: BTreeSet<_> = stand_ins.into_values().collect();
            if model::in_service(&after.ports).is_empty() && in_use.is_empty() {
                return Ok(());
            }
            for id in after.slots.iter().filter_map(|slot| from_slot(*slot)) {
                let working = after.ports.get(id).is_some_and(PortView::is_working);
                prop_assert!(working || in_use.contains(&id));
            }
            Ok(())
        })?;
    }

    #[test]
    fn moves_are_reported_where_slots_change(history in history()) {
        history.run(|step| {
            // What has moved is reported, and nothing else: the moves lead from the slots before to
            // those after. Where a port that had to return sets its stand-in free, a bucket may move
            // twice.
            let pairs = |slots: &[Slot]| count(step.after.homes.iter().copied().zip(slots.to_vec()));
            let mut slots = pairs(&step.before.slots);
            for (home, from, to) in &step.moves {
                prop_assert!(from != to);
                let left = slots.get_mut(&(*home, *from)).filter(|left| **left > 0);
                prop_assert!(left.is_some());
                left.into_iter().for_each(|left| *left -= 1);
                *slots.entry((*home, *to)).or_default() += 1;
            }
            slots.retain(|_, count| *count > 0);
            prop_assert_eq!(slots, pairs(&step.after.slots));
            prop_assert_eq!(step.moved, step.moves.len());
            Ok(())
        })?;
    }

    /// Each port leads to one of three trunks, or to what is none. Some share a segment.
    #[test]
    fn groups_leave_by_a_port_from_which_they_are_accepted(
        history in history(),
        sights in prop::collection::vec((0..4u8, any::<bool>(), 0..8u8), 64),
        set in prop::sample::select(FarEnd::ALL.to_vec()),
        own in prop::option::of(0..64usize),
        one_copy in any::<bool>(),
    ) {
        let own = own.and_then(PortId::new);
        let sight = |id: PortId| {
            let (peer, found, shared) = sights[id.index()];
            Sight { peer: Some(peer).filter(|peer| *peer != 3), found, shared: shared == 0 }
        };
        let trunk = |id: PortId| sight(id).peer.filter(|_| !sight(id).shared);
        let mut accepts = PortSet::EMPTY;
        history.run(|Step { after, .. }| {
            let in_use: PortSet = after.slots.iter().filter_map(|slot| from_slot(*slot)).collect();
            let rank = |id: &PortId| (after.ports.get(*id).map(|port| port.priority), *id);
            let best = in_use.iter().min_by_key(rank);
            let previous = accepts;
            let got = ways(set, &after.ports, in_use, own, sight, previous, one_copy);
            accepts = got.accepts;
            if matches!(set, FarEnd::Trunk | FarEnd::Aggregate) {
                prop_assert_eq!((got.far_end, got.sends), (set, None));
                prop_assert_eq!((accepts, got.takes), (!PortSet::EMPTY, !PortSet::EMPTY));
                return Ok(());
            }
            // What leaves comes back by no port from which it is accepted.
            prop_assert!(got.sends.is_none_or(|id| accepts.contains(id) && in_use.contains(id)));
            prop_assert!((in_use & !got.takes).is_empty());
            let answers = set == FarEnd::Auto && in_use.iter().any(|id| trunk(id).is_some());
            prop_assert_eq!(got.far_end == FarEnd::Trunk, answers);
            if !answers {
                let elected = own.filter(|id| in_use.contains(*id)).or(best);
                prop_assert_eq!(got.sends, elected);
                let unshared = elected.is_some_and(|id| !sight(id).shared);
                let opens = set == FarEnd::Auto && one_copy && unshared;
                prop_assert_eq!(got.far_end == FarEnd::Aggregate, opens);
                if opens {
                    prop_assert_eq!((accepts, got.takes), (!PortSet::EMPTY, !PortSet::EMPTY));
                    return Ok(());
                }
                prop_assert_eq!(accepts, PortSet::from_iter(elected));
                let found = |id: &PortId| sight(*id).found && !sight(*id).shared;
                let found = after.ports.iter().map(|(id, _)| id).filter(found);
                prop_assert_eq!(got.takes, in_use | found.collect());
                return Ok(());
            }
            // All that lead to one trunk, which is that of before while it can be.
            let first = (accepts & in_use).iter().next();
            let Some(peer) = first.and_then(trunk) else {
                return Err(TestCaseError::fail("no trunk"));
            };
            let all = after.ports.iter().map(|(id, _)| id).filter(|id| trunk(*id) == Some(peer));
            prop_assert_eq!(accepts, all.collect());
            let stays = (previous & in_use).iter().any(|id| trunk(id).is_some());
            prop_assert!(!stays || !(previous & accepts).is_empty());
            prop_assert_eq!(got.sends.is_none(), (in_use & !accepts).is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn nonsense_does_no_harm(
        old in any_ports(),
        new in any_ports(),
        homes in prop::collection::vec(any::<Slot>(), 0..300),
        assign: bool,
    ) {
        let mut stand_ins = StandIns::default();
        bring_into_line(&mut stand_ins, &old);
        // Out of step with the ports, or brought into step.
        for update in [false, true] {
            if update {
                bring_into_line(&mut stand_ins, &new);
            }
            let mut world = World {
                ports: new.clone(),
                slots: homes.iter().rev().copied().collect(),
                homes: homes.clone(),
                set: homes.iter().rev().copied().collect(),
                stand_ins,
            };
            if assign {
                world.assign_homes();
            }
            let table: Vec<_> = homes.iter().map(|home| Bucket::new(*home, *home, *home)).collect();
            resolve(&table, &stand_ins, &world.ports, |_, _, _| {});
            let usable = model::usable(&new);
            for bucket in &table {
                prop_assert!(from_slot(bucket.slot()).is_none_or(|id| usable.contains(&id)));
            }
            world.switch();
            let usable = model::usable(&new);
            for slot in &world.slots {
                match from_slot(*slot) {
                    Some(id) => prop_assert!(usable.contains(&id)),
                    None => prop_assert!(usable.is_empty() && *slot == NO_PORT),
                }
            }
        }
    }
}
