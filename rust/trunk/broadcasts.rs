// SPDX-License-Identifier: GPL-2.0

//! Broadcasts of which there may be copies. The copies show whether the far end is an aggregate, as
//! [`pure::copies`](crate::pure::copies) says.

use crate::pure::{
    copies::{
        fingerprint,
        Copies,
        PAYLOAD, //
    },
    port::PortId, //
};
use netdev::{
    siphash::Key,
    skb::{
        EthHeader,
        Received,
        SkBuff, //
    },
    time, //
};

/// The EtherType of a tag that is part of the frame.
const TAG: u16 = 0x8100;

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
        let fingerprint = self.fingerprint(skb.header(), skb.protocol(), vlan, payload);
        self.copies.came(fingerprint, by, time::monotonic_ns())
    }

    /// Forgets what the broadcasts of before have shown.
    pub(crate) fn forget(&self) {
        self.copies.forget();
    }

    /// Notes a broadcast that leaves.
    #[cold]
    pub(crate) fn left(&self, skb: &SkBuff) {
        let mut room = [0; EthHeader::LEN + 4 + PAYLOAD];
        let frame = skb.copy_payload(&mut room);
        let two = |at: usize| match frame.get(at..) {
            Some([high, low, ..]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        // Its tag is in the frame, or beside it.
        let (ethertype, vlan, payload) = match two(12) {
            TAG => (two(16), two(14) & 0xfff, frame.get(18..)),
            other => (other, skb.vlan().unwrap_or(0), frame.get(14..)),
        };
        if let (Some(header), Some(payload)) = (skb.tx_header(), payload) {
            let fingerprint = self.fingerprint(header, ethertype, vlan, payload);
            self.copies.left(fingerprint, time::monotonic_ns());
        }
    }

    fn fingerprint(&self, header: &EthHeader, ethertype: u16, vlan: u16, payload: &[u8]) -> u64 {
        let bytes = fingerprint(header.src.octets(), ethertype, vlan, payload);
        self.key.hash(&bytes)
    }
}
