// SPDX-License-Identifier: GPL-2.0

//! One port: its settings, its link and its state.

use super::super::{
    health::{
        Link,
        Verdict, //
    },
    history::{
        Event,
        EventKind, //
    },
    port::{
        LinkState,
        PortView, //
    },
    uapi::Reason, //
};
use ::core::borrow::{
    Borrow,
    BorrowMut, //
};

/// A port of a trunk (1 KiB, too large for a stack).
pub struct Port {
    /// The interface index of its device.
    pub ifindex: u32,
    /// The weight as the user has set it; 0 is by speed. The priority is with the link, since peers
    /// are notified of it.
    pub weight: u16,
    /// The speed of the link in Mbit/s, if known.
    speed: Option<u32>,
    /// What the probes have found out.
    pub link: Link,
    /// What its use depends on besides priority and weight, as of the last step that looked at it.
    pub(super) condition: Condition,
    /// Its link state, as of the last decision.
    state: LinkState,
    pub(super) held_back: bool,
    /// When it became what it is, in ns.
    pub since: u64,
    /// Why it became that.
    pub(super) reason: Reason,
    /// Another reason why it is `sby`, which no event has named yet, and since when, in ns.
    other: Option<(Reason, u64)>,
    /// How long its failure went unnoticed, in ns.
    pub(super) unnoticed: Option<u64>,
    /// It has been `act` since it joined, since it was enabled, or since all had failed. Only then
    /// may it be held back.
    pub(super) was_act: bool,
    /// The number of times that it became `act`.
    pub ups: u64,
    /// The number of times that it became `sby`.
    pub downs: u64,
}

/// What the use of a port depends on besides its priority and weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Condition {
    /// Frames can leave by it.
    pub(super) operational: bool,
    /// Its device is up.
    pub(super) started: bool,
    /// The user has enabled it.
    pub(super) enabled: bool,
    /// What the probes have found out.
    pub(super) verdict: Verdict,
    /// Its place among ports of its priority.
    pub(super) rank: u8,
}

impl Condition {
    fn carries(&self) -> bool {
        self.operational && self.enabled
    }

    /// Returns whether the port is usable.
    pub(super) fn is_act(&self) -> bool {
        self.carries() && self.verdict.reason == Reason::None
    }

    /// Returns whether the port is usable for this end. Probes say that to the peer, which decides
    /// for itself.
    pub(super) fn is_usable_here(&self) -> bool {
        self.carries() && matches!(self.verdict.reason, Reason::None | Reason::PeerSby)
    }

    /// Returns whether the port may be used if no port is usable. A port that leads to another
    /// trunk may not, since frames would go astray. One that leads to a switch may.
    fn is_last_resort(&self) -> bool {
        self.carries() && (self.verdict.reason != Reason::PeerMismatch || self.verdict.shared)
    }

    /// Returns why the port is not usable.
    fn reason(&self) -> Reason {
        if !self.enabled {
            Reason::Disabled
        } else if self.operational {
            self.verdict.reason
        } else if self.started {
            Reason::NoCarrier
        } else {
            Reason::AdminDown
        }
    }
}

/// What the user sets for a port. `None` leaves it as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortSettings {
    /// 1 is a working port, 2 and more a spare.
    pub priority: Option<u16>,
    /// The weight of a working port; 0 is by speed.
    pub weight: Option<u16>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
}

impl Port {
    /// Makes a port that joins. Nothing is known of its link yet. `now` is in ns, `speed` in
    /// Mbit/s.
    pub fn new(ifindex: u32, priority: u16, speed: Option<u32>, now: u64) -> Self {
        Self {
            ifindex,
            weight: 1,
            speed,
            link: Link::new(priority),
            condition: Condition {
                operational: false,
                started: false,
                enabled: true,
                verdict: Verdict::NONE,
                rank: 0,
            },
            state: LinkState::Sby,
            held_back: false,
            since: now,
            reason: Reason::AdminDown,
            other: None,
            unnoticed: None,
            was_act: false,
            ups: 0,
            downs: 0,
        }
    }

    /// Returns whether the user has enabled it.
    pub const fn is_enabled(&self) -> bool {
        self.condition.enabled
    }

    /// Returns why it is not usable now, [`Reason::None`] if it is usable.
    pub fn why(&self) -> Reason {
        match self.state {
            LinkState::Act => Reason::None,
            LinkState::Sby => self.condition.reason(),
        }
    }

    /// Returns the weight in use. By speed, it is 1 for each 100 Mbit/s. A link of unknown speed
    /// counts as one of 1 Gbit/s.
    pub fn share(&self) -> u16 {
        match self.weight {
            0 => {
                let share = self.speed.unwrap_or(1000) / 100;
                u16::try_from(share).unwrap_or(u16::MAX).max(1)
            }
            weight => weight,
        }
    }

    /// Returns what the choice of ports depends on.
    pub(super) fn view(&self) -> PortView {
        PortView {
            priority: self.link.priority,
            weight: self.share(),
            state: self.state,
            carrier: self.condition.is_last_resort(),
            held: false,
            held_back: self.held_back,
            rank: self.condition.rank,
        }
    }

    /// Notes the speed, in Mbit/s. Returns whether the weight in use has changed.
    pub(super) fn note_speed(&mut self, speed: u32) -> bool {
        let before = self.share();
        self.speed = Some(speed);
        self.share() != before
    }

    /// Makes these its settings. Returns whether one has changed.
    pub fn configure(&mut self, settings: PortSettings) -> bool {
        let priority = settings.priority.unwrap_or(self.link.priority);
        let weight = settings.weight.unwrap_or(self.weight);
        let enabled = settings.enabled.unwrap_or(self.condition.enabled);
        let before = (self.link.priority, self.weight, self.condition.enabled);
        if (priority, weight, enabled) == before {
            return false;
        }
        self.weight = weight;
        self.link.priority = priority;
        self.held_back &= priority <= 1;
        // A user who enables a port wants it used.
        self.was_act &= enabled && self.condition.enabled;
        self.condition.enabled = enabled;
        true
    }

    /// Sets the link state by the condition. `waits` says whether the failback policy holds back a
    /// port that returns. Returns whether the link state has changed.
    pub(super) fn note(&mut self, now: u64, waits: bool) -> bool {
        let act = self.condition.is_act();
        if act == matches!(self.state, LinkState::Act) {
            if !act {
                self.note_reason(now);
            }
            return false;
        }
        self.reason = self.condition.reason();
        self.since = now;
        self.other = None;
        self.unnoticed = self.went_unnoticed(now);
        if act {
            self.state = LinkState::Act;
            self.held_back = self.was_act && waits && self.link.priority <= 1;
            self.was_act = true;
            self.ups = self.ups.wrapping_add(1);
        } else {
            self.state = LinkState::Sby;
            self.held_back = false;
            self.downs = self.downs.wrapping_add(1);
        }
        true
    }

    /// Returns how long the failure of the link went unnoticed until `now`, in ns, if probes found
    /// it.
    fn went_unnoticed(&self, now: u64) -> Option<u64> {
        let probes = matches!(
            self.reason,
            Reason::ProbeTimeout | Reason::OneWayRx | Reason::OneWayTx | Reason::PeerSilent
        );
        let good = self.link.good.filter(|_| probes)?;
        Some(now.saturating_sub(good))
    }

    /// Notes that the reason of a port that is `sby` has changed. A link that is about to return
    /// passes through [`Reason::ProbeTimeout`] and [`Reason::PeerSby`], so these are no new
    /// reasons.
    fn note_reason(&mut self, now: u64) {
        let reason = self.condition.reason();
        let passing = matches!(
            reason,
            Reason::None | Reason::ProbeTimeout | Reason::PeerSby
        );
        if self.other.is_none_or(|(other, _)| other != reason) {
            let new = !passing && self.downs != 0 && reason != self.reason;
            self.other = new.then_some((reason, now));
        }
    }

    /// Takes over the other reason, if it has lasted since `before`, in ns. Returns whether there
    /// was one.
    pub(super) fn take_reason(&mut self, before: u64) -> bool {
        let Some((reason, _)) = self.other.filter(|(_, since)| *since <= before) else {
            return false;
        };
        self.reason = reason;
        self.other = None;
        true
    }

    /// Returns an event about it, with the reason of its state.
    pub(super) fn event(&self, kind: EventKind, now: u64) -> Event {
        Event {
            reason: self.reason,
            detection: self.unnoticed,
            ..Event::new(kind, self.ifindex, now)
        }
    }
}

impl Borrow<Link> for Port {
    fn borrow(&self) -> &Link {
        &self.link
    }
}

impl BorrowMut<Link> for Port {
    fn borrow_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}
