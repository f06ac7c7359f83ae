// SPDX-License-Identifier: GPL-2.0

//! Counts of what trunks have in each network namespace. Devices and sockets come and go by the
//! hundred. In a namespace without rules for devices, missing ports or claims of sockets, no trunk is
//! asked about them.

use core::sync::atomic::{
    AtomicUsize,
    Ordering, //
};
use kernel::prelude::*;
use netdev::{
    net::{
        Net,
        PerNet,
        PerNetRegistration, //
    },
    rcu::read_lock, //
};

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Trunks with a rule by which devices join.
    Rules,
    /// Missing ports of trunks.
    Missing,
    /// Claims to links of trunks.
    Claims,
}

const COUNTS: usize = Count::Claims as usize + 1;

static ALL: PerNet<COUNTS> = PerNet::new();

/// While it exists, there are counts.
pub(crate) type Registration = PerNetRegistration<COUNTS>;

/// Begins to count. To be called once, when the module is loaded.
pub(crate) fn register() -> Result<Registration> {
    ALL.register()
}

impl Count {
    /// Returns how many there are in `net`.
    pub(crate) fn get(self, net: &Net) -> usize {
        self.with(net, |count| count.load(Ordering::Relaxed))
    }

    /// Notes that there are `n` more in `net`.
    pub(crate) fn add(self, net: &Net, n: usize) {
        self.with(net, |count| count.fetch_add(n, Ordering::Relaxed));
    }

    /// Notes that there are `n` fewer in `net`.
    pub(crate) fn sub(self, net: &Net, n: usize) {
        self.with(net, |count| count.fetch_sub(n, Ordering::Relaxed));
    }

    fn with(self, net: &Net, change: impl FnOnce(&AtomicUsize) -> usize) -> usize {
        let rcu = read_lock();
        ALL.of(net, &rcu)
            .and_then(|counts| counts.get(self as usize))
            .map_or(0, change)
    }
}
