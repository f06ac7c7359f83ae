// SPDX-License-Identifier: GPL-2.0

//! Frames of machines behind the trunk that come back.
//!
//! A switch that does not know of the trunk floods a frame to somebody whom it does not know by all its
//! ports, so by all of the trunk's but the one from which it came. If several are in use, a bridge
//! above the trunk would take the sender for behind the trunk. The frame is known by its source, which
//! the trunk itself has sent from a moment ago.

use ::core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

/// What comes back comes within so many ms, on a busy machine as well. A machine that has moved away is
/// not heard for so long.
const SOON: u64 = 500;

/// Addresses of machines differ in their last byte, since they are often given one after the other.
const PLACES: usize = 256;

/// The time of a place, in ms.
const TIME: u64 = 0xffff;

/// The sources of frames that have left of late, one for each last byte. Many processors may note some
/// at a time.
pub struct Echoes {
    /// An address, as a number of 48 bits, and the time in ms. 0 if there is none.
    places: [AtomicU64; PLACES],
}

impl Echoes {
    /// Of no frame yet.
    pub const fn new() -> Self {
        Self {
            places: [const { AtomicU64::new(0) }; PLACES],
        }
    }

    /// Notes that a frame of that source leaves at `now`, in ns.
    pub fn left(&self, source: u64, now: u64) {
        if let Some(place) = self.place(source) {
            let entry = (source << 16) | ((now / 1_000_000) & TIME);
            place.store(entry, Ordering::Relaxed);
        }
    }

    /// Returns whether a frame of that source that comes in at `now`, in ns, comes back.
    pub fn comes_back(&self, source: u64, now: u64) -> bool {
        let Some(place) = self.place(source) else {
            return false;
        };
        let entry = place.load(Ordering::Relaxed);
        if entry == 0 || entry >> 16 != source {
            return false;
        }
        // Another processor may have read the clock later.
        let age = (now / 1_000_000).wrapping_sub(entry).wrapping_add(SOON) & TIME;
        let soon = age <= 2 * SOON;
        if !soon {
            // The machine is somewhere else now. The time of a place must not come round to it.
            let _ = place.compare_exchange(entry, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        soon
    }

    fn place(&self, source: u64) -> Option<&AtomicU64> {
        self.places.get(source as usize % PLACES)
    }
}

impl Default for Echoes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_echoes))]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const MACHINE: u64 = 0x0200_0000_0105;

    #[test]
    fn what_has_just_left_comes_back() {
        let echoes = Echoes::new();
        assert!(!echoes.comes_back(MACHINE, 0));
        assert!(!echoes.comes_back(0, 0));
        for time in [0, 65_535 * MS, 65_536 * MS, 1 << 60] {
            echoes.left(MACHINE, time);
            for (later, back) in [(0, true), (500, true), (501, false), (65_536, false)] {
                assert_eq!(echoes.comes_back(MACHINE, time + later * MS), back);
            }
        }
        // The clock of another processor.
        echoes.left(MACHINE, 9_000 * MS);
        assert!(echoes.comes_back(MACHINE, 8_999 * MS));
    }

    #[test]
    fn another_machine_is_another() {
        let echoes = Echoes::new();
        echoes.left(MACHINE, 0);
        assert!(!echoes.comes_back(MACHINE + 1, 0));
        assert!(!echoes.comes_back(MACHINE + 256, 0));
        assert!(echoes.comes_back(MACHINE, 0));
        // They have one place. The last one is known.
        echoes.left(MACHINE + 256, 0);
        assert!(echoes.comes_back(MACHINE + 256, 0) && !echoes.comes_back(MACHINE, 0));
    }
}
