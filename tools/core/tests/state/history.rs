// SPDX-License-Identifier: GPL-2.0

//! What happens to the two ends of a trunk. The properties choose it by chance, the fuzzer
//! (`tools/fuzz`) by the bytes that it has.

use super::end::{Ends, MS};
use trunk_core::spares::Failback;
use trunk_core::state::{Ending, PortSettings};
use trunk_core::uapi::ProbeMode;
use trunk_core::wire::Path;

/// Something that happens. Ends are 0 and 1, ports 0 to 63; cables and buckets are taken modulo
/// what there is.
#[derive(Clone, Debug)]
pub enum Happens {
    Carrier(usize, bool),
    /// Frames of the first end, and of the second, are lost, and carrier stays.
    Cut(usize, [bool; 2]),
    /// Frames of that kind from an end are lost, or none.
    Loses(usize, usize, Option<Path>),
    Mtu(usize),
    Vlan(usize, u16, bool),
    Promiscuous(usize, bool),
    OneCopy(usize, bool),
    /// So many ms go by.
    Time(u64),
    Join(usize, u16),
    Leave(usize),
    Up(usize, bool),
    Port(usize, usize, PortSettings),
    Speed(usize, usize, u32),
    Address(usize, [u8; 6]),
    /// The delay is in ms.
    Failback(usize, Failback, u32),
    Mode(usize, ProbeMode),
    MinLinks(usize, u8),
    /// From one round to the next, in ms, misses, and hits.
    Rounds(usize, u32, [u8; 2]),
    Release(usize),
    Bits(usize, u32),
    Choose(usize, usize, usize),
    Reset(usize),
    Claim(usize, usize, u32),
    EndClaims(usize, Ending),
    Frame(usize, usize, Vec<u8>),
    Garble(usize, u8),
    Refusal(usize),
}

/// Has it happen.
pub fn live(ends: &mut Ends, what: &Happens) {
    match *what {
        Happens::Carrier(n, on) => ends.cable(n, |cable| cable.carrier = on),
        Happens::Cut(n, ways) => ends.cable(n, |cable| cable.cut = ways),
        Happens::Loses(n, end, path) => ends.cable(n, |cable| cable.loses[end] = path),
        Happens::Mtu(end) => ends.mtu(end),
        Happens::Vlan(end, vlan, used) => ends.vlan(end, vlan, used),
        Happens::Promiscuous(end, on) => ends.promiscuous(end, on),
        Happens::OneCopy(end, one) => ends.one_copy(end, one),
        Happens::Time(ms) => ends.run(ms * MS),
        Happens::Join(n, priority) => ends.join(n, priority),
        Happens::Leave(n) => ends.leave(n),
        Happens::Up(end, up) => ends.up(end, up),
        Happens::Port(end, n, settings) => ends.set_port(end, n, settings),
        Happens::Speed(end, n, speed) => ends.speed(end, n, speed),
        Happens::Address(end, address) => ends.address(end, address),
        Happens::Failback(end, policy, delay) => ends.configure(end, |settings| {
            settings.failback = policy;
            settings.failback_delay = delay;
        }),
        Happens::Mode(end, mode) => ends.configure(end, |settings| settings.probes.mode = mode),
        Happens::MinLinks(end, least) => ends.configure(end, |settings| settings.min_links = least),
        Happens::Rounds(end, interval, [misses, hits]) => ends.configure(end, |settings| {
            settings.probes.interval = 1_000 * interval;
            settings.probes.misses = misses;
            settings.probes.hits = hits;
        }),
        Happens::Release(end) => ends.release(end),
        Happens::Bits(end, bits) => ends.set_bits(end, bits),
        Happens::Choose(end, bucket, n) => ends.choose(end, bucket, n),
        Happens::Reset(end) => ends.reset(end),
        Happens::Claim(end, n, mark) => ends.claim(end, n, mark),
        Happens::EndClaims(end, which) => ends.end_claims(end, which),
        Happens::Frame(end, n, ref bytes) => ends.frame(end, n, bytes),
        Happens::Garble(place, bits) => ends.garble(place, bits),
        Happens::Refusal(end) => ends.refusal(end),
    }
}
