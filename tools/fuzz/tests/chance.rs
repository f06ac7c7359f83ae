// SPDX-License-Identifier: GPL-2.0

//! The same as the fuzzer does, by chance: bytes without sense, and lives that begin well.

use trunk_fuzz::{hash, live, step};

/// Random numbers.
struct Chance(u64);

impl Chance {
    /// Returns those of a test, which depend on the seed that proptest has, too.
    fn of(test: u64) -> Self {
        let seed = std::env::var("PROPTEST_RNG_SEED");
        let seed: u64 = seed.map_or(0, |seed| {
            seed.parse().expect("PROPTEST_RNG_SEED is a number")
        });
        Self(seed.rotate_left(32) ^ test)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A trunk whose peer answers every test of so many rounds, on all ports.
fn good_life(rounds: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rounds {
        // A tick an interval later; and a reply on each port: age, kind, flags, port, system,
        // interval in nine bytes, heard in eight.
        bytes.extend([9 + 16, 0]);
        for port in 0..4 {
            bytes.extend([0, port, 0, 0, 0, port, 0]);
            bytes.extend([40, 0, 0, 0, 0, 0, 0, 0, 1]);
            bytes.extend([0xff; 8]);
        }
    }
    bytes
}

#[test]
fn bytes_without_sense() {
    let mut chance = Chance::of(1);
    for _ in 0..100_000 {
        let length = chance.below(600);
        live(&chance.bytes(length));
    }
}

#[test]
fn two_ends_of_a_trunk() {
    let mut chance = Chance::of(4);
    for _ in 0..2_000 {
        let length = chance.below(400);
        step(&chance.bytes(length));
    }
}

/// Frames of all that has a hash, and changed a little.
#[test]
fn frames_of_flows() {
    let mut chance = Chance(3);
    let begin: [&[u8]; 5] = [
        &[8, 0, 0x45],
        &[0x81, 0, 0, 7, 8, 0, 0x46],
        &[0x86, 0xdd, 0x60, 0, 0, 0],
        &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x86, 0xdd, 0x60],
        &[],
    ];
    for _ in 0..100_000 {
        let begin = begin[chance.below(5)];
        let mut bytes = chance.bytes(16 + 12);
        bytes.extend(begin);
        let (ip, length) = (bytes.len(), chance.below(90));
        bytes.extend(chance.bytes(length));
        // Protocols, where the headers have them.
        for place in [ip + 3, ip + 6, ip + 8] {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = [6, 17, 132, 0, 44, 1][chance.below(6)];
            }
        }
        hash(&bytes);
    }
}

#[test]
fn lives_that_begin_well() {
    let mut chance = Chance::of(2);
    for _ in 0..100_000 {
        let rounds = 1 + chance.below(12);
        let mut bytes = good_life(rounds);
        for _ in 0..chance.below(30) {
            let place = chance.below(bytes.len());
            match chance.below(4) {
                0 => bytes[place] = chance.next() as u8,
                1 => bytes[place] ^= 1 << chance.below(8),
                2 => {
                    let length = chance.below(40);
                    let more = chance.bytes(length);
                    bytes.splice(place..place, more);
                }
                _ => {
                    let end = bytes.len().min(place + chance.below(40));
                    bytes.drain(place..end);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        live(&bytes);
    }
}
