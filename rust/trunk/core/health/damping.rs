// SPDX-License-Identifier: GPL-2.0

//! Holds a link down that fails again and again, longer each time.

/// A fall is a relapse if it comes within this time of the fall before, or of the end of the hold
/// after it, in ns.
const RELAPSE: u64 = 60_000_000_000;

/// How long the first relapse holds a link down, in ns. Each later one holds it twice as long.
const FIRST: u64 = 1_000_000_000;

/// The falls of one link.
#[derive(Default)]
pub(super) struct Damping {
    /// The time of the last fall, in ns, 0 for none.
    fell: u64,
    /// The number of relapses in a row.
    relapses: u8,
    /// It is held down until then, in ns.
    until: u64,
}

impl Damping {
    /// Notes that it falls. `limit` is the longest time that it may be held down, in ns.
    pub(super) fn fall(&mut self, now: u64, limit: u64) {
        let again = self.fell != 0 && now.saturating_sub(self.fell.max(self.until)) < RELAPSE;
        self.fell = now.max(1);
        self.relapses = if again {
            self.relapses.saturating_add(1)
        } else {
            0
        };
        if let Some(doublings) = self.relapses.checked_sub(1) {
            // A few more doublings would overflow the time. The limit is far below.
            let doublings = u32::from(doublings.min(32));
            let hold = FIRST.saturating_mul(1u64.wrapping_shl(doublings));
            self.until = now.saturating_add(hold.min(limit));
        }
    }

    /// Sets the longest time that it may be held down, in ns. A longer hold ends sooner.
    pub(super) fn limit(&mut self, limit: u64) {
        self.until = self.until.min(self.fell.saturating_add(limit));
    }

    /// Returns whether it is held down.
    pub(super) const fn holds(&self, now: u64) -> bool {
        now < self.until
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_damping))]
mod tests {
    use super::*;

    #[test]
    fn each_relapse_holds_for_twice_as_long() {
        let limit = 6 * FIRST;
        let mut damping = Damping::default();
        let mut now = 1;
        // The time since the fall before, and how long this one holds.
        for (since, hold) in [
            (0, 0),
            (1, FIRST),
            (RELAPSE - 1, 2 * FIRST),
            (0, 4 * FIRST),
            (5 * FIRST, limit),
            (limit, limit),
            // A minute after that is no relapse, and the next begins anew.
            (limit + RELAPSE, 0),
            (RELAPSE - 1, FIRST),
        ] {
            now += since;
            damping.fall(now, limit);
            assert_eq!(damping.holds(now), hold > 0);
            assert!(hold == 0 || damping.holds(now + hold - 1));
            assert!(!damping.holds(now + hold));
        }
    }

    #[test]
    fn a_link_that_fails_whenever_it_is_used_is_held_down_up_to_the_limit() {
        let limit = 3_600 * FIRST;
        let mut damping = Damping::default();
        let (mut now, mut hold) = (1, FIRST);
        damping.fall(now, limit);
        for _ in 0..20 {
            damping.fall(now, limit);
            assert!(damping.holds(now + hold - 1));
            assert!(!damping.holds(now + hold));
            now += hold + RELAPSE - 1;
            hold = limit.min(2 * hold);
        }
        damping.fall(now + hold + RELAPSE, limit);
        assert!(!damping.holds(now + hold + RELAPSE));
    }

    #[test]
    fn another_limit_ends_what_lasts() {
        let mut damping = Damping::default();
        damping.limit(FIRST);
        for now in 0..4 {
            damping.fall(now, u64::MAX);
        }
        damping.limit(8 * FIRST);
        assert!(damping.holds(3 + 4 * FIRST - 1) && !damping.holds(3 + 4 * FIRST));
        damping.limit(2 * FIRST);
        assert!(damping.holds(3 + 2 * FIRST - 1) && !damping.holds(3 + 2 * FIRST));
        damping.limit(0);
        assert!(!damping.holds(3));
    }

    #[test]
    fn no_number_of_relapses_is_too_many() {
        let mut damping = Damping::default();
        for now in 0..1_000 {
            damping.fall(now, u64::MAX);
        }
        assert!(damping.holds(FIRST << 32));
        damping.fall(u64::MAX, u64::MAX);
        assert!(!damping.holds(u64::MAX));
        // The limit may be 0.
        damping.fall(u64::MAX, 0);
        assert!(!damping.holds(u64::MAX));
    }
}
