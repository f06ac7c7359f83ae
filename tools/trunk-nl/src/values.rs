// SPDX-License-Identifier: GPL-2.0

//! Values with a notation of their own.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Identity of a system in probes. Shown as 16 hexadecimal digits, in JSON too: floating-point
/// numbers cannot hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct System(pub u64);

/// A MAC address. Shown as `01:80:c2:00:00:0e`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

/// What MAC addresses begin with: 1 to 6 bytes. Shown as `52:54:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacPrefix(pub Vec<u8>);

/// The secret of both ends of a trunk, which signs probes. The kernel does not show it, and this
/// does not either.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// No key.
    None,
    /// 16 bytes.
    Secret([u8; 16]),
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for System {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let parts: Option<Vec<u8>> = word.split(':').map(octet).collect();
        let octets = parts.and_then(|parts| parts.try_into().ok());
        octets
            .map(Self)
            .ok_or_else(|| format!("\"{word}\" is not a MAC address"))
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

impl Serialize for MacPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Accepts a colon at the end, as is usual for a manufacturer's part.
impl FromStr for MacPrefix {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let parts = word.strip_suffix(':').unwrap_or(word).split(':');
        let octets: Option<Vec<u8>> = parts.map(octet).collect();
        let octets = octets.filter(|octets| octets.len() <= 6);
        octets
            .map(Self)
            .ok_or_else(|| format!("\"{word}\" is not the beginning of a MAC address"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Secret(_) => "Secret",
        })
    }
}

/// Reads 32 hexadecimal digits, or `none`. An error does not repeat the text: it may be nearly the
/// key.
impl FromStr for Key {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "none" {
            return Ok(Self::None);
        }
        let octets: Option<Vec<u8>> = word
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(octet))
            .collect();
        let octets = octets.and_then(|octets| octets.try_into().ok());
        octets
            .map(Self::Secret)
            .ok_or_else(|| "it is not 32 hexadecimal digits".to_string())
    }
}

/// Reads two hexadecimal digits.
fn octet(text: &str) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|c| c.is_ascii_hexdigit());
    digits.then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

/// Returns a time without loss, with the largest of the units s, ms and us that fits: `10ms`,
/// `1500us`.
pub fn exact(microseconds: u64) -> String {
    const UNITS: [(u64, &str); 2] = [(1_000_000, "s"), (1_000, "ms")];
    let fits = |(unit, _): &&(u64, &str)| microseconds % unit == 0;
    let (unit, name) = UNITS.iter().find(fits).unwrap_or(&(1, "us"));
    format!("{}{name}", microseconds / unit)
}

/// Returns the text of an attribute's value, as the user knows it.
pub(crate) fn shown(attribute: &str, value: u64) -> String {
    match attribute {
        "interval" | "reply-timeout" => exact(value),
        "hold-down" => exact(value.saturating_mul(1000)),
        "probe-ethertype" => format!("{value:#06x}"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let nearest_bridge = Mac([1, 0x80, 0xc2, 0, 0, 0xe]);
        assert_eq!(nearest_bridge.to_string(), "01:80:c2:00:00:0e");
        assert_eq!("01:80:C2:00:00:0e".parse(), Ok(nearest_bridge));
        for wrong in [
            "",
            "01:80:c2:00:00",
            "01:80:c2:00:00:0e:00",
            "1:80:c2:00:00:+e",
        ] {
            let told = format!("\"{wrong}\" is not a MAC address");
            assert_eq!(wrong.parse::<Mac>(), Err(told));
        }
    }

    #[test]
    fn beginnings_of_addresses() {
        for (word, shown) in [
            ("52:54:00", "52:54:00"),
            ("AC:", "ac"),
            ("01:80:c2:00:00:0e", "01:80:c2:00:00:0e"),
        ] {
            let prefix: MacPrefix = word.parse().unwrap();
            assert_eq!(prefix.to_string(), shown);
        }
        for wrong in ["", ":", "5", "52::", "01:80:c2:00:00:0e:00", "+1"] {
            let told = format!("\"{wrong}\" is not the beginning of a MAC address");
            assert_eq!(wrong.parse::<MacPrefix>(), Err(told));
        }
    }

    #[test]
    fn keys_are_read_but_not_shown() {
        let octets: [u8; 16] = std::array::from_fn(|n| 0xf0 + n as u8);
        let key: Key = "f0f1f2f3f4f5f6f7f8f9fAfBfcfdfeff".parse().unwrap();
        assert_eq!(key, Key::Secret(octets));
        assert_eq!(format!("{key:?}"), "Secret");
        assert_eq!("none".parse(), Ok(Key::None));
        for wrong in [
            "",
            "f0",
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfef",
            "\u{e9}".repeat(16).as_str(),
        ] {
            let told = wrong.parse::<Key>().unwrap_err();
            assert_eq!(told, "it is not 32 hexadecimal digits");
        }
    }

    #[test]
    fn times_without_loss() {
        let all = [0, 100, 1000, 1500, 10_000, 1_000_000, 60_000_000].map(exact);
        assert_eq!(all, ["0s", "100us", "1ms", "1500us", "10ms", "1s", "60s"]);
    }

    #[test]
    fn system_ids() {
        let system = System(0xfeed_0000_0000_0001);
        let json = serde_json::to_string(&system).unwrap();
        assert_eq!(json, "\"feed000000000001\"");
    }
}
