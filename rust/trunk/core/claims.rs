// SPDX-License-Identifier: GPL-2.0

//! Claims. A process holds a link by a claim: the port that the claim wants, or a spare.

use super::port::{
    PortId,
    PortSet,
    PortView,
    Ports, //
};
use super::uapi::Reason;
use ::core::ops::DerefMut;

/// The most claims that a trunk has at a time.
pub const MAX_CLAIMS: usize = 64;

/// Names a netlink socket. A later socket with the same port id is another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Socket {
    /// The port id of the socket.
    pub port_id: u32,
    /// The cookie of the socket, which no other socket ever has.
    pub cookie: u64,
}

/// The holder of a claim, and the frames that go by its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The mark of the frames that go by the claim's link; never 0.
    pub mark: u32,
    /// The socket that the claim ends with.
    pub socket: Socket,
    /// The interface index of the port that is wanted.
    pub ifindex: u32,
    /// The name that the holder gives itself, up to the first NUL.
    pub name: [u8; 32],
}

impl Holder {
    /// Nobody.
    pub const NONE: Self = Self {
        mark: 0,
        socket: Socket {
            port_id: 0,
            cookie: 0,
        },
        ifindex: 0,
        name: [0; 32],
    };
}

/// The stage that a claim has reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It waits until the links that it may get have answered a test.
    Asking(Inquiry),
    /// It has a link, if there is one for it.
    Served,
    /// There was no link for it. It ends when its holder has the answer.
    Refused,
}

/// Whether the request for a claim has been answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// Nothing can be said yet.
    None,
    /// The claim is served or refused. The answer is yet to be sent.
    Due,
    /// The answer has been sent.
    Given,
}

/// The tests that a claim waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inquiry {
    /// The ports whose links are tested.
    pub asked: PortSet,
    /// When it began, in ns.
    pub since: u64,
    /// When it ends, in ns, at the latest.
    pub until: u64,
    /// No link was tested before, so it is not known which links can answer.
    pub fresh: bool,
}

/// A claim to a link: to the port it wants, or else to a spare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The port it should have; `None` once that has left the trunk.
    pub wanted: Option<PortId>,
    /// The port it has.
    pub link: Option<PortId>,
    /// The stage that it has reached.
    pub stage: Stage,
    /// Whether its request has been answered.
    pub(super) answer: Answer,
    /// Its holder.
    pub holder: Holder,
    /// The link in the last event, and the link that the holder was notified of.
    pub(super) seen: Option<PortId>,
    pub(super) told: Option<PortId>,
    /// Why it lost the link that it had before, [`Reason::None`] if that is usable.
    pub reason: Reason,
}

impl Claim {
    /// Room for a claim.
    pub const NONE: Self = Self {
        wanted: None,
        link: None,
        stage: Stage::Refused,
        answer: Answer::None,
        holder: Holder::NONE,
        seen: None,
        told: None,
        reason: Reason::None,
    };

    /// Returns whether it is to have a link, if there is one.
    pub(super) const fn is_served(&self) -> bool {
        matches!(self.stage, Stage::Served)
    }

    /// Returns whether its holder is to be notified of another link.
    pub(super) fn has_moved(&self) -> bool {
        self.answer == Answer::Given && self.told != self.seen
    }

    /// Returns whether its holder is to be answered or notified.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.answer == Answer::Due || self.has_moved()
    }

    /// Forgets the port `id`, which has left the trunk. The next port of that number is another
    /// one.
    pub fn forget(&mut self, id: PortId) {
        for port in [&mut self.wanted, &mut self.link] {
            *port = port.filter(|port| *port != id);
        }
    }

    /// Returns the port it wants, if it may have that port. A working port serves its buckets and
    /// any number of claims. A spare serves one user; the `taken` ones have theirs. A claim may
    /// keep a port in `doubts`, but does not get one.
    fn wanted_now(&self, ports: &Ports, taken: PortSet, doubts: PortSet) -> Option<PortId> {
        let id = self.wanted?;
        let view = ports.get(id)?;
        let sure = self.link == Some(id) || !doubts.contains(id);
        let usable = ports.usable().contains(id) && !view.is_held_back();
        (sure && usable && (view.is_working() || !taken.contains(id))).then_some(id)
    }
}

/// Returns the spares that serve `claims`.
pub fn held(claims: &[Claim], ports: &Ports) -> PortSet {
    let held: PortSet = claims.iter().filter_map(|claim| claim.link).collect();
    held & !ports.select(PortView::is_working)
}

/// Gives each claim the port it wants, if it may have that port. Else a claim keeps its spare while
/// that is usable. This is the first step after a change of `ports`. `in_use` are the spares that
/// stand in, `doubts` the ports that did not answer when a claim asked, though they still count as
/// usable.
///
/// Before this, stand-ins that are not needed any more end. After this, failed working ports take
/// theirs, among them spares that are free now. Then [`take`] serves the claims that have no link.
pub fn let_go(claims: &mut [Claim], ports: &Ports, in_use: PortSet, doubts: PortSet) {
    let spares = ports.usable() & !ports.select(PortView::is_working);
    let theirs = ports.select(|view| view.held);
    let mut older = PortSet::EMPTY;
    for at in 0..claims.len() {
        let all = held(claims, ports);
        let Some(claim) = claims.get_mut(at).filter(|claim| claim.is_served()) else {
            continue;
        };
        // No other claim has its spare, unless several got it when it was a working port.
        let own: PortSet = claim.link.into_iter().collect();
        let taken = ((all | theirs | in_use) & !own) | older;
        let keep = claim
            .link
            .filter(|link| spares.contains(*link) && !older.contains(*link));
        claim.link = claim.wanted_now(ports, taken, doubts).or(keep);
        older = older | (claim.link.into_iter().collect::<PortSet>() & spares);
    }
}

/// Gives claims without a link, the oldest first, the port they want, if they may have it now, or
/// the best free spare. This is the last step.
pub fn take(claims: &mut [Claim], ports: &Ports, in_use: PortSet, doubts: PortSet) {
    let spares = ports.usable() & !ports.select(PortView::is_working);
    let theirs = ports.select(|view| view.held);
    for at in 0..claims.len() {
        let taken = held(claims, ports) | theirs | in_use;
        let waits = |claim: &&mut Claim| claim.is_served() && claim.link.is_none();
        if let Some(claim) = claims.get_mut(at).filter(waits) {
            let spare = ports.best(spares & !taken & !doubts);
            claim.link = claim.wanted_now(ports, taken, doubts).or(spare);
        }
    }
}

/// The claims of a trunk, oldest first. `S` has room for [`MAX_CLAIMS`].
pub struct Claims<S> {
    room: S,
    len: usize,
}

impl<S: DerefMut<Target = [Claim]>> Claims<S> {
    /// Makes room for claims, of which there are none yet.
    pub const fn new(room: S) -> Self {
        Self { room, len: 0 }
    }

    /// Returns the claims.
    pub fn all(&self) -> &[Claim] {
        self.room.get(..self.len).unwrap_or(&[])
    }

    /// Returns the claims, to be changed.
    pub fn all_mut(&mut self) -> &mut [Claim] {
        self.room.get_mut(..self.len).unwrap_or_default()
    }

    /// Adds a claim, the youngest, if there is room.
    pub fn push(&mut self, claim: Claim) {
        if let Some(room) = self.room.get_mut(self.len) {
            *room = claim;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Removes the claims for which `test` holds, and calls `ended` with each.
    pub fn remove(&mut self, test: impl Fn(&Claim) -> bool, mut ended: impl FnMut(&Claim)) {
        let mut kept = 0usize;
        for at in 0..self.len {
            let Some(claim) = self.room.get(at).copied() else {
                break;
            };
            if test(&claim) {
                ended(&claim);
            } else if let Some(room) = self.room.get_mut(kept) {
                *room = claim;
                kept = kept.saturating_add(1);
            }
        }
        self.len = kept;
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_claims))]
mod tests {
    use super::super::port::Slot;
    use super::super::testing::{
        id,
        ports,
        Trunk, //
    };
    use super::*;

    fn claim(wanted: Slot) -> Claim {
        Claim {
            wanted: id(wanted),
            stage: Stage::Served,
            ..Claim::NONE
        }
    }

    #[test]
    fn claims_and_buckets_share_the_spares() {
        // Ports 0 and 1 work, 2 to 4 are spares; what each claim has, and what stands in for 0 and
        // 1, after each step.
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
            let mut claims = [claim(-1); 4];
            let claims = claims.get_mut(..wanted.len()).unwrap_or_default();
            for (claim, wanted) in claims.iter_mut().zip(wanted) {
                claim.wanted = id(*wanted);
            }
            let mut trunk = Trunk::<8>::new("");
            for (line, links, homes) in steps {
                trunk.serve(claims, line);
                assert!(claims
                    .iter()
                    .map(|claim| claim.link)
                    .eq(links.iter().map(|link| id(*link))));
                for (home, spare) in PortId::all().zip(homes) {
                    assert_eq!(trunk.stand_ins.of(home), id(*spare));
                }
                let before = (claims.first().copied(), trunk.stand_ins);
                trunk.serve(claims, line);
                assert!(before == (claims.first().copied(), trunk.stand_ins));
            }
        }
    }

    #[test]
    fn a_claim_gets_the_spare_it_wants_when_that_has_done_its_service() {
        if let (Some(home), Some(spare)) = (id(0), id(2)) {
            let mut trunk = Trunk::<8>::new("1s 1a 2a 3a");
            assert_eq!(trunk.stand_ins.of(home), Some(spare));
            let mut claims = [spare].map(|id| claim(id.index() as Slot));
            trunk.serve(&mut claims, "1s 1a 2a 3a");
            assert_eq!(claims.map(|claim| claim.link), [id(3)]);
            trunk.serve(&mut claims, "1a 1a 2a 3a");
            assert_eq!(claims.map(|claim| claim.link), [Some(spare)]);
        }
    }

    #[test]
    fn a_port_that_leaves_is_forgotten() {
        if let (Some(first), Some(second)) = (id(0), id(1)) {
            let mut claims = [first, second].map(|id| claim(id.index() as Slot));
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
                claims.map(|claim| (claim.wanted, claim.link)),
                [(None, None), (Some(second), Some(second))]
            );
            // Another port of that number is not the one it wanted.
            let line = ports("1a 1a 2a");
            let_go(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            take(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            assert_eq!(claims.map(|claim| claim.link), [id(2), Some(second)]);
        }
    }

    #[test]
    fn a_port_in_doubt_is_not_given_but_kept() {
        if let (Some(first), Some(spare)) = (id(0), id(1)) {
            let line = ports("1a 2a 3a");
            let doubts = [first, spare].into_iter().collect();
            let mut claims = [first; 2].map(|id| claim(id.index() as Slot));
            take(&mut claims[..1], &line, PortSet::EMPTY, PortSet::EMPTY);
            let_go(&mut claims, &line, PortSet::EMPTY, doubts);
            take(&mut claims, &line, PortSet::EMPTY, doubts);
            assert_eq!(claims.map(|claim| claim.link), [Some(first), id(2)]);
            let_go(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            assert_eq!(claims.map(|claim| claim.link), [Some(first), Some(first)]);
        }
    }

    #[test]
    fn a_claim_that_is_not_served_has_no_link_and_takes_none() {
        if let (Some(first), Some(spare)) = (id(0), id(1)) {
            let line = ports("1a 2a");
            let mut claims = [spare; 2].map(|id| claim(id.index() as Slot));
            let [refused, _] = &mut claims;
            refused.stage = Stage::Refused;
            let_go(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            take(&mut claims, &line, PortSet::EMPTY, PortSet::EMPTY);
            assert_eq!(claims.map(|claim| claim.link), [None, Some(spare)]);
            assert_eq!(held(&claims, &line), [spare].into_iter().collect());
            assert!(!held(&claims, &line).contains(first));
        }
    }

    #[test]
    fn claims_keep_their_order() {
        let mut room = [Claim::NONE; 4];
        let mut claims = Claims::new(&mut room[..]);
        for mark in 1..=5 {
            let holder = Holder {
                mark,
                ..Holder::NONE
            };
            claims.push(Claim { holder, ..claim(0) });
        }
        let marks = claims.all().iter().map(|claim| claim.holder.mark);
        assert!(marks.eq([1, 2, 3, 4]));
        let mut ended = 0;
        claims.remove(
            |claim| claim.holder.mark % 2 == 0,
            |claim| ended += claim.holder.mark,
        );
        assert_eq!(ended, 6);
        assert!(claims
            .all()
            .iter()
            .map(|claim| claim.holder.mark)
            .eq([1, 3]));
    }
}
