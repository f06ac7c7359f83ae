// SPDX-License-Identifier: GPL-2.0

//! The last tests of a link. An answer is known by the test that it echoes.

/// The number of tests that are remembered, a power of two.
pub(super) const TESTS: u32 = 32;

#[derive(Clone, Copy, Default)]
struct Test {
    /// 0 for no test.
    nonce: u64,
    sent: u64,
}

/// The last tests of a link. The test of number n is at place n % 32.
#[derive(Default)]
pub(super) struct Tests {
    tests: [Test; TESTS as usize],
    /// The number of the last test.
    pub(super) last: u32,
    /// The tests that have been answered, one bit for each place.
    answered: u32,
    /// The tests that have been answered in time.
    in_time: u32,
    /// The tests that resemble data. They belong to no round.
    paths: u32,
}

/// A test that was found again.
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) sent: u64,
    pub(super) answered: bool,
    pub(super) is_path: bool,
}

/// Returns the bit of the place of that number.
const fn bit(number: u32) -> u32 {
    1u32.wrapping_shl(number % TESTS)
}

impl Tests {
    /// Forgets the tests. An answer to one of them does not count any more.
    pub(super) fn forget(&mut self) {
        *self = Self {
            last: self.last,
            ..Self::default()
        };
    }

    /// Remembers a test in the place of the oldest, and returns its number. With nonce 0, only a
    /// number is taken.
    pub(super) fn add(&mut self, nonce: u64, sent: u64, is_path: bool) -> u32 {
        let number = self.last.wrapping_add(1);
        self.last = number;
        if let Some(test) = self.tests.get_mut((number % TESTS) as usize) {
            *test = Test { nonce, sent };
        }
        self.answered &= !bit(number);
        self.in_time &= !bit(number);
        self.paths &= !bit(number);
        if is_path {
            self.paths |= bit(number);
        }
        number
    }

    /// Returns the tests there are, each with the bit of its place.
    fn iter(&self) -> impl Iterator<Item = (u32, &Test)> {
        let mut bit = bit(TESTS - 1);
        let bits = self.tests.iter().map(move |test| {
            bit = bit.rotate_left(1);
            (bit, test)
        });
        bits.filter(|(_, test)| test.nonce != 0)
    }

    /// Returns the test of that nonce.
    pub(super) fn find(&self, nonce: u64) -> Option<Found> {
        let (bit, test) = self.iter().find(|(_, test)| test.nonce == nonce)?;
        let age = self.last.wrapping_sub(bit.trailing_zeros()) % TESTS;
        Some(Found {
            number: self.last.wrapping_sub(age),
            sent: test.sent,
            answered: self.answered & bit != 0,
            is_path: self.paths & bit != 0,
        })
    }

    /// Returns the nonce of the last test, 0 if there is none.
    pub(super) fn last_nonce(&self) -> u64 {
        let place = (self.last % TESTS) as usize;
        self.tests.get(place).map_or(0, |test| test.nonce)
    }

    /// Notes that the test of that number is answered.
    pub(super) fn answer(&mut self, number: u32, in_time: bool) {
        let bit = bit(number);
        self.answered |= bit;
        if in_time {
            self.in_time |= bit;
        }
    }

    /// Returns whether one of the tests sent from `start` until `end` was answered in time, `None`
    /// if none was sent.
    pub(super) fn in_time(&self, start: u64, end: u64) -> Option<bool> {
        self.iter()
            .filter(|(bit, test)| self.paths & bit == 0 && (start..end).contains(&test.sent))
            .map(|(bit, _)| self.in_time & bit != 0)
            .reduce(|one, other| one | other)
    }

    /// Returns whether one of the tests sent at `start` or later was answered.
    pub(super) fn answered_since(&self, start: u64) -> bool {
        self.answered & self.since(start) != 0
    }

    /// Returns whether one of the tests of rounds sent at `start` or later was answered.
    pub(super) fn round_answered_since(&self, start: u64) -> bool {
        self.answered & !self.paths & self.since(start) != 0
    }

    /// Returns the tests sent at `start` or later, one bit for each place.
    fn since(&self, start: u64) -> u32 {
        let since = self.iter().filter(|(_, test)| test.sent >= start);
        since.fold(0, |bits, (bit, _)| bits | bit)
    }
}
