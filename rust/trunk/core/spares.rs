// SPDX-License-Identifier: GPL-2.0

//! Which spare stands in for a failed working port, and when the port returns.

use super::port::{
    PerPort,
    PortId,
    PortSet,
    PortView,
    Ports, //
};
pub use super::uapi::Failback;

/// The stand-ins of a trunk: for each working port that has one, the spare in its place. A spare
/// stands in for one port at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StandIns(PerPort<Option<PortId>>);

impl StandIns {
    /// Returns the spare that stands in for `home`.
    pub fn of(&self, home: PortId) -> Option<PortId> {
        self.0[home]
    }

    /// Returns the working port that `spare` stands in for.
    pub fn home_of(&self, spare: PortId) -> Option<PortId> {
        PortId::all().find(|home| self.of(*home) == Some(spare))
    }

    /// Returns the spares that stand in.
    pub fn in_use(&self) -> PortSet {
        PortId::all().filter_map(|home| self.of(home)).collect()
    }

    /// Ends the stand-ins that are not needed or not usable any more. This is the first step after
    /// a change of `ports`; [`take`](Self::take) is the second.
    ///
    /// A stand-in stays while it is usable and its home is not usable, or is held back. It gives
    /// way to a claim. Such a claim is one of the peer, since this end gives no claim a spare in
    /// use: the peer did not know yet. Both ends use the same links then.
    pub fn let_go(&mut self, ports: &Ports) {
        let usable = ports.usable();
        let working = ports.select(PortView::is_working);
        let away = working & (!usable | ports.select(PortView::is_held_back));
        let spares = usable & !working & !ports.select(|view| view.held);
        for home in PortId::all() {
            let keep = self
                .of(home)
                .filter(|spare| away.contains(home) && spares.contains(*spare));
            self.0[home] = keep;
        }
    }

    /// Gives each failed home without a stand-in, by rank, the best free spare. A free spare is
    /// usable, is held by no claim and does not stand in. The best one has the lowest priority
    /// number, then the lowest rank. A home that is held back and has lost its stand-in gets no
    /// other. It returns at once.
    pub fn take(&mut self, ports: &Ports) {
        let usable = ports.usable();
        let working = ports.select(PortView::is_working);
        let held = ports.select(|view| view.held);
        let mut free = usable & !working & !held & !self.in_use();
        for home in ports.by_rank(working & !usable) {
            if self.of(home).is_none() {
                let Some(spare) = ports.best(free) else {
                    break;
                };
                free.remove(spare);
                self.0[home] = Some(spare);
            }
        }
    }
}

impl Failback {
    /// Returns how long, in ns, a port that is `act` since `act_since` still waits for its buckets
    /// at `now`, `None` if for ever. `act_since` and `now` are in ns of one monotonic clock,
    /// `delay` is in ms.
    pub const fn wait(self, delay: u32, act_since: u64, now: u64) -> Option<u64> {
        match self {
            Self::Immediate => Some(0),
            Self::Delay => {
                let delay = (delay as u64).saturating_mul(1_000_000);
                Some(delay.saturating_sub(now.saturating_sub(act_since)))
            }
            Self::Manual => None,
        }
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_spares))]
mod tests {
    use super::super::testing::{
        id,
        ports, //
    };
    use super::*;

    fn update(stand_ins: &mut StandIns, ports: &Ports) {
        stand_ins.let_go(ports);
        stand_ins.take(ports);
    }

    #[test]
    fn spares_stand_in_by_rank_and_stay() {
        // Ports 0 to 2 work, 3 to 5 are spares; what stands in for 0, 1 and 2 after each step.
        for steps in [
            // The best spare first; ties go to the lower number.
            &[
                ("1s 1a 1a 3a 2a 2a", [4, -1, -1]),
                ("1s 1s 1a 3a 2a 2a", [4, 5, -1]),
            ][..],
            // A better spare that comes later does not push the stand-in out.
            &[
                ("1s 1a 1a 3a 2s 2s", [3, -1, -1]),
                ("1s 1a 1a 3a 2a 2a", [3, -1, -1]),
            ],
            // The spares run out in the order of the homes; one set free goes to the next waiting.
            &[
                ("1s 1s 1s 2a 3a -", [3, 4, -1]),
                ("1s 1a 1s 2a 3a -", [3, -1, 4]),
                ("1a 1s 1s 2a 3a -", [-1, 3, 4]),
                ("1a 1a 1a 2a 3a -", [-1, -1, -1]),
            ],
            // A stand-in that fails, leaves or becomes a working port is replaced.
            &[
                ("1s 1a 1a 2a 3a 4a", [3, -1, -1]),
                ("1s 1a 1a 2s 3a 4a", [4, -1, -1]),
                ("1s 1a 1a 2s - 4a", [5, -1, -1]),
                ("1s 1a 1a 2a 3a 1a", [3, -1, -1]),
            ],
            // A claimed spare is not free, and one that stands in makes way for the claim.
            &[
                ("1s 1a 1a 2ah 3a -", [4, -1, -1]),
                ("1s 1s 1a 2ah 3a -", [4, -1, -1]),
                ("1s 1s 1a 2a 3ah -", [3, -1, -1]),
                ("1s 1s 1a 2ah 3ah -", [-1, -1, -1]),
            ],
            // A home held back keeps its stand-in; one that loses it gets no other.
            &[
                ("1s 1a 1a 2a 3a -", [3, -1, -1]),
                ("1ab 1a 1a 2a 3a -", [3, -1, -1]),
                ("1ab 1s 1a 2s 3a -", [-1, 4, -1]),
            ],
            // A home that leaves or turns spare frees its stand-in.
            &[
                ("1s 1s 1a 2a 3a -", [3, 4, -1]),
                ("- 5s 1s 2a 3a -", [-1, -1, 3]),
            ],
            // The last resort: carrier will do, for homes and for spares.
            &[
                ("1s 1s 1a 2a 3a -", [3, 4, -1]),
                ("1c 1s 1s 2s 3c -", [-1, 4, -1]),
            ],
        ] {
            let mut stand_ins = StandIns::default();
            for (line, expected) in steps {
                let ports = ports(line);
                update(&mut stand_ins, &ports);
                for (home, spare) in PortId::all().zip(expected) {
                    assert_eq!(stand_ins.of(home), id(*spare));
                    assert!(id(*spare).is_none_or(|id| stand_ins.home_of(id) == Some(home)));
                }
                let in_use = expected.iter().filter_map(|spare| id(*spare)).collect();
                assert_eq!(stand_ins.in_use(), in_use);

                let before = stand_ins;
                update(&mut stand_ins, &ports);
                assert!(stand_ins == before);
            }
        }
    }

    #[test]
    fn failback_waits_as_its_policy_says() {
        const MS: u64 = 1_000_000;
        for (policy, delay, since, now, wait) in [
            (Failback::Immediate, 3, 5, 5, Some(0)),
            (Failback::Delay, 0, 5, 5, Some(0)),
            (Failback::Delay, 3, 5, 5, Some(3 * MS)),
            (Failback::Delay, 3, 5, 3 * MS + 4, Some(1)),
            (Failback::Delay, 3, 5, 3 * MS + 5, Some(0)),
            // A clock read before the port came up.
            (Failback::Delay, 3, 5, 0, Some(3 * MS)),
            (Failback::Delay, u32::MAX, 0, u64::MAX, Some(0)),
            (Failback::Manual, 0, 0, u64::MAX, None),
        ] {
            assert_eq!(policy.wait(delay, since, now), wait);
        }
    }
}
