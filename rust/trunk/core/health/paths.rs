// SPDX-License-Identifier: GPL-2.0

//! Tests that resemble data.
//!
//! A link may carry the tests of all rounds and lose one kind of data: frames with the trunk's own
//! source address, where something on the way checks addresses; frames as long as the MTU; frames
//! of one VLAN. So each peer that is proven also gets tests that resemble data, one kind at a time,
//! on all its links at once.
//!
//! A link **loses** a kind after [`LOST`] tests of it in a row without an answer, each beside another
//! test on the link that was answered. It carries the kind again after [`FOUND`] tests in a row with
//! an answer. A link that loses a kind is out of use as long as another link to the same trunk carries
//! that kind. A full queue loses large frames before small ones, but not so many in a row.

use super::super::{
    port::{
        PortId,
        PortSet, //
    },
    uapi::Reason,
    wire::{
        Path,
        Probe, //
    }, //
};
use super::{
    Health,
    Link,
    View, //
};
use ::core::{
    borrow::BorrowMut,
    ops::DerefMut, //
};

/// The least time from one test that resembles data to the next, in ns: somewhat less than the
/// default interval, since they leave with a round.
const EVERY: u64 = 90_000_000;

/// After so many tests in a row a link is known to lose a kind, or to carry it again.
const LOST: u8 = 30;
const FOUND: u8 = 10;

/// A kind about which a link is undecided is tested again and again, but not more often than this.
const LONGEST: u8 = 2 * LOST;

/// The number of VLANs that are tested from one test of the source to the next, besides those that
/// a link loses.
const VLANS: u32 = 8;

/// The number of kinds that may be lost at a time.
const LOSSES: usize = 8;

/// VLANs, by their IDs.
struct Vlans([u64; 64]);

impl Vlans {
    /// Adds or removes a VLAN. VLAN ID 0 is none (IEEE 802.1Q-2018, 9.6).
    fn set(&mut self, vlan: u16, used: bool) {
        let bit = 1u64.wrapping_shl(vlan.into());
        let word = self.0.get_mut(usize::from(vlan >> 6));
        if let Some(word) = word.filter(|_| vlan != 0) {
            *word = if used { *word | bit } else { *word & !bit };
        }
    }

    fn len(&self) -> u32 {
        let ones = self.0.iter().map(|word| word.count_ones());
        ones.fold(0, u32::saturating_add)
    }

    /// Returns the next VLAN after that one, the first after the last.
    fn after(&self, vlan: u16) -> Option<u16> {
        let first = usize::from(vlan >> 6);
        let below = 2u64.wrapping_shl((vlan & 63).into()).wrapping_sub(1);
        for n in 0..=64 {
            let at = first.wrapping_add(n) % 64;
            let word = self.0.get(at).copied().unwrap_or(0);
            let word = if n == 0 { word & !below } else { word };
            if word != 0 {
                return Some((at as u16).wrapping_mul(64) | word.trailing_zeros() as u16);
            }
        }
        None
    }
}

/// The links that lose frames of that kind.
#[derive(Clone, Copy)]
struct Loss {
    path: Path,
    links: PortSet,
}

/// The tests that resemble data, and what came of them.
pub(super) struct Paths {
    /// The kind that is tested.
    path: Path,
    /// When a test of it was last due, when the last one was made, and how long answers to that are awaited,
    /// in ns.
    due: u64,
    made: u64,
    wait: u64,
    /// The links that it was sent on, and those that it was answered on.
    asked: PortSet,
    answered: PortSet,
    /// For each link, the tests in a row that say something else of it than what holds.
    against: [u8; 64],
    /// How often that kind was tested in a row.
    times: u8,
    /// Whose turn it is, see [`Paths::next`].
    turn: usize,
    /// The VLANs of which the trunk receives frames, and the last one that was tested in its turn.
    vlans: Vlans,
    vlan: u16,
    losses: [Loss; LOSSES],
}

impl Paths {
    pub(super) const NONE: Self = Self {
        path: Path::Source,
        due: 0,
        made: 0,
        wait: 0,
        asked: PortSet::EMPTY,
        answered: PortSet::EMPTY,
        against: [0; 64],
        times: 0,
        turn: 0,
        vlans: Vlans([0; 64]),
        vlan: 0,
        losses: [Loss {
            path: Path::Source,
            links: PortSet::EMPTY,
        }; LOSSES],
    };

    /// Returns the links that lose that kind.
    fn lost(&self, path: Path) -> PortSet {
        let losses = self.losses.iter().filter(|loss| loss.path == path);
        losses.fold(PortSet::EMPTY, |links, loss| links | loss.links)
    }

    /// Notes that a link loses the kind that is tested, or does not any more. Returns whether it could:
    /// more than [`LOSSES`] kinds cannot be noted.
    fn note(&mut self, id: PortId, lost: bool) -> bool {
        let path = self.path;
        let is_free = |loss: &Loss| loss.links.is_empty();
        let noted = |loss: &Loss| loss.path == path && !is_free(loss);
        let at = self.losses.iter().position(noted);
        let at = at.or_else(|| self.losses.iter().position(is_free));
        let Some(loss) = at.and_then(|at| self.losses.get_mut(at)) else {
            return false;
        };
        loss.path = path;
        match lost {
            true => loss.links.insert(id),
            false => loss.links.remove(id),
        }
        true
    }

    /// Forgets all that was learned.
    pub(super) fn forget_all(&mut self) {
        self.asked = PortSet::EMPTY;
        self.losses = Self::NONE.losses;
    }

    /// Forgets what is known of a link.
    pub(super) fn forget(&mut self, id: PortId) {
        self.asked.remove(id);
        self.losses
            .iter_mut()
            .for_each(|loss| loss.links.remove(id));
    }

    /// Forgets what is known of frames of that kind.
    fn forget_kind(&mut self, path: Path) {
        for loss in self.losses.iter_mut().filter(|loss| loss.path == path) {
            loss.links = PortSet::EMPTY;
        }
        if self.path == path {
            self.asked = PortSet::EMPTY;
        }
    }

    /// Goes on to the next kind: the source, the MTU, some VLANs, and VLANs that are lost.
    fn next(&mut self) {
        (self.against, self.times) = ([0; 64], 0);
        let vlans = self.vlans.len().min(VLANS) as usize;
        // Ends with the source at the latest, once all have had their turn.
        loop {
            let turn = self.turn;
            self.turn = turn.saturating_add(1);
            self.path = match turn {
                0 => Path::Source,
                1 => Path::Mtu,
                _ if turn.wrapping_sub(2) < vlans => {
                    self.vlan = self.vlans.after(self.vlan).unwrap_or(0);
                    Path::Vlan(self.vlan)
                }
                _ => match self.losses.get(turn.wrapping_sub(2).wrapping_sub(vlans)) {
                    Some(Loss { path, links }) => match path {
                        Path::Vlan(_) if !links.is_empty() => *path,
                        _ => continue,
                    },
                    None => {
                        self.turn = 0;
                        continue;
                    }
                },
            };
            return;
        }
    }
}

impl<B: DerefMut<Target: BorrowMut<Link>>> Health<B> {
    /// Ends the last test that resembles data, and begins the next, if it is time for it. To be called
    /// after [`tick`](Self::tick) when tests are due. Frames with the trunk's source may leave by the
    /// ports of `sources`. Returns the ports on which [`path_test`](Self::path_test) is due, at once or
    /// later.
    pub fn test_paths(&mut self, now: u64, sources: PortSet) -> PortSet {
        if !self.is_testing() || now < self.paths.made.saturating_add(self.paths.wait) {
            return PortSet::EMPTY;
        }
        self.judge_paths(now);
        let gone: PortSet = PortId::all()
            .filter(|id| !self.leads_to_a_peer(*id))
            .collect();
        gone.iter().for_each(|id| self.paths.forget(id));
        let undecided = self.paths.asked.iter().any(|id| self.against(id) != 0);
        let paths = &mut self.paths;
        paths.times = paths.times.saturating_add(1);
        if !undecided || paths.times >= LONGEST {
            paths.next();
        }
        (paths.due, paths.made) = (now, now);
        (paths.asked, paths.answered) = (PortSet::EMPTY, PortSet::EMPTY);
        let sources = sources | paths.lost(Path::Source);
        let path = paths.path;
        let tested = |id: &PortId| {
            let link = self.link(*id).filter(|link| link.carrier && !link.left);
            let good = link
                .is_some_and(|link| link.probed && link.alive && !link.is_late && !link.mismatch);
            good && self.leads_to_a_peer(*id) && (path != Path::Source || sources.contains(*id))
        };
        let tested: PortSet = PortId::all().filter(tested).collect();
        let round_trips = tested.iter().filter_map(|id| self.link(id)?.round_trip);
        let longest = round_trips.map(|it| it.expected()).max().unwrap_or(0);
        self.paths.wait = EVERY.max(longest.saturating_mul(2));
        tested
    }

    fn leads_to_a_peer(&self, id: PortId) -> bool {
        self.link(id).is_some_and(|link| link.only_peer().is_some())
    }

    fn against(&self, id: PortId) -> u8 {
        self.paths.against.get(id.index()).copied().unwrap_or(0)
    }

    /// Returns the test that is due on a port by [`test_paths`](Self::test_paths). `nonce` is a
    /// number that nobody can guess.
    pub fn path_test(&mut self, id: PortId, nonce: u64, now: u64, view: &View) -> Option<Probe> {
        let path = self.paths.path;
        let test = self.make_test(id, nonce, now, view, true)?;
        self.paths.asked.insert(id);
        self.paths.made = now;
        Some(Probe {
            path: Some(path),
            ..test
        })
    }

    /// Takes back the last [`path_test`](Self::path_test) of a port, which could not be made a frame.
    pub fn path_test_failed(&mut self, id: PortId) {
        self.paths.asked.remove(id);
    }

    /// Notes that a test that resembles data, sent at that time, was answered.
    pub(super) fn note_path(&mut self, id: PortId, sent: u64) {
        if sent >= self.paths.due && self.paths.asked.contains(id) {
            self.paths.answered.insert(id);
        }
    }

    /// Notes what has come of the last test.
    fn judge_paths(&mut self, now: u64) {
        let Paths {
            path,
            due,
            asked,
            answered,
            ..
        } = self.paths;
        let lost = self.paths.lost(path);
        for id in asked.iter() {
            let Some(link) = self.link(id) else {
                continue;
            };
            let others = link.alive && link.tests.round_answered_since(due);
            let elsewhere = answered.iter().any(|other| self.same_peer(id, other));
            let carries = answered.contains(id);
            let known = carries || others && (elsewhere || !matches!(path, Path::Vlan(_)));
            let before = self.against(id);
            let mut against = match known && carries == lost.contains(id) {
                true => before.saturating_add(1),
                false => 0,
            };
            if against >= if carries { FOUND } else { LOST } {
                against = 0;
                let fails = self.paths.note(id, !carries) && !carries && elsewhere;
                let limit = self.settings.hold_down_ns();
                if let Some(link) = self.link_mut(id).filter(|_| fails) {
                    link.damping.fall(now, limit);
                }
            }
            if let Some(place) = self.paths.against.get_mut(id.index()) {
                *place = against;
            }
        }
    }

    /// Returns whether both links lead to the same trunk, and to no other.
    fn same_peer(&self, one: PortId, other: PortId) -> bool {
        let peer = |id| Some(self.link(id)?.only_peer()?.identity);
        peer(one).is_some_and(|it| peer(other) == Some(it))
    }

    /// Notes that the trunk receives frames of a VLAN, or does not any more.
    pub fn set_vlan(&mut self, vlan: u16, used: bool) {
        self.paths.vlans.set(vlan, used);
        if !used {
            self.paths.forget_kind(Path::Vlan(vlan));
        }
    }

    /// Forgets what is known of frames of that kind, since they are different ones now.
    pub fn forget_path(&mut self, path: Path) {
        self.paths.forget_kind(path);
    }

    /// Returns the kinds of data that a link loses.
    pub fn losses(&self, id: PortId) -> impl Iterator<Item = Path> + '_ {
        let losses = self.paths.losses.iter();
        let losses = losses.filter(move |loss| loss.links.contains(id));
        losses.map(|loss| loss.path)
    }

    /// Returns whether a link loses any data.
    pub fn any_loss(&self) -> bool {
        self.paths.losses.iter().any(|loss| !loss.links.is_empty())
    }

    /// Returns why a link that works is not to be used: it loses what another one carries.
    pub(super) fn why_lossy(&self, id: PortId) -> Reason {
        let lossy = |path: &Path| {
            let lost = self.paths.lost(*path);
            let carries = |other: PortId| {
                let link = self.link(other).filter(|link| link.alive && link.carrier);
                link.is_some_and(|link| !link.mismatch) && self.same_peer(id, other)
            };
            let mut others = PortId::all().filter(|other| !lost.contains(*other));
            others.any(carries)
        };
        match self.losses(id).find(lossy) {
            Some(Path::Source) => Reason::PathSource,
            Some(Path::Mtu) => Reason::PathMtu,
            Some(Path::Vlan(_)) => Reason::PathVlan,
            None => Reason::None,
        }
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_paths))]
mod tests {
    use super::super::super::testing::id;
    use super::*;

    #[test]
    fn vlans_come_one_after_the_other() {
        let mut vlans = Vlans([0; 64]);
        assert_eq!((vlans.len(), vlans.after(0)), (0, None));
        for vlan in [0, 1, 63, 64, 4_094] {
            vlans.set(vlan, true);
        }
        assert_eq!(vlans.len(), 4);
        for (vlan, after) in [(0, 1), (1, 63), (62, 63), (63, 64), (64, 4_094), (4_094, 1)] {
            assert_eq!(vlans.after(vlan), Some(after));
        }
        for vlan in [1, 64, 4_094] {
            vlans.set(vlan, false);
        }
        assert_eq!((vlans.after(63), vlans.after(0)), (Some(63), Some(63)));
    }

    /// The kinds that are tested, the source with number 0 and the MTU with 1.
    fn order<const N: usize>(paths: &mut Paths) -> [u16; N] {
        [0; N].map(|_| {
            paths.next();
            match paths.path {
                Path::Source => 0,
                Path::Mtu => 1,
                Path::Vlan(vlan) => vlan,
            }
        })
    }

    #[test]
    fn each_kind_has_its_turn() {
        let mut paths = Paths::NONE;
        assert_eq!(order(&mut paths), [0, 1, 0, 1, 0]);
        for vlan in [7, 9] {
            paths.vlans.set(vlan, true);
        }
        assert_eq!(order(&mut paths), [1, 7, 9, 0, 1, 7, 9, 0]);
        (11..20).for_each(|vlan| paths.vlans.set(vlan, true));
        assert_eq!(order(&mut paths), [1, 11, 12, 13, 14, 15, 16, 17, 18, 0]);
        assert_eq!(order(&mut paths), [1, 19, 7, 9, 11, 12, 13, 14, 15, 0]);
        // One that is lost has its turn each time.
        paths.path = Path::Vlan(12);
        assert!(id(3).is_some_and(|id| paths.note(id, true)));
        assert_eq!(order(&mut paths), [1, 16, 17, 18, 19, 7, 9, 11, 12, 12, 0]);
    }

    #[test]
    fn more_kinds_than_there_is_room_for_are_not_noted() {
        let mut paths = Paths::NONE;
        let Some(link) = id(5) else { return };
        let lost = |paths: &Paths| {
            (1..20)
                .filter(|vlan| !paths.lost(Path::Vlan(*vlan)).is_empty())
                .count()
        };
        for vlan in 1..20 {
            for _ in 0..2 {
                paths.path = Path::Vlan(vlan);
                assert_eq!(paths.note(link, true), usize::from(vlan) <= LOSSES);
            }
        }
        assert_eq!(lost(&paths), LOSSES);
        paths.path = Path::Vlan(3);
        assert!(paths.note(link, false));
        assert_eq!(lost(&paths), LOSSES - 1);
        paths.path = Path::Vlan(19);
        assert!(paths.note(link, true));
        assert!(paths.lost(Path::Vlan(19)).contains(link) && lost(&paths) == LOSSES);
        paths.forget(link);
        assert_eq!(lost(&paths), 0);
    }
}
