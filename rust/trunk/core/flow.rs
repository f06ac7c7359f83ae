// SPDX-License-Identifier: GPL-2.0

//! Makes the hash of a flow from the headers of a frame.
//!
//! A flow is all that one end of a connection sends to the other end: frames with the same
//! addresses, protocol and ports. All frames of a flow have the same hash. The frames of the other
//! direction have another hash.
//!
//! This code knows TCP, UDP and SCTP over IPv4 and IPv6, behind up to two VLAN tags. These are most
//! frames of a trunk. The kernel's flow dissector looks at the others. In frames that are not IP it
//! mostly finds nothing to hash, so their MAC addresses count, too.
//!
//! - Only the addresses and the protocol of an IPv4 fragment count, since only the first fragment
//!   has the ports.
//! - Only the addresses and the label of an IPv6 packet with a flow label count (RFC 6438), as in
//!   the kernel's dissector. The sender may choose another label, and so another link.

const ETHERTYPE: usize = 12;
/// EtherTypes: IEEE 802.3 and 802.1Q-2018, table 9-1.
pub(super) const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
pub(super) const CUSTOMER_TAG: u16 = 0x8100;
const SERVICE_TAG: u16 = 0x88a8;
/// The length of a tag in bytes: EtherType and control information.
const TAG: usize = 4;

/// Protocol numbers of IANA. The ports are the first four bytes of all three headers.
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// The length of an IPv6 header in bytes.
const IPV6_LEN: usize = 40;

/// The number of bytes at the beginning of a frame that are enough for [`Key::hash`]: two tags, the
/// longest IPv4 header and the ports.
pub const ENOUGH: usize = ETHERTYPE + 2 + 2 * TAG + 60 + 4;

/// The secret key of hashes, another for each trunk. Without it nobody can choose flows that share a
/// bucket.
#[derive(Clone, Copy)]
pub struct Key {
    random: [u64; 2],
    /// An odd number.
    factor: u64,
}

impl Key {
    /// Makes a key of these random numbers.
    pub const fn new(random: [u64; 2]) -> Self {
        let [_, second] = random;
        Self {
            random,
            factor: second | 1,
        }
    }

    /// Returns the number whose low bits are the bucket of a frame that has this hash of others. Another
    /// key returns another number. Otherwise two trunks, one above the other, would choose by the same
    /// bits, and the lower one would use only a part of its links.
    #[inline(always)]
    pub const fn spread(&self, hash: u32) -> u32 {
        // The low bits of the product depend on those of the hash alone, its high half on all.
        ((hash as u64).wrapping_mul(self.factor) >> 32) as u32
    }

    /// Returns the number whose low bits are the bucket of a frame of which the kernel's dissector has
    /// made `hash`. The MAC addresses of a frame that is not IP count as well, which often is all that
    /// tells it from others. `frame` begins with the Ethernet header.
    pub fn dissected(&self, frame: &[u8], hash: u32) -> u32 {
        match (frame.split_first_chunk::<12>(), untagged(frame)) {
            (_, None | Some((IPV4 | IPV6, _))) | (None, _) => self.spread(hash),
            (Some((&[a, b, c, d, e, f, g, h, rest @ ..], _)), Some(_)) => {
                let stations = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
                let rest = (u64::from(u32::from_ne_bytes(rest)) << 32) | u64::from(hash);
                self.finish([stations, rest])
            }
        }
    }

    /// Returns the hash of the flow of a frame, never 0. `frame` begins with the Ethernet header.
    ///
    /// Returns `None` if this code does not know such frames, or if `frame` is too short.
    #[inline]
    pub fn hash(&self, frame: &[u8]) -> Option<u32> {
        match untagged(frame)? {
            (IPV4, packet) => self.ipv4(packet),
            (IPV6, packet) => self.ipv6(packet),
            _ => None,
        }
    }

    /// Returns the hash of an IPv4 packet: RFC 791, 3.1.
    #[inline(always)]
    fn ipv4(&self, packet: &[u8]) -> Option<u32> {
        const FRAGMENT: u16 = 0x3fff; // more fragments, offset

        let (header, _) = packet.split_first_chunk::<20>()?;
        let &[first, _, _, _, _, _, f0, f1, _, protocol, _, _, ..] = header;
        let &[.., a, b, c, d, e, f, g, h] = header;
        let len = usize::from(first & 0xf).wrapping_mul(4);
        if first >> 4 != 4 || len < header.len() {
            return None;
        }
        let ports = if u16::from_be_bytes([f0, f1]) & FRAGMENT != 0 {
            0
        } else {
            ports(protocol, packet.get(len..)?)?
        };
        let addresses = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
        Some(self.last(addresses, protocol, ports))
    }

    /// Returns the hash of an IPv6 packet: RFC 8200, 3.
    #[inline(always)]
    fn ipv6(&self, packet: &[u8]) -> Option<u32> {
        const LABEL: u32 = 0x000f_ffff;

        let (header, payload) = packet.split_first_chunk::<IPV6_LEN>()?;
        let (first, rest) = header.split_first_chunk()?;
        let first = u32::from_be_bytes(*first);
        if first >> 28 != 6 {
            return None;
        }
        let next = *rest.get(2)?;
        let (protocol, ports) = match first & LABEL {
            0 => (next, ports(next, payload)?),
            label => (0, label),
        };
        let (source, rest) = split_u64s(rest.get(4..)?)?;
        let (destination, _) = split_u64s(rest)?;
        let addresses = self.mix(self.mix(0, source), destination);
        Some(self.last(addresses, protocol, ports))
    }

    #[inline(always)]
    fn last(&self, addresses: u64, protocol: u8, ports: u32) -> u32 {
        let rest = (u64::from(protocol) << 32) | u64::from(ports);
        self.finish([addresses, rest])
    }

    /// Returns the hash of these numbers, never 0.
    #[inline(always)]
    fn finish(&self, numbers: [u64; 2]) -> u32 {
        let hash = self.mix(0, numbers);
        // Mixed once more: with some keys, flows that differ in one number only would share
        // buckets.
        let hash = fold(hash, ODD);
        let hash = (hash ^ (hash >> 32)) as u32;
        hash.max(1)
    }

    /// Mixes two numbers, changed by the key, into `before`.
    #[inline(always)]
    fn mix(&self, before: u64, [a, b]: [u64; 2]) -> u64 {
        let [first, second] = self.random;
        fold(a ^ first ^ before, b ^ second)
    }
}

/// An odd number without a pattern: the fraction of the golden ratio, times 2^64.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns the product of two numbers, folded so that each bit depends on all bits of both.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    product as u64 ^ (product >> 64) as u64
}

/// Returns the ports of a packet of that protocol, in network order, `None` if this code does not
/// know the protocol.
#[inline(always)]
fn ports(protocol: u8, payload: &[u8]) -> Option<u32> {
    match protocol {
        TCP | UDP | SCTP => Some(u32::from_ne_bytes(*payload.first_chunk()?)),
        _ => None,
    }
}

/// Returns the EtherType of a frame behind up to two tags, and what follows it.
#[inline(always)]
fn untagged(frame: &[u8]) -> Option<(u16, &[u8])> {
    let (mut ethertype, mut packet) = split_ethertype(frame.get(ETHERTYPE..)?)?;
    for _ in 0..2 {
        if ethertype != CUSTOMER_TAG && ethertype != SERVICE_TAG {
            break;
        }
        (ethertype, packet) = split_ethertype(packet.get(TAG - 2..)?)?;
    }
    Some((ethertype, packet))
}

/// Returns the EtherType that `bytes` begin with, and what follows it.
#[inline(always)]
fn split_ethertype(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (ethertype, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*ethertype), rest))
}

/// Returns the two halves of the IPv6 address that `bytes` begin with, and what follows it.
#[inline(always)]
fn split_u64s(bytes: &[u8]) -> Option<([u64; 2], &[u8])> {
    let (first, rest) = bytes.split_first_chunk()?;
    let (second, rest) = rest.split_first_chunk()?;
    Some((
        [u64::from_ne_bytes(*first), u64::from_ne_bytes(*second)],
        rest,
    ))
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_flow))]
mod tests {
    use super::*;

    const KEY: Key = Key::new([0x0123_4567_89ab_cdef, 0x8421_0f1e_2d3c_4b5a]);
    const MACS: &[u8] = &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    /// From 192.0.2.1 to 198.51.100.2.
    const IPV4: &[u8] = &[
        0x45, 0, 0, 48, 0x12, 0x34, 0x40, 0, 64, UDP, 0xab, 0xcd, 192, 0, 2, 1, 198, 51, 100, 2,
    ];
    /// From 2001:db8::1 to 2001:db8::2, without a label.
    const IPV6: &[u8] = &[
        0x60, 0, 0, 0, 0, 28, UDP, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
    ];
    const PORTS: &[u8] = &[0x30, 0x39, 0, 53, 0, 28, 0, 0];

    struct Frame {
        bytes: [u8; 128],
        len: usize,
    }

    impl Frame {
        fn new(parts: &[&[u8]]) -> Self {
            let mut frame = Self {
                bytes: [0; 128],
                len: 0,
            };
            for byte in parts.iter().copied().flatten() {
                frame.bytes[frame.len] = *byte;
                frame.len += 1;
            }
            frame
        }

        fn ipv4() -> Self {
            Self::new(&[MACS, &[8, 0], IPV4, PORTS])
        }

        fn ipv6() -> Self {
            Self::new(&[MACS, &[0x86, 0xdd], IPV6, PORTS])
        }

        /// With another value of the byte at `place`.
        fn with(mut self, place: usize, value: u8) -> Self {
            self.bytes[place] = value;
            self
        }

        fn hash(&self) -> Option<u32> {
            KEY.hash(&self.bytes[..self.len])
        }
    }

    #[test]
    fn addresses_protocol_and_ports_count_and_nothing_else() {
        for place in 14..42 {
            let changed = Frame::ipv4().bytes[place] ^ 1;
            // The length of the header, and what makes it a fragment, are for other tests.
            if place == 14 || place == 20 || place == 21 {
                continue;
            }
            let frame = Frame::ipv4().with(place, changed);
            let same = frame.hash() == Frame::ipv4().hash();
            if place == 14 + 9 {
                // There is no such protocol.
                assert_eq!(frame.hash(), None);
                let frame = Frame::ipv4().with(place, TCP);
                assert!(frame.hash().is_some() && frame.hash() != Frame::ipv4().hash());
            } else {
                assert_eq!(same, !(26..38).contains(&place));
            }
        }
        for place in 18..62 {
            let changed = Frame::ipv6().bytes[place] ^ 1;
            let frame = Frame::ipv6().with(place, changed);
            let same = frame.hash() == Frame::ipv6().hash();
            if place == 14 + 6 {
                assert_eq!(frame.hash(), None);
                let frame = Frame::ipv6().with(place, SCTP);
                assert!(frame.hash().is_some() && frame.hash() != Frame::ipv6().hash());
            } else {
                assert_eq!(same, !(22..58).contains(&place));
            }
        }
        for place in 0..12 {
            assert_eq!(Frame::ipv4().with(place, 9).hash(), Frame::ipv4().hash());
            assert_eq!(Frame::ipv6().with(place, 9).hash(), Frame::ipv6().hash());
        }
    }

    #[test]
    fn of_fragments_the_ports_do_not_count() {
        let first = Frame::ipv4().with(20, 0x20);
        let last = Frame::ipv4().with(20, 0).with(21, 185);
        assert!(first.hash().is_some() && first.hash() != Frame::ipv4().hash());
        assert_eq!(last.hash(), first.hash());
        assert_eq!(last.with(34, 1).with(37, 2).hash(), first.hash());
        // Nor must there be any: the last fragment may be shorter.
        let short = Frame::new(&[MACS, &[8, 0], IPV4]);
        assert_eq!(short.with(20, 0).with(21, 185).hash(), first.hash());
        // To allow fragments does not make it one.
        assert_eq!(Frame::ipv4().with(20, 0).hash(), Frame::ipv4().hash());
    }

    #[test]
    fn ports_are_behind_options() {
        let options = [1; 40];
        for words in 0..=10 {
            let options = &options[..4 * words];
            let frame = Frame::new(&[MACS, &[8, 0], IPV4, options, PORTS]);
            let frame = frame.with(14, 0x45 + words as u8);
            assert_eq!(frame.hash(), Frame::ipv4().hash());
        }
    }

    #[test]
    fn a_label_stands_for_ports() {
        let labelled = || Frame::ipv6().with(15, 3).with(17, 7);
        assert!(labelled().hash().is_some() && labelled().hash() != Frame::ipv6().hash());
        // Whatever follows, which may be a fragment.
        assert_eq!(
            labelled().with(20, 44).with(54, 1).hash(),
            labelled().hash()
        );
        for (place, value) in [(15, 4), (16, 1), (17, 8), (37, 9), (53, 9)] {
            assert!(labelled().with(place, value).hash() != labelled().hash());
        }
        // The traffic class is none of it.
        assert_eq!(
            labelled().with(14, 0x6a).with(15, 0xb3).hash(),
            labelled().hash()
        );
    }

    #[test]
    fn tags_do_not_count() {
        let (tag, service): (&[u8], &[u8]) = (&[0x81, 0, 0xe0, 7], &[0x88, 0xa8, 0, 9]);
        let tagged = |tags: [&[u8]; 3]| {
            let [a, b, c] = tags;
            Frame::new(&[MACS, a, b, c, &[8, 0], IPV4, PORTS]).hash()
        };
        for tags in [[tag, &[], &[]], [service, &[], &[]], [service, tag, &[]]] {
            assert_eq!(tagged(tags), Frame::ipv4().hash());
        }
        assert_eq!(tagged([service, tag, tag]), None);
    }

    #[test]
    fn what_this_does_not_know_has_no_hash() {
        for (place, value) in [
            (13, 6),    // ARP
            (14, 0x65), // IPv6 that says it is IPv4
            (14, 0x44), // a header shorter than there is
            (14, 0x4f), // a header longer than the packet
            (23, 1),    // ICMP
            (23, 47),   // GRE
        ] {
            assert_eq!(Frame::ipv4().with(place, value).hash(), None);
        }
        for (place, value) in [
            (14, 0x40), // IPv4 that says it is IPv6
            (20, 58),   // ICMPv6
            (20, 44),   // a fragment
        ] {
            assert_eq!(Frame::ipv6().with(place, value).hash(), None);
        }
    }

    #[test]
    fn stations_count_unless_the_frame_is_ip() {
        let with = |frame: &Frame, hash| KEY.dissected(&frame.bytes[..frame.len], hash);
        let (tag, payload) = ([0x81, 0, 0, 7], [0; 46]);
        let real_time = |tag: &[u8]| Frame::new(&[MACS, tag, &[0x88, 0x92], &payload]);
        let first = with(&real_time(&[]), 5);
        for place in 0..12 {
            assert!(with(&real_time(&[]).with(place, 9), 5) != first);
        }
        // What the dissector has found counts as well, a tag does not, nor does the payload.
        assert!(with(&real_time(&[]), 6) != first);
        assert_eq!(with(&real_time(&tag), 5), first);
        assert_eq!(with(&real_time(&[]).with(20, 9), 5), first);
        assert!(real_time(&[]).hash().is_none());
        // An EtherType below 1536 is a length.
        let short = Frame::new(&[MACS, &[0, 3, 0x42, 0x42, 3]]);
        assert!(with(&short, 5) != with(&Frame::new(&[MACS, &[0, 4]]).with(0, 9), 5));

        let ip = [
            Frame::ipv4(),
            Frame::ipv6(),
            Frame::new(&[MACS, &tag, &[8, 0]]),
        ];
        for frame in ip {
            assert_eq!(with(&frame, 5), KEY.spread(5));
        }
        for len in 0..14 {
            let part = &real_time(&[]).bytes[..len];
            assert_eq!(KEY.dissected(part, 5), KEY.spread(5));
        }
    }

    #[test]
    fn of_two_keys_each_spreads_what_the_other_has_chosen() {
        let other = Key::new([0x5555_aaaa_1234_9876, 0xfedc_0000_1357_8643]);
        // Hashes in a row, and such that differ in their high bits.
        for shift in [0, 8, 20] {
            for bucket in 0..4 {
                let mut counts = [0; 4];
                for hash in (0..4096u32).map(|n| n.wrapping_shl(shift)) {
                    if KEY.spread(hash) % 4 == bucket {
                        counts[other.spread(hash) as usize % 4] += 1;
                    }
                }
                let all: u32 = counts.iter().sum();
                assert!(all > 900 && all < 1150);
                assert!(counts.iter().all(|n| *n > 150 && *n < 370));
            }
        }
    }

    #[test]
    fn a_frame_that_ends_before_the_ports_has_no_hash() {
        for (frame, ports) in [(Frame::ipv4(), 34), (Frame::ipv6(), 54)] {
            for len in 0..frame.len {
                let hash = KEY.hash(&frame.bytes[..len]);
                assert_eq!(hash, frame.hash().filter(|_| len >= ports + 4));
            }
        }
        // Of what is enough there is a hash, however long the frame is.
        let (tags, options) = ([0x81, 0, 0, 1, 0x81, 0, 0, 1], [1; 40]);
        let frame = Frame::new(&[MACS, &tags, &[8, 0], IPV4, &options, PORTS]).with(22, 0x4f);
        assert!(KEY.hash(&frame.bytes[..ENOUGH - 1]).is_none());
        assert!(KEY.hash(&frame.bytes[..ENOUGH]).is_some());
    }

    #[test]
    fn each_key_has_hashes_of_its_own() {
        let frame = Frame::ipv4();
        let other = Key::new([0x0123_4567_89ab_cdef, 0x8421_0f1e_2d3c_4b5b]);
        assert!(other.hash(&frame.bytes[..frame.len]) != frame.hash());
        let other = Key::new([0x0123_4567_89ab_cdee, 0x8421_0f1e_2d3c_4b5a]);
        assert!(other.hash(&frame.bytes[..frame.len]) != frame.hash());
        // A factor of 0 is no hash of 0.
        let addresses = u64::from_ne_bytes([192, 0, 2, 1, 198, 51, 100, 2]);
        assert_eq!(
            Key::new([addresses, 0]).hash(&frame.bytes[..frame.len]),
            Some(1)
        );
    }
}
