// SPDX-License-Identifier: GPL-2.0

//! The properties of the wire format: what is written is read, and nothing else.

use proptest::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};
use trunk_core::wire::{Counted, Identity, Kind, Path, Probe, Read, LEN, MAX_LEN};

const NO_KEY: Option<fn(&[u8]) -> u64> = None;
const BODY: usize = 56;
const TAG: usize = 8;
/// Bytes of the TLVs.
const ADDRESS: usize = 10;
const PATH: usize = 8;
const COUNTED: usize = 20;
const TAGGED: u8 = 0x80;

fn tag(key: u64) -> impl Fn(&[u8]) -> u64 {
    move |bytes| {
        let mut hasher = DefaultHasher::new();
        (key, bytes).hash(&mut hasher);
        hasher.finish()
    }
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![
        Just(Path::Source),
        Just(Path::Mtu),
        any::<u16>().prop_map(Path::Vlan)
    ]
}

fn probe() -> impl Strategy<Value = Probe> {
    let kind = prop_oneof![Just(Kind::Test), Just(Kind::Reply), Just(Kind::Bye)];
    let who = (any::<u64>(), any::<u32>(), 0..64u8);
    let flags = any::<[bool; 3]>();
    let numbers = (any::<u16>(), any::<u32>(), any::<u32>(), any::<[u64; 3]>());
    let counted = any::<Option<[u64; 2]>>();
    let tlvs = (any::<Option<[u8; 6]>>(), prop::option::of(path()), counted);
    (kind, who, flags, numbers, tlvs).prop_map(|(kind, who, flags, numbers, tlvs)| {
        let (address, path, counted) = tlvs;
        let (system, trunk, port) = who;
        let [usable, in_use, held] = flags;
        let (priority, interval, sequence, [nonce, echo, heard]) = numbers;
        Probe {
            kind,
            from: Identity { system, trunk },
            port,
            priority,
            interval,
            usable,
            in_use,
            held,
            sequence,
            nonce,
            echo,
            heard,
            address,
            path,
            counted: counted.map(|[sent, received]| Counted { sent, received }),
        }
    })
}

/// A message as [`Probe::write`] makes it, with TLVs before the tag.
fn message(probe: &Probe, tlvs: &[(u16, Vec<u8>)], key: Option<u64>) -> Vec<u8> {
    let (bytes, used) = probe.write(NO_KEY);
    let mut message = bytes[..used].to_vec();
    for (kind, value) in tlvs {
        message.extend(kind.to_be_bytes());
        message.extend((value.len() as u16).to_be_bytes());
        message.extend(value);
    }
    let length = message.len() + key.map_or(0, |_| TAG);
    message[4..6].copy_from_slice(&(length as u16).to_be_bytes());
    if let Some(key) = key {
        message[6] |= TAGGED;
        message.extend(tag(key)(&message).to_be_bytes());
    }
    message
}

/// Types of TLVs that nobody knows yet.
fn kinds() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), 4..=u16::MAX]
}

fn tlvs() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let value = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec((kinds(), value), 0..6)
}

/// Bytes that were a message once, or never.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let random = prop::collection::vec(any::<u8>(), 0..400);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let length = prop_oneof![2 => Just(400usize), 1 => 0..200usize];
    let changed = (probe(), tlvs(), any::<bool>(), changes, length).prop_map(
        |(probe, tlvs, keyed, changes, length)| {
            let mut bytes = message(&probe, &tlvs, keyed.then_some(1));
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(length);
            bytes
        },
    );
    prop_oneof![1 => random, 4 => changed]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        probe in probe(),
        tlvs in tlvs(),
        key in prop::option::of(any::<u64>()),
        padding in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (bytes, used) = probe.write(key.map(tag));
        let address = probe.address.map_or(0, |_| ADDRESS);
        let path = probe.path.map_or(0, |_| PATH);
        let counted = probe.counted.map_or(0, |_| COUNTED);
        prop_assert_eq!(used, BODY + address + path + counted + key.map_or(0, |_| TAG));
        prop_assert!(used <= LEN);
        prop_assert_eq!(&bytes[..used], &message(&probe, &[], key)[..]);

        let mut bytes = message(&probe, &tlvs, key);
        let unknown = tlvs.len() as u8;
        let fits = bytes.len() <= MAX_LEN;
        bytes.extend(padding);
        for keys in [key, None] {
            let read = Probe::read(&bytes, keys.map(tag));
            prop_assert_eq!(read.ok(), fits.then_some(Read { probe, unknown }));
        }
    }

    /// Whatever is read, is what somebody may have written: the same bytes come of it again, but
    /// for what is ignored.
    #[test]
    fn what_is_read_was_written(bytes in bytes()) {
        let Ok(Read { probe, unknown }) = Probe::read(&bytes, NO_KEY) else {
            return Ok(());
        };
        let (mut written, _) = probe.write(NO_KEY);
        let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
        let tagged = bytes[6] & TAGGED != 0;
        written[4..6].copy_from_slice(&bytes[4..6]);
        // Flags that nobody knows, and what is reserved.
        written[6] |= bytes[6] & !7;
        written[22..24].copy_from_slice(&bytes[22..24]);
        prop_assert_eq!(&bytes[..BODY], &written[..BODY]);

        let mut rest = &bytes[BODY..length - if tagged { TAG } else { 0 }];
        let (mut others, mut address, mut path, mut counted) = (0, None, None, None);
        while let [a, b, c, d, after @ ..] = rest {
            let (value, after) = after.split_at(usize::from(u16::from_be_bytes([*c, *d])));
            match (u16::from_be_bytes([*a, *b]), value) {
                (1, value) if value.len() == 6 => address = value.try_into().ok(),
                (2, [0, 1, 0, 0]) => path = Some(Path::Source),
                (2, [0, 2, 0, 0]) => path = Some(Path::Mtu),
                (2, [0, 3, a, b]) => path = Some(Path::Vlan(u16::from_be_bytes([*a, *b]))),
                (3, value) if value.len() == 16 => {
                    let number = |at| u64::from_be_bytes(value[at..at + 8].try_into().unwrap());
                    let (sent, received) = (number(0), number(8));
                    counted = Some(Counted { sent, received });
                }
                _ => others += 1,
            }
            rest = after;
        }
        prop_assert!(rest.is_empty() && length <= MAX_LEN);
        prop_assert_eq!((others, address, path), (unknown, probe.address, probe.path));
        prop_assert_eq!(counted, probe.counted);
    }

    /// With a key, nothing is read that has not the tag of just these bytes.
    #[test]
    fn what_is_read_was_tagged(bytes in bytes()) {
        let read = Probe::read(&bytes, Some(tag(1)));
        if read.is_ok() {
            let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
            let (body, end) = bytes[..length].split_at(length - TAG);
            prop_assert_eq!(end, tag(1)(body).to_be_bytes());
            prop_assert_eq!(Probe::read(&bytes, NO_KEY), read);
            prop_assert!(Probe::read(&bytes, Some(tag(2))).is_err());
        }
    }
}
