// SPDX-License-Identifier: GPL-2.0

//! Trunks, cables between their ports, and what may happen on them, moment by moment.
//!
//! All chance comes from hashes of what it is about. So two runs of one history differ in nothing
//! but what is meant to differ.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use trunk_core::health::{Health, Link, News, ProbeMode, Reason, Settings, Verdict, View};
use trunk_core::port::{PortId, PortSet};
use trunk_core::wire::{Identity, Kind, Probe};

pub const US: u64 = 1_000;
pub const MS: u64 = 1_000_000;

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

pub fn port(number: usize) -> PortId {
    PortId::new(number).unwrap()
}

/// A port of an end.
pub type Place = (usize, usize);

/// What happens to frames that go one way.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub cut: bool,
    /// Of 1,000 frames.
    pub lost: u16,
    pub doubled: u16,
    /// Frames whose checksum a switch has made anew: some bits are wrong.
    pub corrupted: u16,
    /// At least and at most, in ns.
    pub delay: (u64, u64),
    /// A queue before it is full of other frames until then. Frames keep their order in it.
    pub full_until: u64,
}

impl Way {
    pub fn good(delay: u64) -> Self {
        Self {
            cut: false,
            lost: 0,
            doubled: 0,
            corrupted: 0,
            delay: (delay / 2, delay),
            full_until: 0,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Cable {
    pub ends: [Place; 2],
    pub carrier: bool,
    /// From the first end to the second, and back.
    pub ways: [Way; 2],
}

/// A trunk.
pub struct End {
    pub health: Health<Box<Link>>,
    pub identity: Identity,
    pub key: Option<u64>,
    pub ports: usize,
    pub in_use: PortSet,
    pub held: PortSet,
    /// All that it told, and when.
    pub news: Vec<(u64, News)>,
    /// When its rounds began.
    pub rounds: Vec<u64>,
    /// Ticks come so much later than asked for, at the most, in ns.
    pub lateness: u64,
    /// Its machine stands still until then.
    pub still_until: u64,
    /// The tick that is still meant, of all that are on their way.
    tick: u64,
    tests: u64,
}

impl End {
    pub fn new(identity: Identity, ports: usize, settings: Settings, key: Option<u64>) -> Self {
        let mut health = Health::new(identity);
        health.configure(settings);
        for number in 0..ports {
            health.add(port(number), Box::new(Link::new(1)));
        }
        Self {
            health,
            identity,
            key,
            ports,
            in_use: PortSet::EMPTY,
            held: PortSet::EMPTY,
            news: Vec::new(),
            rounds: Vec::new(),
            lateness: 0,
            still_until: 0,
            tick: 0,
            tests: 0,
        }
    }

    pub fn verdict(&self, number: usize) -> Verdict {
        self.health.verdict(port(number))
    }

    pub fn reason(&self, number: usize) -> Reason {
        self.verdict(number).reason
    }

    pub fn is_probed(&self, number: usize) -> bool {
        let link = self.health.link(port(number));
        link.is_some_and(Link::is_probed)
    }

    pub fn interval(&self) -> u64 {
        u64::from(self.health.settings().interval) * US
    }

    fn tag(&self) -> Option<impl Fn(&[u8]) -> u64> {
        self.key.map(|key| move |bytes: &[u8]| hash((key, bytes)))
    }
}

#[derive(Clone, Debug)]
enum Event {
    Tick { end: usize, tick: u64 },
    Frame { to: Place, bytes: Vec<u8> },
}

pub struct Network {
    pub now: u64,
    pub ends: Vec<End>,
    pub cables: Vec<Cable>,
    /// Frames that came to a port once, and when, for who wants to send them again.
    pub delivered: Vec<(u64, Place, Vec<u8>)>,
    seed: u64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self {
            now: 1_000_000 * MS,
            ends: Vec::new(),
            cables: Vec::new(),
            delivered: Vec::new(),
            seed,
            queue: BTreeMap::new(),
            queued: 0,
        }
    }

    fn chance(&self, what: impl Hash) -> u64 {
        hash((self.seed, what))
    }

    fn queue(&mut self, time: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((time, self.queued), event);
    }

    /// Connects two ports.
    pub fn connect(&mut self, one: Place, other: Place, delay: u64) {
        self.cables.push(Cable {
            ends: [one, other],
            carrier: true,
            ways: [Way::good(delay); 2],
        });
    }

    /// The cable in a port, and which of its ends that is.
    fn cable(&self, place: Place) -> Option<(usize, usize)> {
        let ends = self.cables.iter().enumerate();
        let mut ends = ends.flat_map(|(cable, it)| it.ends.map(|end| (cable, end)));
        let (cable, _) = ends.find(|(_, end)| *end == place)?;
        let side = self.cables[cable]
            .ends
            .iter()
            .position(|end| *end == place)?;
        Some((cable, side))
    }

    pub fn carrier(&self, end: usize) -> PortSet {
        let up = self.cables.iter().filter(|cable| cable.carrier);
        let places = up.flat_map(|cable| &cable.ends);
        let own = places.filter(|place| place.0 == end);
        own.map(|place| port(place.1)).collect()
    }

    fn view(&self, end: usize) -> View {
        let it = &self.ends[end];
        let fine = |id: &PortId| {
            let reason = it.health.verdict(*id).reason;
            matches!(reason, Reason::None | Reason::PeerSby)
        };
        View {
            usable: self.carrier(end).iter().filter(fine).collect(),
            in_use: it.in_use,
            held: it.held,
            address: Some([end as u8; 6]),
        }
    }

    pub fn start(&mut self, end: usize) {
        self.ends[end].health.start(self.now);
        self.tick(end);
    }

    /// Says goodbye on all ports, and stops.
    pub fn stop(&mut self, end: usize) {
        let view = self.view(end);
        for number in 0..self.ends[end].ports {
            let nonce = self.nonce(end);
            if let Some(bye) = self.ends[end].health.bye(port(number), nonce, &view) {
                self.send((end, number), &bye);
            }
        }
        self.ends[end].health.stop();
    }

    /// Its memory is gone, and it comes back as `identity`.
    pub fn restart(&mut self, end: usize, identity: Identity) {
        let old = &self.ends[end];
        let settings = *old.health.settings();
        let mut new = End::new(identity, old.ports, settings, old.key);
        new.lateness = old.lateness;
        new.tick = old.tick;
        new.tests = old.tests;
        self.ends[end] = new;
    }

    fn nonce(&mut self, end: usize) -> u64 {
        let it = &mut self.ends[end];
        it.tests += 1;
        let number = it.tests;
        self.chance(("nonce", end, number))
    }

    /// A tick of that end, now, and what follows from it.
    pub fn tick(&mut self, end: usize) {
        let carrier = self.carrier(end);
        let due = self.ends[end].health.tick(self.now, carrier);
        self.note(end);
        if !due.test.is_empty() {
            self.ends[end].rounds.push(self.now);
        }
        for id in due.test.iter() {
            self.test((end, id.index()));
        }
        self.ends[end].tick += 1;
        let tick = self.ends[end].tick;
        if due.next != u64::MAX {
            let late = self.chance(("late", end, due.next)) % (self.ends[end].lateness + 1);
            let time = due.next.max(self.now) + late;
            self.queue(time, Event::Tick { end, tick });
        }
    }

    fn note(&mut self, end: usize) {
        let news = self.ends[end].health.news();
        if news != News::default() {
            let now = self.now;
            self.ends[end].news.push((now, news));
        }
    }

    /// A test on a port, now.
    pub fn test(&mut self, (end, number): Place) {
        let view = self.view(end);
        let nonce = self.nonce(end);
        let now = self.now;
        let test = self.ends[end].health.test(port(number), nonce, now, &view);
        if let Some(test) = test {
            self.send((end, number), &test);
        }
    }

    fn send(&mut self, from: Place, probe: &Probe) {
        let (bytes, used) = probe.write(self.ends[from.0].tag());
        let Some((cable, side)) = self.cable(from) else {
            return;
        };
        let Cable {
            ends,
            carrier,
            ways,
        } = self.cables[cable];
        let (to, way) = (ends[1 - side], ways[side]);
        // What tells it from all others, but not what it says.
        let own = match probe.kind {
            Kind::Reply => probe.echo,
            _ => probe.nonce,
        };
        let it = (probe.kind as u8, own, from);
        let happens =
            |what: &str, of_1000: u16| self.chance((what, it)) % 1_000 < u64::from(of_1000);
        if !carrier || way.cut || happens("lost", way.lost) {
            return;
        }
        let mut bytes = bytes[..used].to_vec();
        if happens("corrupted", way.corrupted) {
            for time in 0..=self.chance(("bits", it)) % 3 {
                let bit = self.chance(("bit", time, it)) as usize % (used * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        for copy in 0..=u64::from(happens("doubled", way.doubled)) {
            let (least, most) = way.delay;
            let delay = least + self.chance(("delay", copy, it)) % (most - least + 1);
            let bytes = bytes.clone();
            self.queue(
                self.now.max(way.full_until) + delay,
                Event::Frame { to, bytes },
            );
        }
    }

    /// A frame comes in on a port, wherever it is from.
    pub fn deliver(&mut self, (end, number): Place, bytes: &[u8]) {
        let view = self.view(end);
        let now = self.now;
        let it = &mut self.ends[end];
        let reply = match Probe::read(bytes, it.tag()) {
            Ok(read) => it.health.receive(port(number), &read.probe, now, &view),
            Err(_) => {
                it.health.refused(port(number));
                None
            }
        };
        self.note(end);
        if let Some(reply) = reply {
            self.send((end, number), &reply);
        }
    }

    /// Runs until `time`; `look` sees what each event has made of it.
    pub fn run(&mut self, time: u64, mut look: impl FnMut(&Self)) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > time {
                break;
            }
            let ((now, _), event) = entry.remove_entry();
            self.now = now;
            // A machine that goes on looks at its timers before it looks at what has come in.
            let (end, after) = match &event {
                Event::Tick { end, .. } => (*end, 0),
                Event::Frame { to, .. } => (to.0, 1),
            };
            let still_until = self.ends[end].still_until;
            if now < still_until {
                self.queue(still_until + after, event);
                continue;
            }
            match event {
                Event::Tick { end, tick } => {
                    if self.ends[end].tick == tick {
                        self.tick(end);
                    }
                }
                Event::Frame { to, bytes } => {
                    // A cable may have been pulled in the meantime.
                    if self.carrier(to.0).contains(port(to.1)) {
                        self.deliver(to, &bytes);
                        if self.is_testing(to.0) {
                            self.delivered.push((self.now, to, bytes));
                        }
                    }
                }
            }
            look(self);
        }
        self.now = self.now.max(time);
    }

    /// Runs on for so long.
    pub fn run_for(&mut self, time: u64) {
        self.run(self.now + time, |_| {});
    }

    /// A cable has carrier, or has none any more. Both ends notice at once.
    pub fn set_carrier(&mut self, cable: usize, carrier: bool) {
        self.cables[cable].carrier = carrier;
        for (end, _) in self.cables[cable].ends {
            self.tick(end);
        }
    }

    /// What may be sent to `to` by somebody who knows all that there is to know but nonces and
    /// keys.
    pub fn forge(&mut self, to: Place, choice: u64) -> Vec<u8> {
        let (cable, side) = self.cable(to).unwrap();
        let (end, number) = self.cables[cable].ends[1 - side];
        let random = |what: &str| self.chance((what, to, choice));
        let is = |what: &str| random(what) % 2 == 0;
        let sent = self.ends[to.0].health.link(port(to.1)).unwrap().counts;
        let probe = Probe {
            kind: [Kind::Test, Kind::Reply, Kind::Bye][random("kind") as usize % 3],
            from: if is("from") {
                self.ends[end].identity
            } else {
                Identity {
                    system: random("system") % 3,
                    trunk: 1,
                }
            },
            port: number as u8,
            priority: 1 + is("priority") as u16,
            interval: if is("interval") { u32::MAX } else { 1 },
            usable: is("usable"),
            in_use: is("in use"),
            held: is("held"),
            // Those of the last tests, of which one may be waited for.
            sequence: (sent.tests_sent + 2).saturating_sub(random("sequence") % 5) as u32,
            nonce: random("nonce"),
            echo: random("echo") * (is("no echo") as u64),
            heard: random("heard"),
            address: is("address").then_some([9; 6]),
            path: None,
            counted: None,
        };
        let (bytes, used) = match random("tag") % 3 {
            0 => probe.write(None::<fn(&[u8]) -> u64>),
            _ => probe.write(Some(|bytes: &[u8]| hash(("a key", bytes)))),
        };
        bytes[..used].to_vec()
    }

    /// Of the frames that came to this port so long ago or longer and were another's, one. Who carries
    /// frames from link to link is a link himself.
    pub fn recorded(&self, place: Place, choice: u64, ago: u64) -> Option<Vec<u8>> {
        let own = self.ends[place.0].identity;
        let mine = self.delivered.iter().rev().filter(|(time, to, bytes)| {
            let read = Probe::read(bytes, None::<fn(&[u8]) -> u64>);
            let old = time + ago <= self.now;
            *to == place && old && read.is_ok_and(|read| read.probe.from != own)
        });
        // Rather the last ones.
        let mine: Vec<_> = mine.take(100).collect();
        let place = self.chance(("which", choice)) as usize % mine.len().max(1);
        mine.get(place).map(|(.., bytes)| bytes.clone())
    }

    /// Has every link of these two that has carrier nothing against it, at both ends?
    pub fn all_fine(&self) -> bool {
        let fine = |place: &Place| self.ends[place.0].reason(place.1) == Reason::None;
        let up = self.cables.iter().filter(|cable| cable.carrier);
        up.flat_map(|cable| &cable.ends).all(fine)
    }

    /// Are the peers of all ports of that end that have carrier alive, and trunks?
    pub fn proves_all(&self, end: usize) -> bool {
        let proven = |id| self.ends[end].health.verdict(id).proven.is_some();
        self.carrier(end).iter().all(proven)
    }

    pub fn is_testing(&self, end: usize) -> bool {
        let health = &self.ends[end].health;
        health.is_running() && health.settings().mode != ProbeMode::Off
    }
}
