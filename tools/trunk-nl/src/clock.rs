// SPDX-License-Identifier: GPL-2.0

//! The kernel's times of events, by the clock on the wall.

use std::time::{Duration, SystemTime};

use rustix::time::{clock_gettime, ClockId, Timespec};

/// How often the clocks are read, for the two readings that are nearest to each other.
const ATTEMPTS: usize = 5;

/// Where CLOCK_MONOTONIC and CLOCK_REALTIME stood at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// ns since boot, without sleep.
    monotonic: i128,
    /// ns since 1970.
    real: i128,
}

impl Clock {
    /// Reads both, as near to each other as a few attempts bring them: what lies between is the error
    /// of all times on the wall.
    pub fn now() -> Self {
        let read = |_| {
            let before = nanoseconds(clock_gettime(ClockId::Monotonic));
            let real = nanoseconds(clock_gettime(ClockId::Realtime));
            let after = nanoseconds(clock_gettime(ClockId::Monotonic));
            (after - before, before + (after - before) / 2, real)
        };
        let (_, monotonic, real) = (0..ATTEMPTS).map(read).min().unwrap_or_default();
        Self { monotonic, real }
    }

    /// Takes both as given, in ns.
    pub fn at(monotonic: u64, real: u64) -> Self {
        Self {
            monotonic: monotonic.into(),
            real: real.into(),
        }
    }

    /// ns of CLOCK_MONOTONIC.
    pub fn monotonic(&self) -> u64 {
        self.monotonic.try_into().unwrap_or(0)
    }

    /// How long before this moment a moment of CLOCK_MONOTONIC was; 0 if it is still to come.
    pub fn since(&self, monotonic: u64) -> Duration {
        Duration::from_nanos(self.monotonic().saturating_sub(monotonic))
    }

    /// The time on the wall at a moment of CLOCK_MONOTONIC.
    pub fn wall(&self, monotonic: u64) -> SystemTime {
        let real = self.real - self.monotonic + i128::from(monotonic);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(real.try_into().unwrap_or(0))
    }
}

fn nanoseconds(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
