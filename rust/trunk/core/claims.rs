// SPDX-License-Identifier: GPL-2.0

//! Claims: links that processes hold, one each: the port that a claim wants, or a spare.

use super::port::{
    from_slot,
    to_slot,
    PortId,
    PortSet,
    PortView,
    Ports,
    Slot,
    NO_PORT, //
};

/// A claim to a link. It is served by the port it wants, or else by a spare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    wanted: Slot,
    link: Slot,
}

impl Claim {
    /// A claim that has no port yet.
    pub const fn new(wanted: PortId) -> Self {
        Self {
            wanted: to_slot(Some(wanted)),
            link: NO_PORT,
        }
    }

    /// The port it should have; `None` once that has left the trunk.
    pub const fn wanted(&self) -> Option<PortId> {
        from_slot(self.wanted)
    }

    /// The port it has.
    pub const fn link(&self) -> Option<PortId> {
        from_slot(self.link)
    }

    /// The port `id` has left the trunk: the next of that number is another one.
    pub fn forget(&mut self, id: PortId) {
        for slot in [&mut self.wanted, &mut self.link] {
            if *slot == to_slot(Some(id)) {
                *slot = NO_PORT;
            }
        }
    }

    /// The port it wants, if it may have it. A working port serves its buckets and any number of
    /// claims besides; a spare serves one user, and `taken` ones have theirs. What is in doubt it may
    /// keep, but not get.
    fn wanted_now(&self, ports: &Ports, taken: PortSet, doubts: PortSet) -> Option<PortId> {
        let id = self.wanted()?;
        let view = ports.get(id)?;
        let sure = self.link() == Some(id) || !doubts.contains(id);
        let usable = ports.usable().contains(id) && !view.is_held_back();
        (sure && usable && (view.is_working() || !taken.contains(id))).then_some(id)
    }
}

/// The spares that serve `claims`.
pub fn held(claims: &[Claim], ports: &Ports) -> PortSet {
    let held: PortSet = claims.iter().filter_map(Claim::link).collect();
    held & !ports.select(PortView::is_working)
}

/// The first step after a change of `ports`: each claim has the port it wants, if it may, or keeps
/// its spare while that is usable. `in_use` are the spares that stand in; `doubts` the ports that did
/// not answer when it was asked for, though they count as usable yet.
///
/// Stand-ins that are not needed any more have been let go of before. After this failed working ports
/// take theirs, among them spares set free here, and then [`take`] serves who still has nothing.
pub fn let_go(claims: &mut [Claim], ports: &Ports, in_use: PortSet, doubts: PortSet) {
    let spares = ports.usable() & !ports.select(PortView::is_working);
    let theirs = ports.select(|view| view.held);
    let mut older = PortSet::EMPTY;
    for at in 0..claims.len() {
        let all = held(claims, ports);
        let Some(claim) = claims.get_mut(at) else {
            return;
        };
        // The spare it has is nobody else's, unless several had it when it was a working port.
        let own: PortSet = claim.link().into_iter().collect();
        let taken = ((all | theirs | in_use) & !own) | older;
        let keep = claim.link();
        let keep = keep.filter(|link| spares.contains(*link) && !older.contains(*link));
        let link = claim.wanted_now(ports, taken, doubts).or(keep);
        claim.link = to_slot(link);
        older = older | (link.into_iter().collect::<PortSet>() & spares);
    }
}

/// The last step: claims without a port, oldest first, get the one they want, if they may have it by
/// now, or the best free spare.
pub fn take(claims: &mut [Claim], ports: &Ports, in_use: PortSet, doubts: PortSet) {
    let spares = ports.usable() & !ports.select(PortView::is_working);
    let theirs = ports.select(|view| view.held);
    for at in 0..claims.len() {
        let taken = held(claims, ports) | theirs | in_use;
        if let Some(claim) = claims.get_mut(at).filter(|claim| claim.link == NO_PORT) {
            let spare = ports.best(spares & !taken & !doubts);
            claim.link = to_slot(claim.wanted_now(ports, taken, doubts).or(spare));
        }
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_claims))]
mod tests {
    use super::super::spares::StandIns;
    use super::super::testing::{
        id,
        ports, //
    };
    use super::*;

    /// What the driver does.
    fn update(claims: &mut [Claim], stand_ins: &mut StandIns, line: &str) {
        let mut ports = ports(line);
        stand_ins.let_go(&ports);
        let_go(claims, &ports, stand_ins.in_use(), PortSet::EMPTY);
        for port in held(claims, &ports).iter() {
            let view = ports.get(port).copied();
            ports.set(port, view.map(|view| PortView { held: true, ..view }));
        }
        stand_ins.take(&ports);
        take(claims, &ports, stand_ins.in_use(), PortSet::EMPTY);
    }

    #[test]
    fn claims_and_buckets_share_the_spares() {
        // Ports 0 and 1 work, 2 to 4 are spares; what each claim has, and what stands in for 0 and 1,
        // after each step.
        for (wanted, steps) in [
            // The working port serves any number; when it fails, its buckets choose first.
            (
                &[0, 0][..],
                &[
                    ("1a 1a 2a 3a 4a", &[0, 0][..], [-1, -1]),
                    ("1s 1a 2a 3a 4a", &[3, 4], [2, -1]),
                    ("1a 1a 2a 3a 4a", &[0, 0], [-1, -1]),
                ][..],
            ),
            // A spare serves one user. Who finds none waits, the oldest first.
            (
                &[2, 2, 2, 2],
                &[
                    ("1a 1a 2a 3a 4a", &[2, 3, 4, -1], [-1, -1]),
                    ("1s 1a 2a 3a 4a", &[2, 3, 4, -1], [-1, -1]),
                    ("1s 1a 2s 3a 4a", &[-1, 3, 4, -1], [-1, -1]),
                    ("1s 1a 2s 3s 4a", &[-1, -1, 4, -1], [-1, -1]),
                    ("1s 1a 2a 3s 4a", &[2, -1, 4, -1], [-1, -1]),
                ],
            ),
            // What a claim sets free is first the buckets' to take.
            (
                &[1],
                &[
                    ("1a 1s 2a 3s 4s", &[-1], [-1, 2]),
                    ("1a 1s 2a 3a 4s", &[3], [-1, 2]),
                    ("1s 1a 2s 3a 4s", &[1], [3, -1]),
                ],
            ),
            // A spare that the peer's claim holds is not free, but who has it may keep it.
            (
                &[0],
                &[
                    ("1s 1a 2ah 3a 4a", &[4], [3, -1]),
                    ("1s 1a 2a 3a 4ah", &[4], [3, -1]),
                ],
            ),
            // Failed working ports choose before a claim whose spare fails.
            (
                &[2],
                &[
                    ("1s 1a 2a 3a 4a", &[2], [3, -1]),
                    ("1s 1s 2s 3a 4a", &[-1], [3, 4]),
                    ("1a 1s 2a 3s 4a", &[2], [-1, 4]),
                    ("1s 1s 2a 3a 4s", &[2], [3, -1]),
                ],
            ),
            // The port of several claims becomes a spare: it serves the oldest.
            (
                &[0, 0],
                &[
                    ("1a 1a 2a 3a 4a", &[0, 0], [-1, -1]),
                    ("5a 1a 2a 3a 4a", &[0, 2], [-1, -1]),
                ],
            ),
            // Held back, a port serves no claims either.
            (
                &[0],
                &[
                    ("1s 1a 2a 3a 4a", &[3], [2, -1]),
                    ("1ab 1a 2a 3a 4a", &[3], [2, -1]),
                    ("1a 1a 2a 3a 4a", &[0], [-1, -1]),
                ],
            ),
            // A spare that becomes a working port, or leaves, serves no longer.
            (
                &[0],
                &[
                    ("1s 1a 2a 3a 4a", &[3], [2, -1]),
                    ("1s 1a 2a 1a 4a", &[4], [2, -1]),
                    ("1s 1a 2a 1a -", &[-1], [2, -1]),
                ],
            ),
        ] {
            const NONE: Claim = Claim {
                wanted: NO_PORT,
                link: NO_PORT,
            };
            let mut claims = [NONE; 4];
            let claims = claims.get_mut(..wanted.len()).unwrap_or_default();
            for (claim, wanted) in claims.iter_mut().zip(wanted) {
                claim.wanted = *wanted;
            }
            let mut stand_ins = StandIns::new();
            for (line, links, homes) in steps {
                update(claims, &mut stand_ins, line);
                assert!(claims
                    .iter()
                    .map(|claim| claim.link)
                    .eq(links.iter().copied()));
                for (home, spare) in PortId::all().zip(homes) {
                    assert_eq!(stand_ins.of(home), id(*spare));
                }
                let before = (claims.first().copied(), stand_ins);
                update(claims, &mut stand_ins, line);
                assert!(before == (claims.first().copied(), stand_ins));
            }
        }
    }

    #[test]
    fn a_claim_gets_the_spare_it_wants_when_that_has_done_its_service() {
        if let (Some(home), Some(spare)) = (id(0), id(2)) {
            let mut stand_ins = StandIns::new();
            update(&mut [], &mut stand_ins, "1s 1a 2a 3a");
            assert_eq!(stand_ins.of(home), Some(spare));
            let mut claims = [Claim::new(spare)];
            update(&mut claims, &mut stand_ins, "1s 1a 2a 3a");
            assert_eq!(claims.map(|claim| claim.link()), [id(3)]);
            update(&mut claims, &mut stand_ins, "1a 1a 2a 3a");
            assert_eq!(claims.map(|claim| claim.link()), [Some(spare)]);
        }
    }

    #[test]
    fn a_port_that_leaves_is_forgotten() {
        if let (Some(first), Some(second)) = (id(0), id(1)) {
            let mut claims = [Claim::new(first), Claim::new(second)];
            take(
                &mut claims,
                &ports("1a 1a 2a"),
                PortSet::EMPTY,
                PortSet::EMPTY,
            );
            for claim in &mut claims {
                claim.forget(first);
            }
            assert_eq!(
                claims.map(|claim| (claim.wanted(), claim.link())),
                [(None, None), (Some(second), Some(second))]
            );
            // Another port of that number is not the one it wanted.
            let line = ports("1a 1a 2a");
            let_go(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            take(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            assert_eq!(claims.map(|claim| claim.link()), [id(2), Some(second)]);
        }
    }

    #[test]
    fn a_port_in_doubt_is_not_given_but_kept() {
        if let (Some(first), Some(spare)) = (id(0), id(1)) {
            let line = ports("1a 2a 3a");
            let doubts = [first, spare].into_iter().collect();
            let mut claims = [Claim::new(first), Claim::new(first)];
            take(&mut claims[..1], &line, PortSet::EMPTY, PortSet::EMPTY);
            let_go(&mut claims, &line, PortSet::EMPTY, doubts);
            take(&mut claims, &line, PortSet::EMPTY, doubts);
            assert_eq!(claims.map(|claim| claim.link()), [Some(first), id(2)]);
            let_go(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            assert_eq!(claims.map(|claim| claim.link()), [Some(first), Some(first)]);
        }
    }
}
