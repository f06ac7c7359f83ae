// SPDX-License-Identifier: GPL-2.0

//! The model of the screen, and its changes.

use std::collections::BTreeMap;
use std::time::Duration;

use trunk_nl::{Bucket, Clock, Event, Statistics};

use crate::view::Group;

/// The shortest time over which rates are calculated, in ns.
pub const LEAST: u64 = Duration::from_millis(500).as_nanos() as u64;

/// How long a notice is shown.
const NOTICE: Duration = Duration::from_secs(10);

/// Everything, as it was read at one time.
#[derive(Debug)]
pub struct Reading {
    pub clock: Clock,
    /// All trunks that the user can choose.
    pub groups: Vec<Group>,
    /// The trunk that the rest concerns, by interface index; none if there is no trunk.
    pub trunk: Option<u32>,
    pub table: Vec<Bucket>,
    /// Oldest first.
    pub history: Vec<Event>,
    pub statistics: Vec<Statistics>,
}

/// A message to the model.
#[derive(Debug)]
pub enum Message {
    Read(Reading),
    /// Reading failed.
    Failed(String),
    /// Events were lost; their number, if known. Everything is read again.
    Lost(Option<u64>),
    Key(Key),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Quit,
    /// Chooses the next trunk.
    Next,
    Previous,
    /// Scrolls the ports.
    Up,
    Down,
}

/// What follows from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    None,
    Read,
    Quit,
}

/// What a device carries in a second. None after counters were reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Frames.
    pub tx_packets: Option<u64>,
    /// Bits.
    pub tx_bits: Option<u64>,
    pub rx_packets: Option<u64>,
    pub rx_bits: Option<u64>,
}

#[derive(Debug)]
pub struct Model {
    pub reading: Reading,
    pub color: bool,
    /// The chosen trunk, by interface index; it may not have been read yet.
    pub chosen: Option<u32>,
    /// Rates of devices, by interface index.
    pub rates: BTreeMap<u32, Rates>,
    /// Number of ports above those shown, if there is no room for all.
    pub scroll: usize,
    /// A text for the user, and the time of the first reading since then, in ns of CLOCK_MONOTONIC.
    pub notice: Option<(String, Option<u64>)>,
    /// Why the shown data are old.
    pub failure: Option<String>,
    /// The counters for the next rates, and their time.
    before: (u64, Vec<Statistics>),
}

impl Model {
    pub fn new(reading: Reading, color: bool) -> Self {
        Self {
            color,
            chosen: reading.trunk,
            rates: BTreeMap::new(),
            scroll: 0,
            notice: None,
            failure: None,
            before: (reading.clock.monotonic(), reading.statistics.clone()),
            reading,
        }
    }

    /// Returns the trunk that is shown.
    pub fn group(&self) -> Option<&Group> {
        let shown = |group: &&Group| Some(group.trunk.ifindex) == self.reading.trunk;
        self.reading.groups.iter().find(shown)
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Read(reading) => {
                self.read(reading);
                Action::None
            }
            Message::Failed(text) => {
                self.failure = Some(text);
                Action::None
            }
            Message::Lost(count) => {
                let count = count.map_or_else(String::new, |count| format!("{count} "));
                let text = format!("{count}events were lost; everything was read again");
                self.notice = Some((text, None));
                Action::None
            }
            Message::Key(Key::Quit) => Action::Quit,
            Message::Key(Key::Next) => self.choose(1),
            Message::Key(Key::Previous) => self.choose(self.reading.groups.len().max(1) - 1),
            Message::Key(Key::Up) => {
                self.scroll = self.scroll.saturating_sub(1);
                Action::None
            }
            Message::Key(Key::Down) => {
                self.scroll += 1;
                self.bound();
                Action::None
            }
        }
    }

    /// Chooses the trunk that is so many further; after the last one comes the first.
    fn choose(&mut self, further: usize) -> Action {
        let groups = &self.reading.groups;
        if groups.len() < 2 {
            return Action::None;
        }
        let chosen = |group: &Group| Some(group.trunk.ifindex) == self.chosen;
        let at = groups.iter().position(chosen).unwrap_or(0);
        self.chosen = Some(groups[(at + further) % groups.len()].trunk.ifindex);
        self.scroll = 0;
        Action::Read
    }

    fn read(&mut self, reading: Reading) {
        let now = reading.clock.monotonic();
        let (then, before) = &self.before;
        let passed = now.saturating_sub(*then);
        if reading.trunk != self.reading.trunk {
            self.rates.clear();
            self.before = (now, reading.statistics.clone());
        } else if passed >= LEAST {
            self.rates = rates(before, &reading.statistics, passed);
            self.before = (now, reading.statistics.clone());
        }
        if let Some((_, since)) = &mut self.notice {
            let since = *since.get_or_insert(now);
            if reading.clock.since(since) >= NOTICE {
                self.notice = None;
            }
        }
        self.failure = None;
        self.chosen = reading.trunk;
        self.reading = reading;
        self.bound();
    }

    /// Limits scrolling so that at least one port is shown.
    fn bound(&mut self) {
        let ports = self.group().map_or(0, |group| group.ports.len());
        self.scroll = self.scroll.min(ports.saturating_sub(1));
    }
}

/// Returns rates of devices that are in both readings, which are `passed` ns apart.
fn rates(before: &[Statistics], after: &[Statistics], passed: u64) -> BTreeMap<u32, Rates> {
    let device = |statistics: &Statistics| statistics.port.unwrap_or(statistics.trunk);
    let rate = |before: Option<u64>, after: Option<u64>, scale: u128| {
        let count = after?.checked_sub(before?)?;
        let second = u128::from(count) * scale * 1_000_000_000 / u128::from(passed.max(1));
        u64::try_from(second).ok()
    };
    let both = |new: &Statistics| {
        let old = before.iter().find(|old| device(old) == device(new))?;
        let (old, c) = (&old.counters, &new.counters);
        let rates = Rates {
            tx_packets: rate(old.tx_packets, c.tx_packets, 1),
            tx_bits: rate(old.tx_bytes, c.tx_bytes, 8),
            rx_packets: rate(old.rx_packets, c.rx_packets, 1),
            rx_bits: rate(old.rx_bytes, c.rx_bytes, 8),
        };
        Some((device(new), rates))
    };
    after.iter().filter_map(both).collect()
}
