// SPDX-License-Identifier: GPL-2.0

//! Finds out why a link does not work.

use super::super::port::PortId;
use super::super::uapi::Reason;
use super::{bit, Health, Link};
use ::core::{
    borrow::BorrowMut,
    ops::DerefMut, //
};

impl<B: DerefMut<Target: BorrowMut<Link>>> Health<B> {
    /// Returns why a link does not work, as far as it is known.
    pub(super) fn why_dead(&self, id: PortId, link: &Link) -> Reason {
        if link.silent && !self.settings.is_heard_on(link) {
            return Reason::PeerSilent;
        }
        // It works again, but not long enough yet.
        if link.misses == 0 {
            return Reason::ProbeTimeout;
        }
        let heard = self.is_recent(link.heard, link.peer.map_or(0, |peer| peer.interval));

        // The peer says on all links which ports it has heard within its window. It still hears
        // this port only if it has heard a frame that left after the first test or its reply was
        // lost. A frame that was on its way then has arrived after two timeouts.
        let settled = self.settings.reply_timeout_ns().saturating_mul(2);
        let settled = link.missing.saturating_add(settled);
        let identity = link.peer.map(|peer| peer.identity).or(self.reference);
        let (mut hears, mut still_hears) = (false, false);
        for (_, other) in self.iter() {
            let Some(peer) = other.peer.filter(|peer| Some(peer.identity) == identity) else {
                continue;
            };
            let said = other.hears & bit(id.index() as u8) != 0;
            if said && self.is_recent(peer.heard, peer.interval) {
                let window = self.settings.window(peer.interval);
                hears = true;
                still_hears |= peer.heard >= settled.saturating_add(window);
            }
        }
        match heard {
            true if !hears => Reason::OneWayRx,
            false if still_hears => Reason::OneWayTx,
            _ => Reason::ProbeTimeout,
        }
    }

    /// Returns whether a peer with that interval, in µs, that was heard at `time` is still heard. 0 is
    /// never.
    fn is_recent(&self, time: u64, peer_interval: u32) -> bool {
        let window = self.settings.window(peer_interval);
        time != 0 && self.now.saturating_sub(time) <= window
    }
}
