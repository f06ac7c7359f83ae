// SPDX-License-Identifier: GPL-2.0

//! Broadcasts of which there may be copies. The copies show whether the far end is an aggregate, as
//! [`pure::copies`](crate::pure::copies) says.

use crate::pure::{
    copies::{
        fingerprint,
        fingerprint_of,
        Copies,
        FRAME,
        PAYLOAD, //
    },
    port::PortId, //
};
use netdev::{
    siphash::Key,
    skb::{
        Received,
        SkBuff, //
    },
    time, //
};

/// The broadcasts of late.
pub(crate) struct Broadcasts {
    copies: Copies,
    /// The key of the hash that makes fingerprints.
    key: Key,
}

impl Broadcasts {
    pub(crate) fn new() -> Self {
        Self {
            copies: Copies::new(),
            key: Key::random(),
        }
    }

    /// Notes a broadcast that comes in `by` a port, perhaps the trunk's `own`. Returns whether the far
    /// end sends one copy, if this frame shows it.
    #[cold]
    pub(crate) fn came(&self, skb: &Received, by: PortId, own: bool) -> Option<bool> {
        if own {
            self.copies.forget();
            return Some(false);
        }
        let mut room = [0; PAYLOAD];
        let payload = skb.copy_payload(&mut room);
        let vlan = skb.vlan().unwrap_or(0);
        let src = skb.header().src.octets();
        let bytes = fingerprint(src, skb.protocol(), vlan, payload);
        self.copies
            .came(self.key.hash(&bytes), by, time::monotonic_ns())
    }

    /// Forgets what the broadcasts of before have shown.
    pub(crate) fn forget(&self) {
        self.copies.forget();
    }

    /// Notes a broadcast that leaves.
    #[cold]
    pub(crate) fn left(&self, skb: &SkBuff) {
        let mut room = [0; FRAME];
        let frame = skb.copy_payload(&mut room);
        if let Some(bytes) = fingerprint_of(frame, skb.vlan().unwrap_or(0)) {
            let fingerprint = self.key.hash(&bytes);
            self.copies.left(fingerprint, time::monotonic_ns());
        }
    }
}
