// SPDX-License-Identifier: GPL-2.0

//! Trunks that live through whatever bytes say.
//!
//! [`live`] has the health checks of one trunk live: frames of any content come in, from a peer that
//! answers to somebody who only claims to be one, among ticks and changes of settings. [`step`] has
//! two ends of a trunk live, each a whole state. [`hash`] is about the hash of a frame's flow. Each
//! panics if the core does, or if it comes to what cannot be.
//! `fuzz_targets/` has them guided by coverage, `tests/` by chance alone.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The properties of the core use more of them.
#[allow(dead_code)]
#[path = "../../core/tests/state/end.rs"]
mod end;
#[path = "../../core/tests/state/history.rs"]
mod history;

use end::{socket, Ends};
use history::Happens;
use trunk_core::flow::{self, Key};
use trunk_core::health::{Health, Link, News, Peers, ProbeMode, Reason, Settings, View};
use trunk_core::port::{PortId, PortSet};
use trunk_core::spares::Failback;
use trunk_core::state::{Ending, PortSettings};
use trunk_core::wire::{Identity, Kind, Path, Probe, MAX_LEN};

/// Ports from 0 on may be there, and so many of them.
const PORTS: usize = 4;

const OWN: Identity = Identity {
    system: 2,
    trunk: 1,
};

/// The bytes that are left, and 0 from then on.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (head, rest) = self.0.split_at(self.0.len().min(N));
        bytes[..head.len()].copy_from_slice(head);
        self.0 = rest;
        bytes
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// Mostly small, but of all sizes.
    fn some(&mut self) -> u64 {
        let size = self.byte();
        self.number() >> (size % 64)
    }

    fn port(&mut self) -> PortId {
        port(usize::from(self.byte()) % PORTS)
    }

    fn ports(&mut self) -> PortSet {
        PortSet::from_bits(self.byte().into())
    }
}

fn port(number: usize) -> PortId {
    PortId::new(number).expect("a small number")
}

/// A trunk, and what its peers could know of it.
struct Life {
    health: Health<Box<Link>>,
    now: u64,
    /// The tests of each port that a peer could still answer, the last one last.
    sent: [Vec<Probe>; PORTS],
    /// Nonces are of all sizes, but never given twice.
    nonces: u64,
    view: View,
}

impl Life {
    fn new() -> Self {
        let mut health = Health::new(OWN);
        for number in 0..PORTS {
            health.add(port(number), Box::new(Link::new(1)));
        }
        health.start(1);
        Self {
            health,
            now: 1,
            sent: Default::default(),
            nonces: 0,
            view: View::default(),
        }
    }

    fn nonce(&mut self) -> u64 {
        self.nonces += 1;
        // One to one: the factor is odd.
        self.nonces.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn test(&mut self, id: PortId) {
        let nonce = self.nonce();
        if let Some(test) = self.health.test(id, nonce, self.now, &self.view) {
            assert_eq!((test.kind, test.from, test.nonce), (Kind::Test, OWN, nonce));
            let sent = &mut self.sent[id.index()];
            sent.push(test);
            if sent.len() > 16 {
                sent.remove(0);
            }
        }
    }

    fn tick(&mut self, carrier: PortSet) {
        let due = self.health.tick(self.now, carrier);
        assert!((due.test & !carrier).is_empty());
        assert!(due.test.iter().all(|id| self.health.link(id).is_some()));
        if !self.is_testing() {
            assert!(due.test.is_empty() && due.next == u64::MAX);
        } else {
            assert!(due.next >= self.now || due.next == u64::MAX);
        }
        for id in due.test.iter() {
            self.test(id);
        }
        let paths = self.health.test_paths(self.now, self.view.in_use);
        for id in paths.iter() {
            assert!(self.health.link(id).is_some_and(Link::is_probed));
            let nonce = self.nonce();
            let test = self.health.path_test(id, nonce, self.now, &self.view);
            self.sent[id.index()].extend(test);
        }
    }

    fn is_testing(&self) -> bool {
        self.health.is_running() && self.health.settings().mode != ProbeMode::Off
    }

    /// A frame with these bytes; `known` if it is from somebody who has seen a test of that port.
    fn frame(&mut self, id: PortId, bytes: &[u8], known: bool) {
        let before = self.fine();
        match Probe::read(bytes, None::<fn(&[u8]) -> u64>) {
            Ok(read) => {
                assert!(bytes.len() >= 56 && read.probe.port < 64);
                self.health.unknown(id, read.unknown);
                let probe = read.probe;
                let reply = self.health.receive(id, &probe, self.now, &self.view);
                if let Some(reply) = reply {
                    assert_eq!((probe.kind, reply.kind), (Kind::Test, Kind::Reply));
                    assert_eq!((reply.from, reply.address), (OWN, self.view.address));
                    let answer = (reply.echo, reply.sequence);
                    assert_eq!(answer, (probe.nonce, probe.sequence));
                }
            }
            Err(_) => self.health.refused(id),
        }
        if !known {
            assert_eq!(self.fine(), before);
        }
    }

    /// The ports that have nothing against them, those that are proven, and those that are probed.
    fn fine(&self) -> [PortSet; 3] {
        let all = || (0..PORTS).map(port);
        let fine = |id: &PortId| self.health.verdict(*id).reason == Reason::None;
        let proven = |id: &PortId| self.health.verdict(*id).proven.is_some();
        let probed = |id: &PortId| self.health.link(*id).is_some_and(Link::is_probed);
        [
            all().filter(fine).collect(),
            all().filter(proven).collect(),
            all().filter(probed).collect(),
        ]
    }

    /// A message of a peer that has seen a test of the port: one of the last, and the very last if
    /// `input` is at its end.
    fn message(&mut self, id: PortId, input: &mut Input<'_>) -> Probe {
        let age = usize::from(input.byte());
        let sent = &self.sent[id.index()];
        let test = sent.iter().rev().nth(age % 16).copied();
        let [kind, flags, port, system] = input.bytes();
        let kind = [Kind::Reply, Kind::Test, Kind::Bye][usize::from(kind) % 3];
        let nonce = self.nonce();
        Probe {
            kind,
            from: Identity {
                system: 1 + u64::from(system % 3),
                trunk: 1,
            },
            port: port % 64,
            priority: 1 + u16::from(flags >> 7),
            interval: input.some() as u32,
            usable: flags & 1 == 0,
            in_use: flags & 2 == 0,
            held: flags & 4 == 0,
            sequence: match (kind, flags & 8) {
                (Kind::Reply, 0) => test.map_or(0, |test| test.sequence),
                _ => self.nonces as u32,
            },
            nonce,
            echo: test.map_or(0, |test| test.nonce),
            heard: input.number(),
            address: (flags & 16 != 0).then_some([port; 6]),
            path: (flags & 32 != 0).then_some(Path::Vlan(port.into())),
            counted: None,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let id = input.port();
        match what % 16 {
            // The peer knows a test.
            0..=4 => {
                let probe = self.message(id, input);
                let (bytes, used) = probe.write(None::<fn(&[u8]) -> u64>);
                self.frame(id, &bytes[..used], true);
            }
            // It is changed on its way.
            5 => {
                let probe = self.message(id, input);
                let (mut bytes, used) = probe.write(None::<fn(&[u8]) -> u64>);
                let place = usize::from(input.byte()) % used;
                bytes[place] ^= input.byte();
                self.frame(id, &bytes[..used], true);
            }
            // Somebody knows all but the test.
            6 => {
                let mut probe = self.message(id, input);
                probe.echo = self.nonce();
                probe.from.system = if probe.from == OWN { 9 } else { 1 };
                let (bytes, used) = probe.write(None::<fn(&[u8]) -> u64>);
                self.frame(id, &bytes[..used], false);
            }
            // What was sent comes back.
            7 => {
                let test = self.message(id, input);
                let from = usize::from(test.port) % PORTS;
                if let Some(test) = self.sent[from].last() {
                    let (bytes, used) = test.write(None::<fn(&[u8]) -> u64>);
                    self.frame(id, &bytes[..used], true);
                }
            }
            // Any bytes. Those that begin with another kind of these messages know no test.
            8 => {
                let length = input.0.len().min(usize::from(input.byte()) + 16);
                let (bytes, rest) = input.0.split_at(length.min(input.0.len()).min(MAX_LEN));
                self.frame(id, bytes, false);
                input.0 = rest;
            }
            9..=11 => {
                let time = match what / 16 % 4 {
                    0 => input.some(),
                    // As asked for, or after a round.
                    _ => 1_000 * u64::from(self.health.settings().interval),
                };
                self.now = self.now.saturating_add(time);
                let carrier = if what & 0x80 == 0 {
                    !PortSet::EMPTY
                } else {
                    input.ports()
                };
                self.tick(carrier);
            }
            12 => {
                self.test(id);
                let since = self.now.saturating_sub(input.some());
                let sent = self
                    .health
                    .link(id)
                    .map_or(0, |link| link.counts.tests_sent);
                assert!(sent > 0 || !self.health.answered_since(id, since));
            }
            13 => {
                let [mode, misses, hits, peers] = input.bytes();
                self.health.configure(Settings {
                    mode: [ProbeMode::Auto, ProbeMode::Required, ProbeMode::Off]
                        [usize::from(mode) % 3],
                    interval: input.some() as u32,
                    reply_timeout: input.some() as u32,
                    misses,
                    hits,
                    hold_down: input.some() as u32,
                    peers: if peers % 2 == 0 {
                        Peers::One
                    } else {
                        Peers::Several
                    },
                });
            }
            14 => match what / 16 {
                0..=3 => {
                    let priority = input.byte().into();
                    if let Some(link) = self.health.get_mut(id) {
                        link.priority = priority;
                    }
                }
                4..=7 => {
                    self.view = View {
                        usable: input.ports(),
                        in_use: input.ports(),
                        held: input.ports(),
                        address: Some([2, 0, 0, 0, 0, what]),
                    }
                }
                8..=11 => drop(self.health.remove(id)),
                _ => self.health.add(id, Box::new(Link::new(2))),
            },
            _ => match what / 16 {
                0..=5 => self.health.start(self.now),
                6..=10 => self.health.stop(),
                _ => {
                    let nonce = self.nonce();
                    let bye = self.health.bye(id, nonce, &self.view);
                    assert!(bye.is_none_or(|bye| bye.kind == Kind::Bye && bye.echo != 0));
                }
            },
        }
    }

    /// What holds at any time.
    fn check(&mut self) {
        let testing = self.is_testing();
        for id in (0..PORTS).map(port) {
            let verdict = self.health.verdict(id);
            let Some(link) = self.health.link(id).filter(|_| testing) else {
                // Without tests, a carrier that blinks is held down all the same.
                assert!(matches!(verdict.reason, Reason::None | Reason::HeldDown));
                assert_eq!(verdict.proven, None);
                continue;
            };
            let known = [
                Reason::None,
                Reason::ProbeTimeout,
                Reason::OneWayRx,
                Reason::OneWayTx,
                Reason::PeerSilent,
                Reason::PeerMismatch,
                Reason::HeldDown,
                Reason::PeerSby,
            ];
            assert!(known.contains(&verdict.reason));
            let required = self.health.settings().mode == ProbeMode::Required;
            assert!(link.is_probed() || !required);
            assert!(link.is_probed() || link.peer.is_none() && verdict.proven.is_none());
            assert!(link.peer.is_some() || verdict.proven.is_none());
            assert!(
                !verdict.held || verdict.proven.is_some() || verdict.reason == Reason::PeerMismatch
            );
            // A port that is probed is fine only if it is proven, but for one that is yet to say
            // who it leads to, or leads to several.
            let proven = verdict.proven.is_some() || link.peer.is_none() || verdict.shared;
            assert!(!link.is_probed() || verdict.reason != Reason::None || proven);
            assert!(self.health.rank(id) < 64);

            let counts = link.counts;
            assert!(counts.missed <= counts.rounds && counts.rounds <= counts.tests_sent);
            assert!(counts.replies_received + counts.replies_late <= counts.tests_sent);
            assert_eq!(counts.replies_sent + counts.limited, counts.tests_received);
            if let Some(trip) = link.round_trip {
                assert!(trip.min <= trip.last && trip.min <= trip.avg);
            }
        }
        let news = self.health.news();
        assert!(testing || news == News::default());
        assert!(self.health.news() == News::default());
    }
}

/// Lives through what `bytes` say.
pub fn live(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut life = Life::new();
    while !input.0.is_empty() {
        life.step(&mut input);
        life.check();
    }
}

/// What happens next by the bytes of `input`.
fn happens(input: &mut Input<'_>) -> Happens {
    let [what, a, b, c] = input.bytes();
    let (end, number) = (usize::from(a / 8 % 2), usize::from(a % 8));
    let settings = PortSettings::default();
    match what % 32 {
        0..=3 => Happens::Carrier(number, b % 2 == 0),
        4..=7 => Happens::Cut(number, [b & 1 != 0, b & 2 != 0]),
        8..=13 => Happens::Time(1 + u64::from(a) * [1, 4][usize::from(b % 2)]),
        14 => Happens::Join(number, 1 + u16::from(b % 3)),
        15 => Happens::Leave(number),
        16 => Happens::Up(end, b % 2 == 0),
        17 => {
            let enabled = Some(b % 2 == 0);
            Happens::Port(
                end,
                number,
                PortSettings {
                    enabled,
                    ..settings
                },
            )
        }
        18 => {
            let (priority, weight) = (Some(1 + u16::from(b % 3)), Some(u16::from(c % 4)));
            let settings = PortSettings {
                priority,
                weight,
                ..settings
            };
            Happens::Port(end, number, settings)
        }
        19 => Happens::Speed(end, number, input.some() as u32),
        20 => Happens::Address(end, input.bytes()),
        21 => {
            let policy = [Failback::Immediate, Failback::Delay, Failback::Manual];
            Happens::Failback(end, policy[usize::from(b % 3)], c.into())
        }
        22 => {
            let mode = [ProbeMode::Auto, ProbeMode::Required, ProbeMode::Off];
            Happens::Mode(end, mode[usize::from(b % 3)])
        }
        23 => Happens::Rounds(end, [10, 100, 1_000][usize::from(b % 3)], [c % 8, c / 32]),
        24 => Happens::Release(end),
        25 => Happens::Bits(end, u32::from(b % 7)),
        26 => Happens::Choose(end, b.into(), usize::from(c % 8)),
        27 => Happens::Claim(end, number, 1 + u32::from(b % 5)),
        28 => match b % 4 {
            0 => Happens::EndClaims(end, Ending::All),
            _ => {
                let mark = 1 + u32::from(c % 5);
                Happens::EndClaims(end, Ending::Mark(mark, socket(mark)))
            }
        },
        29 => {
            let (bytes, rest) = input.0.split_at(input.0.len().min(b.into()));
            input.0 = rest;
            Happens::Frame(end, number, bytes.to_vec())
        }
        30 if b >= 128 => {
            let paths = [Path::Source, Path::Mtu, Path::Vlan(u16::from(c / 8))];
            Happens::Loses(
                number,
                end,
                [None, Some(paths[usize::from(b % 3)])][usize::from(c % 2)],
            )
        }
        30 => Happens::Garble(b.into(), c),
        _ => match b % 4 {
            0 => Happens::Reset(end),
            1 => Happens::MinLinks(end, c % 8),
            2 if c % 4 == 0 => Happens::Mtu(end),
            2 => Happens::Vlan(end, u16::from(c / 8), c % 2 == 0),
            3 if c % 4 == 0 => Happens::Promiscuous(end, c % 8 == 0),
            3 if c % 4 == 1 => Happens::OneCopy(end, c % 8 == 1),
            _ => Happens::Refusal(end),
        },
    }
}

/// Has two ends of a trunk live through what `bytes` say, and checks both after all that happens.
pub fn step(bytes: &[u8]) {
    let mut input = Input(bytes);
    let [ports, priorities] = input.bytes();
    let priority = |number| 1 + u16::from((priorities >> number) & 1);
    let ports: Vec<u16> = (0..1 + ports % 8).map(priority).collect();
    let mut ends = Ends::new(&ports);
    while !input.0.is_empty() {
        let what = happens(&mut input);
        history::live(&mut ends, &what);
        ends.check();
    }
}

/// The hash of the flow of a frame of any bytes, which begins with a key.
pub fn hash(bytes: &[u8]) {
    let mut input = Input(bytes);
    let key = Key::new([input.number(), input.number()]);
    let frame = input.0;
    let hash = key.hash(frame);
    assert!(hash != Some(0));
    let number = key.dissected(frame, 5);
    assert!(hash.is_none() || number == key.spread(5));
    // What is known of less is not known otherwise of more, and the first bytes are enough.
    for len in 0..=frame.len().min(flow::ENOUGH) {
        let part = key.hash(&frame[..len]);
        assert!(part.is_none() || part == hash);
    }
    assert_eq!(key.hash(&frame[..frame.len().min(flow::ENOUGH)]), hash);
    // MAC addresses make no difference, nor does a tag.
    if let Some((_, rest)) = frame.split_at_checked(12) {
        let macs = [0xff; 12];
        assert_eq!(key.hash(&[&macs, rest].concat()), hash);
        let tagged = key.hash(&[&macs, &[0x81, 0, 0, 1][..], rest].concat());
        assert!(tagged == hash || tagged.is_none());
    }
}
