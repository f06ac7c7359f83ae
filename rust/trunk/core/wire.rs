// SPDX-License-Identifier: GPL-2.0

//! Reads and writes probes. `Documentation/networking/trunk-probe.rst` has the format.

use super::MAX_PORTS;

/// The length of the longest probe that this version writes, with all TLVs and a tag, in bytes.
pub const LEN: usize = BODY + TLV + ADDRESS_LEN + TLV + PATH_LEN + TLV + COUNTED_LEN + TAG;

/// The length of the longest message, in bytes.
pub const MAX_LEN: usize = 256;

/// The first bytes of these messages. Other protocols may use the same experimental EtherType.
const MAGIC: u16 = 0x544b;
const VERSION: u8 = 1;

/// The length of what is before TLVs and tag, in bytes.
const BODY: usize = 56;
const TAG: usize = 8;

/// The length of what is before the value of a TLV, in bytes.
const TLV: usize = 4;

/// The TLV with the trunk's MAC address.
const ADDRESS: u16 = 1;
const ADDRESS_LEN: usize = 6;

/// The TLV with the kind of data that a test resembles.
const PATH: u16 = 2;
const PATH_LEN: usize = 4;

/// The TLV with what the sender's port has counted.
const COUNTED: u16 = 3;
const COUNTED_LEN: usize = 16;

// Flags.
const USABLE: u8 = 1;
const IN_USE: u8 = 2;
const HELD: u8 = 4;
const TAGGED: u8 = 0x80;

/// What a probe is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Asks for a reply.
    Test = 1,
    /// Answers a test.
    Reply = 2,
    /// Says that the sender leaves, and does not answer any more.
    Bye = 3,
}

/// A kind of data, which a link may lose while it carries others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// Frames whose source is the trunk's MAC address.
    Source,
    /// Frames as long as the MTU.
    Mtu,
    /// Frames in the VLAN of that ID.
    Vlan(u16),
}

impl Path {
    /// Returns the value of its TLV.
    const fn octets(self) -> [u8; PATH_LEN] {
        match self {
            Self::Source => [0, 1, 0, 0],
            Self::Mtu => [0, 2, 0, 0],
            Self::Vlan(vlan) => {
                let [high, low] = vlan.to_be_bytes();
                [0, 3, high, low]
            }
        }
    }

    /// Returns the kind of that value of its TLV. Kinds of later versions are `None`.
    const fn from_octets([zero, kind, high, low]: [u8; PATH_LEN]) -> Option<Self> {
        match (zero, kind, u16::from_be_bytes([high, low])) {
            (0, 1, 0) => Some(Self::Source),
            (0, 2, 0) => Some(Self::Mtu),
            (0, 3, vlan) => Some(Self::Vlan(vlan)),
            _ => None,
        }
    }
}

/// The frames that a port has sent and received, as its driver counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// Frames sent.
    pub sent: u64,
    /// Frames received.
    pub received: u64,
}

impl Counted {
    /// Returns whether the counters may have gone on from these to the later ones.
    pub(super) const fn is_before(&self, later: &Self) -> bool {
        self.sent <= later.sent && self.received <= later.received
    }

    /// Returns the value of its TLV.
    fn octets(self) -> [u8; COUNTED_LEN] {
        let mut octets = [0; COUNTED_LEN];
        let mut rest = Writer(&mut octets);
        rest.put(self.sent.to_be_bytes());
        rest.put(self.received.to_be_bytes());
        octets
    }

    /// Returns the counters of that value of its TLV.
    fn from_octets(octets: &[u8]) -> Option<Self> {
        let mut rest = Reader(octets);
        let (sent, received) = (rest.take().ok()?, rest.take().ok()?);
        let counted = Self {
            sent: u64::from_be_bytes(sent),
            received: u64::from_be_bytes(received),
        };
        Some(counted).filter(|_| rest.0.is_empty())
    }
}

/// Names one trunk among all others. The end of a link with the lower identity sets the order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Identity {
    /// The number of its system.
    pub system: u64,
    /// The number of the trunk on its system.
    pub trunk: u32,
}

/// A probe: one message of a port to the port at the other end of its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What it is for.
    pub kind: Kind,
    /// The trunk that sends it.
    pub from: Identity,
    /// The number of the port that sends it, less than [`MAX_PORTS`].
    pub port: u8,
    /// The priority that the link has for the sender.
    pub priority: u16,
    /// The time from one round of the sender to the next, in µs.
    pub interval: u32,
    /// The sender finds the link usable.
    pub usable: bool,
    /// The sender uses the link.
    pub in_use: bool,
    /// A claim at the sender holds the link.
    pub held: bool,
    /// The number of a test or bye among those of the sender's port. A reply has that of the test.
    pub sequence: u32,
    /// A test or bye has a random number that nobody can guess. A reply has that of the last test
    /// of the sender's port, 0 if there was none.
    pub nonce: u64,
    /// A reply has the nonce of the test it answers. A test or bye has the last nonce that came in
    /// a trusted message of the receiver's port, 0 if there was none.
    pub echo: u64,
    /// One bit for each port of the receiver's trunk: the sender has heard it a short time ago.
    pub heard: u64,
    /// The MAC address of the sender's trunk, if it is in the probe.
    pub address: Option<[u8; ADDRESS_LEN]>,
    /// The kind of data that a test resembles, if any: its frame is one of that kind.
    pub path: Option<Path>,
    /// What the sender's port has counted a short time ago, if it is in the probe.
    pub counted: Option<Counted>,
}

/// Why a probe cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There are fewer bytes than any probe has.
    Short,
    /// It is something else under the same EtherType.
    Magic,
    /// This version does not know its version.
    Version,
    /// This version does not know its kind.
    Kind,
    /// It is longer than the frame or than a message may be, or too short for what it must hold.
    Length,
    /// No trunk can have such a port.
    Port,
    /// A TLV is longer than what is left.
    Tlv,
    /// There is no tag, or not that of the key.
    Tag,
}

impl Refused {
    /// Returns whether the frame is of another protocol under the same EtherType, and not a wrong
    /// probe.
    pub const fn is_foreign(self) -> bool {
        matches!(self, Self::Short | Self::Magic)
    }
}

/// Returns the protocol of this EtherType, if hosts and switches rely on it: they would take probes
/// for frames of that protocol, and this trunk would take these for probes. From the registry of
/// IEEE 802.
pub const fn owner(ethertype: u16) -> Option<&'static str> {
    Some(match ethertype {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x86dd => "IPv6",
        0x8100 => "VLAN tags",
        0x8809 => "LACP",
        0x8847 | 0x8848 => "MPLS",
        0x888e => "port authentication",
        0x88a8 => "service VLAN tags",
        0x88cc => "LLDP",
        _ => return None,
    })
}

/// What [`Probe::read`] has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// The probe.
    pub probe: Probe,
    /// The number of TLVs that were passed over, since this version does not know them.
    pub unknown: u8,
}

impl Probe {
    /// Returns the probe as bytes, and how many of them are used. `tag` makes the tag of what comes
    /// before it, if there is a key.
    pub fn write(&self, tag: Option<impl FnOnce(&[u8]) -> u64>) -> ([u8; LEN], usize) {
        let path = self.path.map(Path::octets);
        let counted = self.counted.map(Counted::octets);
        let body = BODY
            .saturating_add(tlv_len(&self.address))
            .saturating_add(tlv_len(&path))
            .saturating_add(tlv_len(&counted));
        let length = body.saturating_add(if tag.is_some() { TAG } else { 0 });
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(self.usable, USABLE)
            | flag(self.in_use, IN_USE)
            | flag(self.held, HELD)
            | flag(tag.is_some(), TAGGED);

        let mut bytes = [0; LEN];
        let mut rest = Writer(&mut bytes);
        rest.put(MAGIC.to_be_bytes());
        rest.put([VERSION, self.kind as u8]);
        rest.put((length as u16).to_be_bytes());
        rest.put([flags, self.port]);
        rest.put(self.from.system.to_be_bytes());
        rest.put(self.from.trunk.to_be_bytes());
        rest.put(self.priority.to_be_bytes());
        rest.put([0; 2]);
        rest.put(self.interval.to_be_bytes());
        rest.put(self.sequence.to_be_bytes());
        rest.put(self.nonce.to_be_bytes());
        rest.put(self.echo.to_be_bytes());
        rest.put(self.heard.to_be_bytes());
        rest.put_tlv(ADDRESS, self.address);
        rest.put_tlv(PATH, path);
        rest.put_tlv(COUNTED, counted);
        if let (Some(tag), Some((body, rest))) = (tag, bytes.split_at_mut_checked(body)) {
            Writer(rest).put(tag(body).to_be_bytes());
        }
        (bytes, length)
    }

    /// Reads a probe from the bytes behind an Ethernet header. With a key, `tag` returns the right
    /// tag. Without a key, a tag is passed over.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub fn read(bytes: &[u8], tag: Option<impl FnOnce(&[u8]) -> u64>) -> Result<Read, Refused> {
        let mut rest = Reader(bytes);
        if u16::from_be_bytes(rest.take()?) != MAGIC {
            return Err(Refused::Magic);
        }
        let [version, kind] = rest.take()?;
        if version != VERSION {
            return Err(Refused::Version);
        }
        let kind = match kind {
            1 => Kind::Test,
            2 => Kind::Reply,
            3 => Kind::Bye,
            _ => return Err(Refused::Kind),
        };
        let length = usize::from(u16::from_be_bytes(rest.take()?));
        let [flags, port] = rest.take()?;

        let message = bytes.get(..length).ok_or(Refused::Length)?;
        let body = if flags & TAGGED != 0 {
            let (body, sent) = message.split_last_chunk().ok_or(Refused::Length)?;
            if tag.is_some_and(|tag| tag(body) != u64::from_be_bytes(*sent)) {
                return Err(Refused::Tag);
            }
            body
        } else if tag.is_some() {
            return Err(Refused::Tag);
        } else {
            message
        };
        if body.len() < BODY || length > MAX_LEN {
            return Err(Refused::Length);
        }
        if usize::from(port) >= MAX_PORTS {
            return Err(Refused::Port);
        }

        let from = Identity {
            system: u64::from_be_bytes(rest.take()?),
            trunk: u32::from_be_bytes(rest.take()?),
        };
        let priority = u16::from_be_bytes(rest.take()?);
        let [_, _] = rest.take()?;
        let mut probe = Self {
            kind,
            from,
            port,
            priority,
            interval: u32::from_be_bytes(rest.take()?),
            usable: flags & USABLE != 0,
            in_use: flags & IN_USE != 0,
            held: flags & HELD != 0,
            sequence: u32::from_be_bytes(rest.take()?),
            nonce: u64::from_be_bytes(rest.take()?),
            echo: u64::from_be_bytes(rest.take()?),
            heard: u64::from_be_bytes(rest.take()?),
            address: None,
            path: None,
            counted: None,
        };
        let unknown = probe.read_tlvs(body.get(BODY..).unwrap_or_default())?;
        Ok(Read { probe, unknown })
    }

    /// Reads the TLVs, and returns the number of unknown ones. The last of one type counts.
    fn read_tlvs(&mut self, bytes: &[u8]) -> Result<u8, Refused> {
        let mut rest = Reader(bytes);
        let mut unknown = 0u8;
        while !rest.0.is_empty() {
            let [a, b, high, low] = rest.take().map_err(|_| Refused::Tlv)?;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (value, after) = rest.0.split_at_checked(length).ok_or(Refused::Tlv)?;
            rest.0 = after;
            let known = match u16::from_be_bytes([a, b]) {
                ADDRESS => keep(&mut self.address, value.try_into().ok()),
                PATH => keep(
                    &mut self.path,
                    value.try_into().ok().and_then(Path::from_octets),
                ),
                COUNTED => keep(&mut self.counted, Counted::from_octets(value)),
                _ => false,
            };
            unknown = unknown.saturating_add((!known).into());
        }
        Ok(unknown)
    }
}

/// Keeps a value, if it is one. Returns whether it is.
fn keep<T>(room: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    if known {
        *room = value;
    }
    known
}

/// Bytes yet to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Refused::Short)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

/// Returns the length of a TLV, 0 if there is no value.
fn tlv_len<const N: usize>(value: &Option<[u8; N]>) -> usize {
    value.map_or(0, |_| TLV.saturating_add(N))
}

/// Bytes yet to be written.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    /// Writes a TLV, if there is a value.
    fn put_tlv<const N: usize>(&mut self, kind: u16, value: Option<[u8; N]>) {
        if let Some(value) = value {
            self.put(kind.to_be_bytes());
            self.put((N as u16).to_be_bytes());
            self.put(value);
        }
    }

    /// Writes these bytes. There is room for all that are written.
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((room, rest)) = ::core::mem::take(&mut self.0).split_first_chunk_mut() {
            *room = bytes;
            self.0 = rest;
        }
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_wire))]
mod tests {
    use super::*;

    const NO_KEY: Option<fn(&[u8]) -> u64> = None;

    /// What stands for a keyed hash: any change of the bytes changes it.
    fn sum(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    const PROBE: Probe = Probe {
        kind: Kind::Reply,
        from: Identity {
            system: 0x0102_0304_0506_0708,
            trunk: 0x0910_1112,
        },
        port: 63,
        priority: 0x1314,
        interval: 0x1516_1718,
        usable: true,
        in_use: false,
        held: true,
        sequence: 0x1920_2122,
        nonce: 0x2324_2526_2728_2930,
        echo: 0x3132_3334_3536_3738,
        heard: 0x3940_4142_4344_4546,
        address: None,
        path: None,
        counted: None,
    };

    const ADDRESSED: Probe = Probe {
        address: Some([0x50, 0x51, 0x52, 0x53, 0x54, 0x55]),
        ..PROBE
    };

    /// A test in VLAN 0x567, with all that it can have.
    const IN_VLAN: Probe = Probe {
        path: Some(Path::Vlan(0x567)),
        counted: Some(Counted {
            sent: 0x6061_6263_6465_6667,
            received: 0x7071_7273_7475_7677,
        }),
        ..ADDRESSED
    };

    /// The same, as the documentation has it.
    const OCTETS: [u8; BODY] = [
        0x54, 0x4b, 1, 2, 0, 56, 0x05, 63, // magic, version, kind, length, flags, port
        1, 2, 3, 4, 5, 6, 7, 8, // system
        9, 0x10, 0x11, 0x12, 0x13, 0x14, 0, 0, // trunk, priority, reserved
        0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x22, // interval, sequence
        0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x30, // nonce
        0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, // echo
        0x39, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, // heard
    ];

    /// A message of so many bytes, with a TLV at its end; changed at one place, then read.
    fn read(length: usize, tlv: &[u8], change: Option<(usize, u8)>) -> Result<Read, Refused> {
        let mut bytes = [0; MAX_LEN + 8];
        let parts = OCTETS.iter().chain(tlv);
        for (byte, value) in bytes.iter_mut().zip(parts) {
            *byte = *value;
        }
        let [high, low] = (length as u16).to_be_bytes();
        let changes = [Some((4, high)), Some((5, low)), change];
        for (place, value) in changes.into_iter().flatten() {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        Probe::read(&bytes, NO_KEY)
    }

    #[test]
    fn bytes_are_those_of_the_documentation() {
        let (bytes, used) = PROBE.write(NO_KEY);
        assert_eq!(bytes.get(..used), Some(&OCTETS[..]));
        let unknown = 0;
        let probe = PROBE;
        assert_eq!(Probe::read(&OCTETS, NO_KEY), Ok(Read { probe, unknown }));

        let (bytes, used) = PROBE.write(Some(sum));
        assert_eq!(used, BODY + TAG);
        assert_eq!(bytes.get(4..7), Some(&[0, 64, 0x85][..]));
        let tag = bytes.get(..BODY).map(|body| sum(body).to_be_bytes());
        assert_eq!(bytes.get(BODY..used), tag.as_ref().map(|tag| &tag[..]));

        let address = [0, 1, 0, 6, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55];
        let rest = [
            0, 2, 0, 4, 0, 3, 5, 0x67, // in a VLAN
            0, 3, 0, 16, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, // sent
            0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, // received
        ];
        for (probe, length, tlvs) in [
            (ADDRESSED, 74, [&address[..], &[]]),
            (IN_VLAN, LEN, [&address, &rest]),
        ] {
            let (bytes, used) = probe.write(Some(sum));
            assert_eq!(used, length);
            assert_eq!(bytes.get(4..7), Some(&[0, length as u8, 0x85][..]));
            let written = bytes.get(BODY..length - TAG).unwrap_or_default();
            assert!(written.iter().eq(tlvs.into_iter().flatten()));
            let tag = bytes
                .get(..length - TAG)
                .map(|body| sum(body).to_be_bytes());
            let written = bytes.get(length - TAG..length);
            assert_eq!(written, tag.as_ref().map(|tag| &tag[..]));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let paths = [Path::Source, Path::Mtu, Path::Vlan(1), Path::Vlan(4094)];
        let paths = paths.into_iter().map(Some).chain([None]);
        let kinds = [Kind::Test, Kind::Reply, Kind::Bye].into_iter();
        for (kind, path) in kinds.flat_map(|kind| paths.clone().map(move |path| (kind, path))) {
            for bits in 0..16u8 {
                let probe = Probe {
                    kind,
                    usable: bits & 1 != 0,
                    in_use: bits & 2 != 0,
                    held: bits & 4 != 0,
                    address: ADDRESSED.address.filter(|_| bits & 8 != 0),
                    path,
                    counted: IN_VLAN.counted.filter(|_| bits & 1 != 0),
                    ..PROBE
                };
                let expected = Ok(Read { probe, unknown: 0 });
                let (bytes, used) = probe.write(NO_KEY);
                let frame = bytes.get(..used).unwrap_or_default();
                assert_eq!(Probe::read(frame, NO_KEY), expected);
                assert_eq!(Probe::read(frame, Some(sum)), Err(Refused::Tag));
                let (bytes, used) = probe.write(Some(sum));
                let frame = bytes.get(..used).unwrap_or_default();
                assert_eq!(Probe::read(frame, Some(sum)), expected);
                assert_eq!(Probe::read(frame, NO_KEY), expected);
            }
        }
    }

    #[test]
    fn a_tag_covers_all_before_it() {
        let (bytes, _) = IN_VLAN.write(Some(sum));
        for place in 0..LEN {
            for flip in 1..=255 {
                let mut bytes = bytes;
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= flip;
                }
                assert!(Probe::read(&bytes, Some(sum)).is_err());
            }
        }
        assert_eq!(
            Probe::read(&bytes, Some(|bytes: &[u8]| !sum(bytes))),
            Err(Refused::Tag)
        );
    }

    #[test]
    fn padding_is_no_part_of_it() {
        let mut frame = [0xff; MAX_LEN + 8];
        for (byte, value) in frame.iter_mut().zip(OCTETS) {
            *byte = value;
        }
        let expected = Read {
            probe: PROBE,
            unknown: 0,
        };
        for length in 0..frame.len() {
            let bytes = frame.get(..length).unwrap_or_default();
            let read = Probe::read(bytes, NO_KEY);
            let refused = if length < 8 {
                Refused::Short
            } else {
                Refused::Length
            };
            assert_eq!(refused.is_foreign(), length < 8);
            let fits = length >= BODY;
            assert_eq!(read, if fits { Ok(expected) } else { Err(refused) });
        }
    }

    #[test]
    fn what_is_no_probe_is_refused() {
        for (length, change, refused) in [
            (56, (0, 0x53), Refused::Magic),
            (56, (1, 0), Refused::Magic),
            (56, (2, 0), Refused::Version),
            (56, (2, 2), Refused::Version),
            (56, (3, 0), Refused::Kind),
            (56, (3, 4), Refused::Kind),
            (0, (63, 0), Refused::Length),
            (55, (63, 0), Refused::Length),
            (257, (257, 0), Refused::Length),
            (265, (257, 0), Refused::Length),
            (65_535, (257, 0), Refused::Length),
            // Room for a tag, but then none for the rest.
            (63, (6, 0x80), Refused::Length),
            (7, (6, 0x80), Refused::Length),
            (56, (7, 64), Refused::Port),
            (56, (7, 255), Refused::Port),
        ] {
            assert_eq!(read(length, &[], Some(change)), Err(refused));
            assert_eq!(refused.is_foreign(), refused == Refused::Magic);
        }
        // Reserved bytes and flags may be anything.
        for change in [(22, 0xff), (23, 1), (6, 0x7d)] {
            assert!(read(56, &[], Some(change)).is_ok_and(|read| read.probe.usable));
        }
    }

    #[test]
    fn probes_take_no_type_of_others() {
        for ethertype in [
            0x0800, 0x0806, 0x86dd, 0x8100, 0x8809, 0x8847, 0x8848, 0x888e, 0x88a8, 0x88cc,
        ] {
            assert!(owner(ethertype).is_some());
        }
        // What IEEE 802 leaves to local experiments, and to others by their number.
        for ethertype in [0x0600, 0x88b5, 0x88b6, 0x88b7, 0x9000, 0xffff] {
            assert!(owner(ethertype).is_none());
        }
        assert_eq!((0..=u16::MAX).filter(|e| owner(*e).is_some()).count(), 10);
    }

    #[test]
    fn what_follows_is_passed_over() {
        for (length, tlv, unknown) in [
            (56, &[][..], Some(0)),
            (60, &[0, 2, 0, 0], Some(1)),
            (61, &[0xff, 0xff, 0, 1, 9], Some(1)),
            (69, &[0, 2, 0, 3, 1, 2, 3, 0, 0, 0, 2, 1, 2], Some(2)),
            (256, &[], Some(50)),
            (256, &[0, 0, 0, 196], Some(1)),
            // Over the end, and no room for its own length.
            (256, &[0, 0, 0, 197], None),
            (60, &[0, 1, 0, 1], None),
            (60, &[0, 1, 0xff, 0xff], None),
            (57, &[0], None),
            (58, &[0, 1], None),
            (59, &[0, 1, 0], None),
        ] {
            let read = read(length, tlv, None).map(|read| (read.probe, read.unknown));
            let expected = unknown.map(|unknown| (PROBE, unknown));
            assert_eq!(read, expected.ok_or(Refused::Tlv));
        }
        // The tag is no part of it.
        assert_eq!(
            read(68, &[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], Some((6, 0x85))).map(|r| r.unknown),
            Ok(1)
        );
    }

    #[test]
    fn an_address_is_found_among_others() {
        let own = [0, 1, 0, 6, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55];
        let other = [0, 1, 0, 6, 9, 9, 9, 9, 9, 9];
        for (tlvs, found, unknown) in [
            ([&own[..], &[]], true, 0),
            ([&own, &[0, 2, 0, 1, 7]], true, 1),
            ([&[0, 0, 0, 2, 7, 7], &own], true, 1),
            // The last one counts, and one of another length does not.
            ([&other, &own], true, 0),
            ([&own, &[0, 1, 0, 5, 1, 2, 3, 4, 5]], true, 1),
            ([&[0, 1, 0, 7, 1, 2, 3, 4, 5, 6, 7], &[]], false, 1),
            ([&[0, 1, 0, 0], &[]], false, 1),
            // A kind of data that this version does not know, or of another length.
            ([&own, &[0, 2, 0, 4, 0, 4, 0, 0]], true, 1),
            ([&own, &[0, 2, 0, 4, 1, 1, 0, 0]], true, 1),
            ([&own, &[0, 2, 0, 3, 0, 1, 0]], true, 1),
            (
                [
                    &own,
                    &[0, 3, 0, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5],
                ],
                true,
                1,
            ),
        ] {
            let mut bytes = [0; 32];
            let length = tlvs.iter().map(|tlv| tlv.len()).sum::<usize>();
            let all = tlvs.into_iter().flatten();
            bytes.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
            let tlvs = bytes.get(..length).unwrap_or_default();
            let probe = if found { ADDRESSED } else { PROBE };
            assert_eq!(read(BODY + length, tlvs, None), Ok(Read { probe, unknown }));
        }
    }
}
