// SPDX-License-Identifier: GPL-2.0

//! Sends and receives messages.

use super::super::port::PortId;
use super::super::wire::{
    Identity,
    Kind,
    Probe, //
};
use super::{
    bit,
    Health,
    Heard,
    Link,
    Peer,
    ProbeMode,
    View, //
};
use ::core::{
    borrow::BorrowMut,
    ops::DerefMut, //
};

/// After a test has reached another port than one at the other end of its link, the link is shared
/// until so many rounds are over, the present one included. It is a number of rounds, not a time,
/// since a slow machine may miss rounds.
pub(super) const SHARED: u8 = 4;

impl<B: DerefMut<Target: BorrowMut<Link>>> Health<B> {
    /// Returns the test to send on a port now: one that is due by [`tick`](Self::tick), or an
    /// additional one. `nonce` is a number that nobody can guess. Returns `None` if no test is to
    /// be sent.
    pub fn test(&mut self, id: PortId, nonce: u64, now: u64, view: &View) -> Option<Probe> {
        self.make_test(id, nonce, now, view, false)
    }

    pub(super) fn make_test(
        &mut self,
        id: PortId,
        nonce: u64,
        now: u64,
        view: &View,
        is_path: bool,
    ) -> Option<Probe> {
        if !self.is_testing() || self.link(id)?.left {
            return None;
        }
        self.now = self.now.max(now);
        // 0 is no nonce.
        let nonce = nonce.max(1);
        let link = self.link_mut(id)?;
        let sequence = link.tests.add(nonce, now, is_path);
        link.counts.tests_sent = link.counts.tests_sent.wrapping_add(1);
        let echo = link.nonce;
        self.probe(Kind::Test, id, sequence, nonce, echo, view)
    }

    /// Receives a message on a port. Returns the reply to be sent there, if any.
    pub fn receive(&mut self, id: PortId, probe: &Probe, now: u64, view: &View) -> Option<Probe> {
        if !self.is_testing() || self.link(id)?.left {
            return None;
        }
        self.now = self.now.max(now);
        let settings = self.settings;
        let known = self.link(id)?.tests.find(probe.echo);

        if probe.from == self.own {
            let ours = |link: &Link| link.tests.find(probe.nonce).is_some();
            let test = probe.kind == Kind::Test;
            let sender = self.iter().find(|(_, link)| test && ours(link));
            let sender = sender.map(|(id, _)| id);
            if known.is_some() || sender.is_some() {
                sender.into_iter().for_each(|id| self.note_shared(id));
                self.note_shared(id);
                return None;
            }
        }

        let link = self.link_mut(id)?;
        let before = link.peer;
        let known = known.filter(|test| probe.kind != Kind::Reply || test.number == probe.sequence);
        // Two ports answer. What is old may be of another time.
        let two = known.as_ref().is_some_and(|test| {
            let took = now.saturating_sub(test.sent);
            probe.kind == Kind::Reply
                && took <= settings.reply_timeout_ns()
                && link.note_answer(test.number, probe)
        });
        // Each test is answered once.
        let known = known.filter(|test| probe.kind != Kind::Reply || !test.answered);
        let newer = known
            .as_ref()
            .is_some_and(|test| link.follow(probe, test.number));
        let (mut found, mut left, mut path) = (false, false, None);
        match (probe.kind, known) {
            (Kind::Test, _) => {
                link.counts.tests_received = link.counts.tests_received.wrapping_add(1);
                link.heard = now;
            }
            (Kind::Reply, Some(test)) => {
                path = test.is_path.then_some(test.sent);
                found = link.reply(test, now, newer, &settings);
            }
            (Kind::Bye, Some(_)) if newer => {
                left = link.found;
                link.depart(settings.mode == ProbeMode::Required);
            }
            _ => link.counts.refused = link.counts.refused.wrapping_add(1),
        }
        let differs = newer && probe.kind != Kind::Bye && link.probed && link.learn(probe, now);

        path.into_iter().for_each(|sent| self.note_path(id, sent));
        if found {
            self.news.found.insert(id);
        }
        if left {
            self.news.bye.insert(id);
        }
        if differs {
            self.news.differs.insert(id);
        }
        if two {
            self.note_shared(id);
        }
        self.note_heard(id, before);

        if probe.kind != Kind::Test {
            return None;
        }
        let link = self.link_mut(id)?;
        if !link.may_reply(now, newer) {
            link.counts.limited = link.counts.limited.wrapping_add(1);
            return None;
        }
        link.counts.replies_sent = link.counts.replies_sent.wrapping_add(1);
        let nonce = link.tests.last_nonce();
        self.probe(Kind::Reply, id, probe.sequence, nonce, probe.nonce, view)
    }

    /// Returns whether a message is the last trusted test of the peer of a link that leads to it alone.
    pub fn is_last_word(&self, id: PortId, probe: &Probe) -> bool {
        let link = self.link(id).filter(|link| link.alive && link.probed);
        link.is_some_and(|link| {
            let peer = link.only_peer().map(|peer| peer.identity);
            let followed = link.followed.map(|(_, sequence)| sequence);
            let trusted = link.tests.find(probe.echo).is_some();
            let last = probe.kind == Kind::Test && followed == Some(probe.sequence);
            trusted && last && peer == Some(probe.from)
        })
    }

    /// Notes that a test has reached another port than the one at the other end of its link. A plain
    /// switch may be all that there is. Beside a link to a trunk, it is a wrong cable.
    fn note_shared(&mut self, id: PortId) {
        let cabled = self.is_cabled();
        if let Some(link) = self.link_mut(id) {
            link.shared = SHARED;
            link.mismatch = cabled;
        }
    }

    /// Makes a message.
    fn probe(
        &mut self,
        kind: Kind,
        id: PortId,
        sequence: u32,
        nonce: u64,
        echo: u64,
        view: &View,
    ) -> Option<Probe> {
        let link = self.link(id)?;
        let priority = link.priority;
        let heard = match link.peer {
            Some(peer) => self.heard(peer.identity),
            None => 0,
        };
        Some(Probe {
            kind,
            from: self.own,
            port: id.index() as u8,
            priority,
            interval: self.settings.interval,
            usable: view.usable.contains(id),
            in_use: view.in_use.contains(id),
            held: view.held.contains(id),
            sequence,
            nonce,
            echo,
            heard,
            address: view.address,
            path: None,
            counted: None,
        })
    }

    /// Returns the ports of that trunk that are heard here, one bit for each.
    fn heard(&mut self, identity: Identity) -> u64 {
        let known = self.heard.filter(|known| known.identity == identity);
        if let Some(known) = known.filter(|known| self.now <= known.until) {
            return known.ports;
        }
        let mut heard = Heard {
            identity,
            ports: 0,
            until: u64::MAX,
        };
        for (_, link) in self.iter() {
            let Some(peer) = link.peer.filter(|peer| peer.identity == identity) else {
                continue;
            };
            let until = link.heard_until(&self.settings);
            if self.now <= until {
                heard.ports |= bit(peer.port);
                heard.until = heard.until.min(until);
            }
        }
        self.heard = Some(heard);
        heard.ports
    }

    /// Notes what is heard: a message came in on a port that had that peer before.
    fn note_heard(&mut self, id: PortId, before: Option<Peer>) {
        let place = |peer: Option<Peer>| peer.map(|peer| (peer.identity, peer.port));
        let Some(link) = self.link(id) else {
            return;
        };
        let now = place(link.peer);
        let is_heard = self.now <= link.heard_until(&self.settings);
        if place(before) != now {
            self.heard = None;
        } else if let (Some(heard), Some((identity, port))) = (&mut self.heard, now) {
            if heard.identity == identity && is_heard {
                heard.ports |= bit(port);
            }
        }
    }

    /// Counts a frame on a port that is no probe.
    pub fn refused(&mut self, id: PortId) {
        if let Some(link) = self.link_mut(id) {
            link.counts.refused = link.counts.refused.wrapping_add(1);
        }
    }

    /// Counts `n` unknown TLVs of a probe on a port.
    pub fn unknown(&mut self, id: PortId, n: u8) {
        if let Some(link) = self.link_mut(id) {
            link.counts.unknown = link.counts.unknown.wrapping_add(n.into());
        }
    }

    /// Returns the goodbye to send on a port that leaves, or before [`stop`](Self::stop). After
    /// this, nothing is answered there. Returns `None` if the peer was never heard.
    pub fn bye(&mut self, id: PortId, nonce: u64, view: &View) -> Option<Probe> {
        let link = self.link_mut(id)?;
        link.left = true;
        let echo = link.nonce;
        if echo == 0 {
            return None;
        }
        let sequence = link.tests.add(0, 0, false);
        self.probe(Kind::Bye, id, sequence, nonce, echo, view)
    }

    /// Returns whether a test sent on a port at `since` or later was answered.
    pub fn answered_since(&self, id: PortId, since: u64) -> bool {
        self.link(id)
            .is_some_and(|link| link.tests.answered_since(since))
    }
}
