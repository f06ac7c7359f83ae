// SPDX-License-Identifier: GPL-2.0

//! The kernel's times of events, as wall-clock times.

use std::time::{Duration, SystemTime};

use rustix::time::{clock_gettime, ClockId, Timespec};

/// How often the clocks are read, to find the two readings that are nearest to each other.
const ATTEMPTS: usize = 5;

/// CLOCK_MONOTONIC and CLOCK_REALTIME at one time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// ns since boot, without sleep.
    monotonic: i128,
    /// ns since 1970.
    real: i128,
}

impl Clock {
    /// Reads both clocks, as near to each other as in the best of some attempts. The time between
    /// the readings is the error of all wall-clock times.
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

    /// Returns a clock with these times, in ns.
    pub fn at(monotonic: u64, real: u64) -> Self {
        Self {
            monotonic: monotonic.into(),
            real: real.into(),
        }
    }

    /// Returns ns of CLOCK_MONOTONIC.
    pub fn monotonic(&self) -> u64 {
        self.monotonic.try_into().unwrap_or(0)
    }

    /// Returns how long ago a time of CLOCK_MONOTONIC was; 0 if it is in the future.
    pub fn since(&self, monotonic: u64) -> Duration {
        Duration::from_nanos(self.monotonic().saturating_sub(monotonic))
    }

    /// Returns the wall-clock time at a time of CLOCK_MONOTONIC.
    pub fn wall(&self, monotonic: u64) -> SystemTime {
        let real = self.real - self.monotonic + i128::from(monotonic);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(real.try_into().unwrap_or(0))
    }
}

fn nanoseconds(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
