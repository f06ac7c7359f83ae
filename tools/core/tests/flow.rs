// SPDX-License-Identifier: GPL-2.0

//! The properties of a flow's hash: all frames of a flow have one, any two flows have different ones,
//! and many flows are spread evenly, as are frames that are not IP.

use proptest::prelude::*;
use trunk_core::flow::{Key, ENOUGH};

/// What a frame of a flow is made from.
#[derive(Clone, Debug)]
struct Packet {
    macs: [u8; 12],
    tags: Vec<[u8; 2]>,
    /// Both addresses: 8 bytes, or 32.
    addresses: Vec<u8>,
    protocol: u8,
    ports: [u8; 4],
    /// Of IPv6.
    label: u32,
    /// Of IPv4: flags and offset.
    fragment: u16,
    /// Of IPv4, in words.
    options: u8,
    /// What each packet has of its own: type of service, identification, time to live.
    own: [u8; 4],
    payload: Vec<u8>,
}

impl Packet {
    fn frame(&self) -> Vec<u8> {
        let mut frame = self.macs.to_vec();
        for (number, tag) in self.tags.iter().enumerate() {
            let service = number == 0 && self.tags.len() == 2;
            frame.extend(if service { [0x88, 0xa8] } else { [0x81, 0] });
            frame.extend(tag);
        }
        let [tos, id, low, ttl] = self.own;
        if self.addresses.len() == 8 {
            frame.extend([8, 0, 0x45 + self.options, tos, 0, 0, id, low]);
            frame.extend(self.fragment.to_be_bytes());
            frame.extend([ttl, self.protocol, tos, id]);
            frame.extend(&self.addresses);
            frame.extend(vec![low; 4 * usize::from(self.options)]);
        } else {
            frame.extend([0x86, 0xdd]);
            frame.extend(((6 << 28) | (u32::from(tos) << 20) | self.label).to_be_bytes());
            frame.extend([0, id, self.protocol, ttl]);
            frame.extend(&self.addresses);
        }
        frame.extend(self.ports);
        frame.extend(&self.payload);
        frame
    }

    /// What makes its flow: of fragments and with a label, not the ports.
    fn flow(&self) -> (&[u8], u8, u32) {
        let ports = u32::from_be_bytes(self.ports);
        match self.addresses.len() {
            8 if self.fragment & 0x3fff != 0 => (&self.addresses, self.protocol, 0),
            32 if self.label != 0 => (&self.addresses, 0, self.label),
            _ => (&self.addresses, self.protocol, ports),
        }
    }
}

prop_compose! {
    fn packet()(
        macs: [u8; 12],
        tags in prop::collection::vec(any::<[u8; 2]>(), 0..=2),
        addresses in prop_oneof![
            prop::collection::vec(any::<u8>(), 8),
            prop::collection::vec(any::<u8>(), 32),
        ],
        protocol in prop_oneof![Just(6u8), Just(17), Just(132)],
        ports in any::<[u8; 4]>().prop_filter("what fragments have", |ports| *ports != [0; 4]),
        label in prop_oneof![Just(0), 1..1u32 << 20],
        fragment in prop_oneof![Just(0), Just(0x4000), Just(0x2000), 1..0x2000u16],
        options in 0..=10u8,
        own: [u8; 4],
        payload in prop::collection::vec(any::<u8>(), 0..80),
    ) -> Packet {
        Packet { macs, tags, addresses, protocol, ports, label, fragment, options, own, payload }
    }
}

/// How unevenly `hashes` fall into 32 places: 0 if each gets as many, 31 on average by chance (chi
/// squared).
fn unevenness(places: impl Iterator<Item = usize>) -> f64 {
    let mut counts = [0.0; 32];
    let mut all = 0.0;
    for place in places {
        counts[place] += 1.0;
        all += 1.0;
    }
    let each: f64 = all / 32.0;
    counts
        .iter()
        .map(|count| (count - each).powi(2) / each)
        .sum()
}

proptest! {
    /// Nothing of a frame but its flow makes a difference.
    #[test]
    fn all_frames_of_a_flow_have_one_hash(random: [u64; 2], a in packet(), b in packet()) {
        let key = Key::new(random);
        let same = Packet {
            addresses: a.addresses.clone(),
            protocol: a.protocol,
            ports: a.ports,
            label: a.label,
            fragment: match a.fragment & 0x3fff {
                0 => 0x4000,
                _ => b.fragment | 0x2000,
            },
            ..b
        };
        prop_assert_eq!(a.flow(), same.flow());
        let hash = key.hash(&a.frame());
        prop_assert!(hash.is_some_and(|hash| hash != 0));
        prop_assert_eq!(hash, key.hash(&same.frame()));
    }

    /// Two flows, however little they differ, have different hashes. (By chance, one pair in 2^32
    /// has not.)
    #[test]
    fn any_two_flows_have_different_hashes(random: [u64; 2], a in packet(), b in packet(), what in 0..4) {
        let key = Key::new(random);
        let mut other = a.clone();
        match what {
            0 => other = b,
            1 => other.protocol = if a.protocol == 6 { 17 } else { 6 },
            2 => other.ports[3] ^= 1,
            _ => other.addresses[0] ^= 0x80,
        }
        let same = a.flow() == other.flow();
        prop_assert_eq!(key.hash(&a.frame()) == key.hash(&other.frame()), same);
    }

    /// Bytes behind the headers make no difference, and their lack makes no other hash.
    #[test]
    fn a_part_of_a_frame_has_its_hash_or_none(random: [u64; 2], packet in packet(), len in 0..=ENOUGH) {
        let key = Key::new(random);
        let frame = packet.frame();
        let part = key.hash(&frame[..len.min(frame.len())]);
        prop_assert!(part.is_none() || part == key.hash(&frame));
        let enough = key.hash(&frame[..ENOUGH.min(frame.len())]);
        prop_assert_eq!(enough, key.hash(&frame));
    }

    /// Any bytes have a hash or none, and nothing else happens.
    #[test]
    fn any_bytes(random: [u64; 2], bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let key = Key::new(random);
        prop_assert!(key.hash(&bytes) != Some(0));
    }

    /// Flows that differ in one number, as those of a client do, are spread by the low bits of their
    /// hashes, which name the buckets, and by the high ones, which name a queue of a port.
    #[test]
    fn flows_in_a_row_are_spread_evenly(
        random: [u64; 2],
        packet in packet(),
        step in 1..8u16,
        what in 0..3,
    ) {
        let key = Key::new(random);
        let hashes: Vec<u32> = (0..4096u16)
            .map(|number| {
                let number = number.wrapping_mul(step);
                let mut packet = Packet { label: 0, fragment: 0, ..packet.clone() };
                match what {
                    0 => packet.ports[..2].copy_from_slice(&number.to_be_bytes()),
                    1 => packet.ports[2..].copy_from_slice(&number.to_be_bytes()),
                    _ => {
                        let end = packet.addresses.len() - 2;
                        packet.addresses[end..].copy_from_slice(&number.to_be_bytes());
                    }
                }
                key.hash(&packet.frame()).unwrap()
            })
            .collect();
        // By chance it is above 150 once in 10^17 times.
        let low = unevenness(hashes.iter().map(|hash| *hash as usize % 32));
        let high = unevenness(hashes.iter().map(|hash| (*hash >> 27) as usize));
        prop_assert!(low < 150.0 && high < 150.0, "unevenness {} and {}", low, high);
    }

    /// The kernel's dissector finds nothing in frames that are not IP: these are spread by their
    /// addresses, be they of stations in a row.
    #[test]
    fn stations_in_a_row_are_spread_evenly(
        random: [u64; 2],
        macs: [u8; 12],
        step in 1..8u16,
        sources: bool,
        ethertype in prop_oneof![0..0x0800u16, 0x0801..0x8100u16, 0x8892..0x88a8u16, 0x88a9..0xffffu16],
        hash: u32,
    ) {
        let key = Key::new(random);
        let numbers: Vec<u32> = (0..4096u16)
            .map(|number| {
                let mut frame = macs.to_vec();
                let place = if sources { 10 } else { 4 };
                let number = number.wrapping_mul(step).to_be_bytes();
                frame[place..place + 2].copy_from_slice(&number);
                frame.extend(ethertype.to_be_bytes());
                key.dissected(&frame, hash)
            })
            .collect();
        let low = unevenness(numbers.iter().map(|number| *number as usize % 32));
        let high = unevenness(numbers.iter().map(|number| (*number >> 27) as usize));
        prop_assert!(low < 150.0 && high < 150.0, "unevenness {} and {}", low, high);
    }

    /// The addresses of stations make no difference to IP.
    #[test]
    fn ip_goes_by_what_the_dissector_has_found(random: [u64; 2], packet in packet(), macs: [u8; 12], hash: u32) {
        let key = Key::new(random);
        let other = Packet { macs, ..packet.clone() };
        let number = key.dissected(&packet.frame(), hash);
        prop_assert_eq!(number, key.spread(hash));
        prop_assert_eq!(number, key.dissected(&other.frame(), hash));
    }

    /// Of two trunks, one above the other, the lower one spreads what the upper one gives it.
    #[test]
    fn two_keys_choose_independently(
        one: [u64; 2],
        other: [u64; 2],
        hashes in prop::collection::vec(any::<u32>(), 4096),
    ) {
        let (one, other) = (Key::new(one), Key::new(other));
        let places = hashes.iter().map(|hash| one.spread(*hash) % 4 * 8 + other.spread(*hash) % 8);
        let uneven = unevenness(places.map(|place| place as usize));
        prop_assert!(uneven < 150.0, "unevenness {}", uneven);
    }
}
