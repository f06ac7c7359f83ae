// SPDX-License-Identifier: GPL-2.0

//! Frames in the name of a silent station, from which switches learn where it is.

/// The length of a frame with a tag, in bytes.
pub const LEN: usize = HEADER + TAG + BODY;

const HEADER: usize = 14;
const TAG: usize = 4;
const BODY: usize = 28;

/// Returns a request by which a station asks for its own IPv4 address (RFC 903), and its length: it
/// goes to all, with the tag of `vlan` if there is one (IEEE 802.1Q-2018, 9.6). Hypervisors announce
/// a virtual machine that has moved by the same frame, since nobody answers it and no host learns
/// an IP address from it.
pub fn request(station: [u8; 6], vlan: Option<u16>) -> ([u8; LEN], usize) {
    const REVERSE: [u8; 2] = [0x80, 0x35];
    // Ethernet, IPv4, the lengths of their addresses, "request reverse".
    const KIND: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 3];
    const UNKNOWN: [u8; 4] = [0; 4];

    let tag = vlan.map(|vlan| {
        let [high, low] = vlan.to_be_bytes();
        [0x81, 0, high, low]
    });
    let parts: [&[u8]; 9] = [
        &[0xff; 6],
        &station,
        tag.as_ref().map_or(&[], |tag| tag),
        &REVERSE,
        &KIND,
        &station,
        &UNKNOWN,
        &station,
        &UNKNOWN,
    ];
    let mut frame = [0; LEN];
    let len = if tag.is_some() { LEN } else { LEN - TAG };
    for (room, byte) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *room = *byte;
    }
    (frame, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_asks_for_its_own_address() {
        let (frame, len) = request([2, 0, 0, 0, 0, 9], None);
        let want = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0,
            3, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0,
        ];
        assert_eq!(frame.get(..len), Some(&want[..]));
    }

    #[test]
    fn in_a_vlan_it_has_a_tag() {
        let (plain, len) = request([2, 0, 0, 0, 0, 9], None);
        let (frame, tagged) = request([2, 0, 0, 0, 0, 9], Some(0x123));
        assert_eq!((tagged, tagged), (len + 4, LEN));
        assert_eq!(frame.get(..12), plain.get(..12));
        assert_eq!(frame.get(12..16), Some(&[0x81, 0, 1, 0x23][..]));
        assert_eq!(frame.get(16..), plain.get(12..len));
    }
}
