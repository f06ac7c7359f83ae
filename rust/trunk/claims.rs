// SPDX-License-Identifier: GPL-2.0

//! Claims of a trunk, and who holds them.
//!
//! Which link a claim has is decided together with the stand-ins, in [`Decided`].

use crate::{
    decided::Decided,
    pure::{
        claims::Claim,
        history::{
            Event,
            EventKind,
            Reason, //
        },
        port::{
            from_slot,
            PortId,
            Slot,
            NO_PORT, //
        }, //
    }, //
};
use core::sync::atomic::{
    AtomicUsize,
    Ordering, //
};
use kernel::prelude::*;
use netdev::{
    genl::SocketId,
    time, //
};

impl Decided {
    /// Is any link claimed?
    pub(crate) fn has_claims(&mut self) -> bool {
        self.claims().next().is_some()
    }

    /// The claims, oldest first.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (&Claim, &Holder)> {
        self.claims.iter().zip(self.holders.iter())
    }

    /// Gives back the room there was for claims, and has room for [`MAX_CLAIMS`] from now on.
    pub(crate) fn make_room(&mut self, room: ClaimRoom) -> ClaimRoom {
        let ClaimRoom(mut claims, mut holders) = room;
        for (claim, holder) in self.claims.iter().zip(self.holders.iter()) {
            // There is room for all.
            let _ = claims.push_within_capacity(*claim);
            let _ = holders.push_within_capacity(*holder);
        }
        let claims = core::mem::replace(&mut self.claims, claims);
        ClaimRoom(claims, core::mem::replace(&mut self.holders, holders))
    }

    /// Adds a claim, the youngest.
    ///
    /// # Errors
    ///
    /// `EEXIST` if its mark is claimed already; `ENOSPC` if there is no room.
    pub(crate) fn add_claim(&mut self, claim: Claim, holder: Holder) -> Result {
        if self.holders.iter().any(|other| other.mark == holder.mark) {
            return Err(EEXIST);
        }
        if self.claims.len().min(self.claims.capacity()) >= MAX_CLAIMS {
            return Err(ENOSPC);
        }
        self.claims
            .push_within_capacity(claim)
            .map_err(|_| ENOSPC)?;
        self.holders
            .push_within_capacity(holder)
            .map_err(|_| ENOSPC)?;
        ALL.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the claims for whose holder `test` holds, and returns how many there were.
    pub(crate) fn end_claims(&mut self, test: impl Fn(&Holder) -> bool) -> usize {
        // Perhaps nothing is to be tested any more.
        self.unsettled = true;
        let mut ended = 0usize;
        let mut at = 0usize;
        while let Some(holder) = self.holders.get(at).copied() {
            if !test(&holder) {
                at = at.saturating_add(1);
                continue;
            }
            // Both are of one length.
            let _ = self.claims.remove(at);
            let _ = self.holders.remove(at);
            ended = ended.saturating_add(1);
            ALL.fetch_sub(1, Ordering::Relaxed);
            if !holder.fresh {
                self.events.record(Event {
                    port: holder.port,
                    mark: holder.mark,
                    ..Event::new(EventKind::Release, time::monotonic_ns())
                });
            }
        }
        ended
    }

    /// The number of claims that a port serves.
    pub(crate) fn served_by(&self, id: PortId) -> u32 {
        let served = self.claims().filter(|(claim, _)| claim.link() == Some(id));
        served.fold(0, |sum, _| sum.saturating_add(1))
    }

    /// The port that the claim of that mark has.
    pub(crate) fn link_of(&self, mark: u32) -> Option<PortId> {
        self.claims()
            .find_map(|(claim, holder)| (holder.mark == mark).then(|| claim.link())?)
    }

    /// A claim whose holder is yet to be told of its link: the claim's mark, the socket, the port it
    /// had and has, and why it lost the one it had.
    pub(crate) fn tell_holder(&mut self) -> Option<Told> {
        let holder = self.holders.iter_mut().find(|h| h.told != h.seen)?;
        let told = Told {
            holder: *holder,
            old: from_slot(holder.told),
            new: from_slot(holder.seen),
        };
        holder.told = holder.seen;
        Some(told)
    }

    /// Is there a holder to be told?
    pub(crate) fn has_to_tell(&self) -> bool {
        self.events.is_due() || self.unsettled || self.holders.iter().any(|h| h.told != h.seen)
    }
}

/// The number of claims to links of any trunk.
static ALL: AtomicUsize = AtomicUsize::new(0);

/// Are there claims, to links of any trunk?
pub(crate) fn exist() -> bool {
    ALL.load(Ordering::Relaxed) != 0
}

/// The most claims that a trunk has at a time.
pub(crate) const MAX_CLAIMS: usize = 64;

/// Room for [`MAX_CLAIMS`] claims.
pub(crate) struct ClaimRoom(KVec<Claim>, KVec<Holder>);

impl ClaimRoom {
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(
            KVec::with_capacity(MAX_CLAIMS, GFP_KERNEL)?,
            KVec::with_capacity(MAX_CLAIMS, GFP_KERNEL)?,
        ))
    }
}

/// Who holds a claim.
#[derive(Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) mark: u32,
    pub(crate) socket: SocketId,
    /// The port it should have, by interface index.
    pub(crate) port: u32,
    /// Up to the first NUL, what the holder calls itself.
    pub(crate) name: [u8; 32],
    /// Its claim is new, and has no link yet.
    pub(crate) fresh: bool,
    /// The link that events know of, and the one that the holder was told.
    pub(crate) seen: Slot,
    pub(crate) told: Slot,
    pub(crate) reason: Reason,
}

impl Holder {
    pub(crate) const fn new(mark: u32, socket: SocketId, port: u32, name: [u8; 32]) -> Self {
        Self {
            mark,
            socket,
            port,
            name,
            fresh: true,
            seen: NO_PORT,
            told: NO_PORT,
            reason: Reason::None,
        }
    }
}

/// What the holder of a claim is to be told.
pub(crate) struct Told {
    pub(crate) holder: Holder,
    pub(crate) old: Option<PortId>,
    pub(crate) new: Option<PortId>,
}
