// SPDX-License-Identifier: GPL-2.0

//! A process claims a link. Before it gets one, the links that it may get are tested.
//!
//! A claim is answered as soon as all these links have answered, at the latest after the
//! reply-timeout. A link that should have answered and has not is in doubt: no claim gets it until
//! it answers again.

use super::{
    super::{
        claims::{
            Answer,
            Claim,
            Holder,
            Inquiry,
            Stage, //
        },
        health::ProbeMode,
        history::{
            Event,
            EventKind, //
        },
        port::{
            PortId,
            PortSet, //
        },
    },
    Ending,
    Memory,
    State, //
};

/// The longest that a claim waits for replies, in ns.
const LONGEST: u64 = 1_000_000_000;

impl<M: Memory> State<M> {
    /// Makes a claim to the link of `wanted`, or to that of a spare. It has to be possible, see
    /// [`can_claim`](Self::can_claim).
    pub(super) fn ask(&mut self, wanted: PortId, holder: Holder, now: u64) {
        let mut asked = self.desk.ports.select(|port| !port.is_working());
        asked.insert(wanted);
        // If only other claims that wait need the tests, these have just begun, too.
        let waits = |claim: &Claim| matches!(claim.stage, Stage::Asking(_));
        let just_begun = !self.up && self.claims.all().iter().all(waits);
        let timeout = u64::from(self.health.settings().reply_timeout).saturating_mul(1_000);
        let inquiry = Inquiry {
            asked,
            since: now,
            until: now.saturating_add(timeout.min(LONGEST)),
            fresh: !self.health.is_running() || just_begun,
        };
        if self.can_claim(holder.mark).is_ok() {
            self.claims.push(Claim {
                wanted: Some(wanted),
                stage: Stage::Asking(inquiry),
                holder,
                ..Claim::NONE
            });
            self.due = self.due | asked;
            // Testing may have to begin.
            self.unsettled.any = true;
        }
    }

    /// Finds out whether the links that claims have asked have answered. Returns whether a claim
    /// does not wait any more.
    pub(super) fn hear_inquiries(&mut self, now: u64) -> bool {
        let mut heard = false;
        for at in 0..self.claims.all().len() {
            let Some(Claim {
                stage: Stage::Asking(inquiry),
                ..
            }) = self.claims.all().get(at).copied()
            else {
                continue;
            };
            let Some(silent) = self.silent(&inquiry, now) else {
                continue;
            };
            if !silent.is_empty() {
                self.doubts = self.doubts | silent;
                self.doubted = self.doubted.max(inquiry.since);
            }
            if let Some(claim) = self.claims.all_mut().get_mut(at) {
                claim.stage = Stage::Served;
                heard = true;
            }
        }
        heard
    }

    /// Returns the ports that did not answer and should have, `None` while that is not known.
    fn silent(&self, inquiry: &Inquiry, now: u64) -> Option<PortSet> {
        let Inquiry {
            asked,
            since,
            until,
            fresh,
        } = *inquiry;
        let there = self.desk.ports.select(|_| true);
        let answers = |id: &PortId| self.health.answered_since(*id, since);
        let answered: PortSet = asked.iter().filter(answers).collect();
        let probed = asked & self.select(|port| port.link.is_probed());
        let off = self.health.settings().mode == ProbeMode::Off;
        let awaited = if fresh && !off { asked & there } else { probed };
        if !(awaited & !answered).is_empty() && now < until {
            return None;
        }
        // If a link answers for the first time, all should. A port that is known to have failed is
        // not in doubt.
        let expected = match fresh && !answered.is_empty() {
            true => asked,
            // Nor is one whose replies are known to be late.
            false => probed & self.decision.act & !self.select(|port| port.link.is_late()),
        };
        Some(expected & !answered)
    }

    /// Returns when the first inquiry ends, in ns.
    pub(super) fn inquiries_end(&self) -> u64 {
        let ends = self.claims.all().iter().map(|claim| match claim.stage {
            Stage::Asking(inquiry) => inquiry.until,
            _ => u64::MAX,
        });
        ends.min().unwrap_or(u64::MAX)
    }

    /// Ends the doubt about links that answer, or that give no reason for doubt. Returns whether
    /// there is such a link.
    pub(super) fn believe(&mut self) -> bool {
        if self.doubts.is_empty() || !self.health.is_running() {
            return false;
        }
        // While no peer answers on any port, silence is no reason for doubt. Nor is the silence of
        // a link that never answered, once the trunk is up and uses it.
        let probed = self.select(|port| port.link.is_probed());
        let resolved = self.doubts.iter().filter(|id| {
            let used = self.up && !probed.contains(*id);
            probed.is_empty() || used || self.health.answered_since(*id, self.doubted)
        });
        let resolved: PortSet = resolved.collect();
        self.doubts = self.doubts & !resolved;
        !resolved.is_empty()
    }

    /// Ends claims, and returns how many.
    pub(super) fn end_claims(&mut self, which: Ending, now: u64) -> usize {
        let ends = |claim: &Claim| match which {
            Ending::Mark(mark, socket) => {
                (claim.holder.mark, claim.holder.socket) == (mark, socket)
            }
            Ending::Socket(socket) => claim.holder.socket == socket,
            Ending::All => true,
        };
        let Self { claims, events, .. } = self;
        let mut ended = 0usize;
        claims.remove(ends, |claim| {
            ended = ended.saturating_add(1);
            if claim.answer != Answer::None && claim.stage == Stage::Served {
                events.record(Event {
                    mark: claim.holder.mark,
                    ..Event::new(EventKind::Release, claim.holder.ifindex, now)
                });
            }
        });
        // Tests may not be needed any more.
        self.unsettled.any |= ended > 0;
        ended
    }

    /// Returns the claim of that mark.
    pub fn claim(&self, mark: u32) -> Option<&Claim> {
        let mut claims = self.claims.all().iter();
        claims.find(|claim| claim.holder.mark == mark)
    }

    /// Returns the next claim whose request is to be answered: it is served or refused. A refused
    /// claim has ended.
    pub fn take_answer(&mut self) -> Option<Claim> {
        let mut claims = self.claims.all_mut().iter_mut();
        let claim = claims.find(|claim| claim.answer == Answer::Due)?;
        claim.answer = Answer::Given;
        claim.told = claim.seen;
        let claim = *claim;
        if claim.stage == Stage::Refused {
            self.claims
                .remove(|other| other.holder.mark == claim.holder.mark, |_| ());
            self.unsettled.any = true;
        }
        Some(claim)
    }

    /// Returns the next claim whose holder is to be notified of another link.
    pub fn tell_holder(&mut self) -> Option<Told> {
        let mut claims = self.claims.all_mut().iter_mut();
        let claim = claims.find(|claim| claim.has_moved())?;
        let old = claim.told;
        claim.told = claim.seen;
        Some(Told { claim: *claim, old })
    }
}

/// What the holder of a claim is notified of.
pub struct Told {
    /// The claim.
    pub claim: Claim,
    /// The port it had.
    pub old: Option<PortId>,
}
