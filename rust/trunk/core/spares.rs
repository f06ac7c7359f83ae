// SPDX-License-Identifier: GPL-2.0

//! Which spare takes a failed working port's place, and when the port returns.

use super::port::{
    from_slot,
    to_slot,
    PerPort,
    PortId,
    PortSet,
    PortView,
    Ports,
    Slot,
    NO_PORT, //
};

/// The stand-ins of a trunk: for each working port that has one, the spare in its place. A spare
/// stands in for one port at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StandIns(PerPort<Slot>);

impl StandIns {
    /// No stand-ins.
    pub const fn new() -> Self {
        Self(PerPort::new(NO_PORT))
    }

    /// The spare standing in for `home`.
    pub fn of(&self, home: PortId) -> Option<PortId> {
        from_slot(self.0[home])
    }

    /// The working port that `spare` stands in for.
    pub fn home_of(&self, spare: PortId) -> Option<PortId> {
        PortId::all().find(|home| self.of(*home) == Some(spare))
    }

    /// The spares that stand in.
    pub fn in_use(&self) -> PortSet {
        PortId::all().filter_map(|home| self.of(home)).collect()
    }

    /// Brings the stand-ins into line with `ports`.
    ///
    /// A stand-in stays while it is usable and its home is not, or is held back. Then each failed
    /// home without one, by number, takes the best free spare: usable, held by no claim, not
    /// standing in, of the lowest priority number, then of the lowest port number.
    ///
    /// A home held back that loses its stand-in gets no other: it returns at once. The caller can
    /// tell from the stand-ins before and after, as it can for every failover and failback.
    pub fn update(&mut self, ports: &Ports) {
        let usable = ports.usable();
        let working = ports.select(PortView::is_working);
        let failed = working & !usable;
        let away = failed | (working & ports.select(PortView::is_held_back));
        let spares = usable & !working;

        for home in PortId::all() {
            let keep = self
                .of(home)
                .filter(|spare| away.contains(home) && spares.contains(*spare));
            self.0[home] = to_slot(keep);
        }

        let mut free = spares & !ports.select(|view| view.held) & !self.in_use();
        for home in failed.iter() {
            if self.of(home).is_none() {
                let Some(spare) = ports.best(free) else {
                    break;
                };
                free.remove(spare);
                self.0[home] = to_slot(Some(spare));
            }
        }
    }
}

impl Default for StandIns {
    fn default() -> Self {
        Self::new()
    }
}

/// When a working port that is `act` again takes its buckets back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Failback {
    /// At once.
    #[default]
    Immediate,
    /// When it has been `act` for so many milliseconds.
    Delay(u32),
    /// When the user says so.
    Manual,
}

impl Failback {
    /// May a port that is `act` since `act_since` return at `now`, both in ns of one monotonic clock?
    pub const fn due(self, act_since: u64, now: u64) -> bool {
        match self {
            Self::Immediate => true,
            Self::Delay(ms) => {
                now.saturating_sub(act_since) >= (ms as u64).saturating_mul(1_000_000)
            }
            Self::Manual => false,
        }
    }
}
