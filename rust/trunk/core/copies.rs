// SPDX-License-Identifier: GPL-2.0

//! Whether one copy of a broadcast comes in, or several.
//!
//! A switch that does not know of the trunk floods a broadcast by all its ports. So the trunk receives
//! a copy by each port, and one that it has sent comes back by all others. A static aggregate sends
//! one copy, by any link, and sends none back.
//!
//! Broadcasts are recognised by a fingerprint. It is the same for all copies of a frame, however they
//! have come.

use super::flow::{
    CUSTOMER_TAG,
    IPV4, //
};
use super::port::PortId;
use ::core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering, //
};

/// Copies of a broadcast come within so many ms. If two that are equal come later than that, one was
/// sent again.
const TOGETHER: u64 = 50;

/// A far end sends one copy if that was so in as many seconds, be they in a row or not.
const SECONDS: u32 = 16;

/// A number is enough to tell copies from frames that come meanwhile.
const PLACES: usize = 64;

/// The time of a place, in ms.
const TIME: u64 = 0xff_ffff;

/// What stands for the port of a frame that has left. 0 stands for none: the place is empty.
const LEFT: u64 = 0xff;

/// The longest payload that a [`fingerprint`] depends on, in bytes.
pub const PAYLOAD: usize = 28;

/// As many bytes of a frame, with a tag, as are enough for [`fingerprint_of`].
pub const FRAME: usize = 18 + PAYLOAD;

/// The number of bytes that a fingerprint depends on.
pub const LEN: usize = 10 + PAYLOAD;

/// What broadcasts have come in of late. Many processors may note some at a time.
pub struct Copies {
    /// What came last of those whose fingerprint ends so: half of the fingerprint, the port, and the
    /// time in ms.
    places: [AtomicU64; PLACES],
    /// The seconds in which no broadcast had a copy, and when the last of them began, in ms.
    seconds: AtomicU32,
    second: AtomicU64,
}

impl Copies {
    /// Of no broadcast yet.
    pub const fn new() -> Self {
        Self {
            places: [const { AtomicU64::new(0) }; PLACES],
            seconds: AtomicU32::new(0),
            second: AtomicU64::new(0),
        }
    }

    /// Notes a broadcast that comes in by a port at `now`, in ns. Returns whether the far end sends one
    /// copy, if this frame shows it.
    pub fn came(&self, fingerprint: u64, by: PortId, now: u64) -> Option<bool> {
        let now = now / 1_000_000;
        let port = (by.index() as u64).wrapping_add(1);
        match self.exchange(fingerprint, port, now) {
            Some(before) if before == port => None,
            Some(_) => {
                self.forget();
                Some(false)
            }
            None => self.came_alone(now),
        }
    }

    /// Notes a broadcast that leaves by the trunk at `now`, in ns.
    pub fn left(&self, fingerprint: u64, now: u64) {
        self.exchange(fingerprint, LEFT, now / 1_000_000);
    }

    /// Forgets what the broadcasts of before have shown, as when one of the trunk itself comes back.
    pub fn forget(&self) {
        self.seconds.store(0, Ordering::Relaxed);
    }

    /// Notes a frame. Returns by which port the same one came just before, or [`LEFT`].
    fn exchange(&self, fingerprint: u64, port: u64, now: u64) -> Option<u64> {
        let place = self.places.get(fingerprint as usize % PLACES)?;
        let half = fingerprint & !u64::from(u32::MAX);
        let before = place.swap(half | (port << 24) | (now & TIME), Ordering::Relaxed);
        let same = before & !u64::from(u32::MAX) == half;
        // Another processor may have read the clock later, and be here before.
        let apart = now.wrapping_sub(before).wrapping_add(TOGETHER) & TIME;
        let port = (before >> 24) & 0xff;
        (same && port != 0 && apart <= 2 * TOGETHER).then_some(port)
    }

    fn came_alone(&self, now: u64) -> Option<bool> {
        let seconds = self.seconds.load(Ordering::Relaxed);
        let last = self.second.load(Ordering::Relaxed);
        if seconds > 0 && now.saturating_sub(last) < 1_000 {
            return None;
        }
        self.second.store(now, Ordering::Relaxed);
        let seconds = seconds.saturating_add(1);
        self.seconds.store(seconds, Ordering::Relaxed);
        (seconds > SECONDS).then_some(true)
    }
}

impl Default for Copies {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the bytes whose hash is the fingerprint of a frame: what is the same in all copies, be it
/// one that leaves or one that comes in. `vlan` is the ID of its VLAN, or 0.
///
/// That is the source, the EtherType, the VLAN, and of the payload the first [`PAYLOAD`] bytes: a whole
/// packet of ARP (RFC 826), or the headers of IPv4 and UDP. The checksum of UDP is left out, for it may
/// be the network device that computes it.
pub fn fingerprint(src: &[u8; 6], ethertype: u16, vlan: u16, payload: &[u8]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (ethertype_bytes, vlan) = (ethertype.to_be_bytes(), vlan.to_be_bytes());
    let len = if ethertype == IPV4 {
        PAYLOAD - 2
    } else {
        PAYLOAD
    };
    let parts = [&src[..], &ethertype_bytes, &vlan].into_iter().flatten();
    for (room, byte) in bytes.iter_mut().zip(parts.chain(payload.iter().take(len))) {
        *room = *byte;
    }
    bytes
}

/// As [`fingerprint`], of a whole frame. Its tag is part of it, or beside it and of this VLAN. `None` if
/// there is no whole header. The first [`FRAME`] bytes are enough.
pub fn fingerprint_of(frame: &[u8], vlan: u16) -> Option<[u8; LEN]> {
    let number = |bytes: &[u8; 2]| u16::from_be_bytes(*bytes);
    let (_, rest) = frame.split_first_chunk::<6>()?;
    let (src, rest) = rest.split_first_chunk::<6>()?;
    let (ethertype, rest) = rest.split_first_chunk::<2>()?;
    if number(ethertype) != CUSTOMER_TAG {
        return Some(fingerprint(src, number(ethertype), vlan, rest));
    }
    let (tag, rest) = rest.split_first_chunk::<2>()?;
    let (ethertype, payload) = rest.split_first_chunk::<2>()?;
    let vlan = number(tag) & 0xfff;
    Some(fingerprint(src, number(ethertype), vlan, payload))
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_copies))]
mod tests {
    use super::super::port::Slot;
    use super::super::testing::id;
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    fn came(copies: &Copies, fingerprint: u64, by: Slot, now: u64) -> Option<bool> {
        copies.came(fingerprint, id(by)?, now)
    }

    /// What comes of broadcasts, one each half second: they come by these ports, the second of them so
    /// many ms after the first.
    fn after(copies: &Copies, from: u64, number: u64, ports: &[Slot], later: u64) -> Option<bool> {
        let mut last = None;
        for n in from..from.wrapping_add(number) {
            for (place, port) in ports.iter().enumerate() {
                let now = n * S / 2 + place as u64 * later * MS;
                last = came(copies, (n << 32) | (n * 7), *port, now);
            }
        }
        last
    }

    #[test]
    fn one_copy_each_shows_an_aggregate() {
        let copies = Copies::new();
        assert_eq!(after(&copies, 0, 32, &[0], 0), None);
        assert_eq!(after(&copies, 32, 1, &[1], 0), Some(true));
        // One frame with a copy shows that it is none.
        assert_eq!(after(&copies, 40, 1, &[1, 0], 3), Some(false));
        assert_eq!(after(&copies, 42, 32, &[1], 0), None);
        assert_eq!(after(&copies, 74, 1, &[1], 0), Some(true));
    }

    #[test]
    fn copies_show_a_switch() {
        let copies = Copies::new();
        for later in [0, 50] {
            assert_eq!(after(&copies, 0, 100, &[0, 1], later), Some(false));
        }
        // The same frame, sent again.
        assert_ne!(after(&copies, 110, 1, &[0, 1], 51), Some(false));
        // By the same port, the same frame is no copy, but the one after it may be.
        assert_eq!(after(&copies, 200, 1, &[0, 0], 1), None);
        assert_eq!(after(&copies, 201, 1, &[0, 0, 1], 40), Some(false));
    }

    #[test]
    fn many_in_a_short_time_show_nothing() {
        let copies = Copies::new();
        for n in 0..10_000u64 {
            assert_eq!(came(&copies, (n << 32) | n, 0, n * MS), None);
        }
    }

    #[test]
    fn what_was_sent_comes_back() {
        let copies = Copies::new();
        assert_eq!(after(&copies, 0, 33, &[0], 0), Some(true));
        copies.left(5 << 32, 20 * S);
        assert_eq!(came(&copies, 5 << 32, 1, 20 * S + MS), Some(false));
        assert_eq!(after(&copies, 100, 33, &[0], 0), Some(true));
        copies.forget();
        assert_eq!(after(&copies, 200, 32, &[0], 0), None);
    }

    #[test]
    fn the_time_may_wrap() {
        let copies = Copies::new();
        let wrap = (TIME + 1) * MS;
        for (first, then, want) in [
            (wrap - MS, wrap + MS, Some(false)),
            (wrap * 2, wrap * 2 - MS, Some(false)),
            (wrap * 3, wrap * 3 + 51 * MS, None),
        ] {
            copies.left(9 << 32, first);
            assert_eq!(came(&copies, 9 << 32, 3, then), want);
        }
    }

    #[test]
    fn a_fingerprint_has_what_is_equal_in_all_copies() {
        let src = [2, 0, 0, 0, 0, 1];
        let payload: [u8; 64] = ::core::array::from_fn(|n| n as u8);
        let of = |payload: &[u8]| fingerprint(&src, 0x0800, 7, payload);
        let mut other = payload;
        // The checksum of UDP.
        (other[26], other[27]) = (0, 0);
        assert_eq!(of(&payload), of(&other));
        assert_ne!(
            fingerprint(&src, 0x0806, 7, &payload),
            fingerprint(&src, 0x0806, 7, &other)
        );
        // Ethernet pads short frames.
        assert_eq!(of(&payload[..26]), of(&other));
        for at in [0, 19, 25] {
            other = payload;
            other[at] ^= 1;
            assert_ne!(of(&payload), of(&other));
        }
        assert_ne!(of(&payload), fingerprint(&src, 0x0800, 8, &payload));
        assert_ne!(of(&payload), fingerprint(&[2; 6], 0x0800, 7, &payload));
        assert_ne!(of(&payload), of(&[]));
    }

    #[test]
    fn a_tag_may_be_in_the_frame_or_beside_it() {
        let header = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1];
        let src = [2, 0, 0, 0, 0, 1];
        let mut frame = [0; FRAME];
        for (room, byte) in frame.iter_mut().zip(1..) {
            *room = byte;
        }
        frame[..12].copy_from_slice(&header);
        // Priority 5, VLAN 7, ARP.
        frame[12..18].copy_from_slice(&[0x81, 0, 0xa0, 7, 8, 6]);
        let want = Some(fingerprint(&src, 0x0806, 7, &frame[18..]));
        assert_eq!(fingerprint_of(&frame, 0), want);
        assert_eq!(fingerprint_of(&frame[..17], 0), None);
        frame.copy_within(16.., 12);
        assert_eq!(fingerprint_of(&frame, 7), want);
        assert_eq!(fingerprint_of(&frame[..13], 7), None);
    }
}
