// SPDX-License-Identifier: GPL-2.0

//! Reads and writes settings as words: `bits 6 selector flow`.

use std::collections::BTreeMap;
use std::fs;
use std::str::FromStr;

use trunk_nl::uapi::Failback;
use trunk_nl::{exact, AutoJoin, Key, LinkSettings, PortSettings, TrunkSettings};

use crate::failure::{usage, Failure, Result};

/// The words that are not read yet.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: &'a [String],
}

impl<'a> Words<'a> {
    pub fn new(rest: &'a [String]) -> Self {
        Self { rest }
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.rest.first().map(String::as_str)
    }

    pub fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Reads the word after `key`.
    pub fn value(&mut self, key: &str) -> Result<&'a str> {
        self.next()
            .ok_or_else(|| usage(format!("{key}: a value is missing")))
    }

    /// Skips the next word if it is this one. Returns whether it is.
    pub fn skip(&mut self, word: &str) -> bool {
        let there = self.peek() == Some(word);
        if there {
            self.next();
        }
        there
    }

    /// Reads the name of a device, with or without the word dev before it.
    pub fn device(&mut self) -> Result<&'a str> {
        self.skip("dev");
        self.next()
            .ok_or_else(|| usage("the name of a trunk is missing"))
    }

    /// Fails if there are words left.
    pub fn end(&self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(usage(format!("\"{word}\" is not understood"))),
        }
    }

    fn number(&mut self, key: &str) -> Result<u32> {
        number(key, self.value(key)?)
    }

    fn named<T: FromStr<Err = String>>(&mut self, key: &str) -> Result<T> {
        let value = self.value(key)?;
        value
            .parse()
            .map_err(|error: String| usage(format!("{key}: {error}")))
    }

    /// Reads what `ip link set` sets of a trunk, too, up to another word.
    pub fn link_settings(&mut self) -> Result<LinkSettings> {
        let mut settings = LinkSettings::default();
        while let Some(key) = self.peek().filter(|key| LINK_WORDS.contains(key)) {
            self.next();
            match key {
                "address" => once(key, &mut settings.address, self.named(key)?)?,
                _ => once(key, &mut settings.mtu, self.number(key)?)?,
            }
        }
        Ok(settings)
    }

    /// Reads settings of a trunk, up to another word.
    pub fn trunk_settings(&mut self) -> Result<TrunkSettings> {
        let mut settings = TrunkSettings::default();
        while let Some(key) = self.peek() {
            if !TRUNK_WORDS.contains(&key) {
                break;
            }
            self.next();
            match key {
                "bits" => once(key, &mut settings.bits, self.number(key)?)?,
                "selector" => once(key, &mut settings.selector, self.named(key)?)?,
                "role" => once(key, &mut settings.role, self.named(key)?)?,
                "far-end" => once(key, &mut settings.far_end, self.named(key)?)?,
                "min-links" => once(key, &mut settings.min_links, self.number(key)?)?,
                "failback" => {
                    once(key, &mut settings.failback, self.named(key)?)?;
                    if settings.failback == Some(Failback::Delay) {
                        let key = "failback delay";
                        settings.failback_delay = Some(milliseconds(key, self.value(key)?)?);
                    }
                }
                "probe" => once(key, &mut settings.probe, self.named(key)?)?,
                "interval" => {
                    let interval = microseconds(key, self.value(key)?)?;
                    once(key, &mut settings.interval, interval)?;
                }
                "reply-timeout" => {
                    let timeout = microseconds(key, self.value(key)?)?;
                    once(key, &mut settings.reply_timeout, timeout)?;
                }
                "misses" => once(key, &mut settings.misses, self.number(key)?)?,
                "hits" => once(key, &mut settings.hits, self.number(key)?)?,
                "hold-down" => {
                    let limit = match self.value(key)? {
                        "off" => 0,
                        value => milliseconds(key, value)?,
                    };
                    once(key, &mut settings.hold_down, limit)?;
                }
                "peers" => once(key, &mut settings.peers, self.named(key)?)?,
                "probe-ethertype" => {
                    let ethertype = any_number(key, self.value(key)?)?;
                    once(key, &mut settings.probe_ethertype, ethertype)?;
                }
                "probe-address" => once(key, &mut settings.probe_address, self.named(key)?)?,
                "auto-join" => once(key, &mut settings.auto_join, self.auto_join()?)?,
                "key" => {
                    let secret = self.named(key)?;
                    once("key", &mut settings.key, secret)?;
                }
                _ => {
                    let secret = key_in(self.value(key)?)?;
                    once("key", &mut settings.key, secret)?;
                }
            }
        }
        if let Some(role) = settings.role {
            let (selector, group) = (settings.selector.take(), settings.far_end.take());
            // The output of show names all three, and they agree.
            let agree = selector.is_none_or(|selector| selector == role.selector())
                && group.is_none_or(|group| group == role.far_end());
            if !agree {
                return Err(usage(
                    "role sets selector and far-end: name one or the other",
                ));
            }
        }
        Ok(settings)
    }

    /// Reads a rule such as `name enp* prio 2`, up to another word, or `none`.
    fn auto_join(&mut self) -> Result<Option<AutoJoin>> {
        if self.skip("none") {
            return Ok(None);
        }
        let (mut name, mut driver, mut bus) = (None, None, None);
        let (mut address, mut priority) = (None, None);
        while let Some(key) = self.peek().filter(|key| RULE_WORDS.contains(key)) {
            self.next();
            let text = match key {
                "name" => &mut name,
                "driver" => &mut driver,
                "bus" => &mut bus,
                "address" => {
                    once(key, &mut address, self.named(key)?)?;
                    continue;
                }
                _ => {
                    once(key, &mut priority, self.number(key)?)?;
                    continue;
                }
            };
            let value = self.value(key)?;
            let most = if key == "name" { PATTERN_MAX } else { NAME_MAX };
            if value.len() > most {
                return Err(usage(format!("auto-join {key}: more than {most} bytes")));
            }
            once(key, text, value.to_string())?;
        }
        let rule = AutoJoin {
            name,
            driver,
            bus,
            address,
            priority: priority.unwrap_or(1),
        };
        match rule.is_empty() {
            true => Err(usage(
                "auto-join: name, driver, bus or address is missing, or none",
            )),
            false => Ok(Some(rule)),
        }
    }

    /// Reads settings of a port, up to another word.
    pub fn port_settings(&mut self) -> Result<PortSettings> {
        let mut settings = PortSettings::default();
        while let Some(key) = self.peek() {
            match key {
                "prio" | "priority" | "weight" | "enable" | "disable" => self.next(),
                _ => break,
            };
            match key {
                "weight" => {
                    let weight = match self.value(key)? {
                        "auto" => 0,
                        value => number(key, value)?,
                    };
                    once(key, &mut settings.weight, weight)?;
                }
                "enable" | "disable" => once(key, &mut settings.enabled, key == "enable")?,
                _ => once(key, &mut settings.priority, self.number(key)?)?,
            }
        }
        Ok(settings)
    }

    /// Reads a claim such as `trunk0 port eth1 mark 7 name metering`, to the end.
    pub fn claim(&mut self) -> Result<Wish> {
        let trunk = self.device()?.to_string();
        let (mut port, mut mark, mut name) = (None, None, None);
        while let Some(key) = self.peek() {
            match key {
                "port" | "mark" | "name" => self.next(),
                _ => break,
            };
            let value = self.value(key)?;
            match key {
                "port" => once(key, &mut port, value.to_string())?,
                "mark" => once(key, &mut mark, any_number(key, value)?)?,
                _ if value.len() > NAME_MAX => {
                    return Err(usage(format!("name: more than {NAME_MAX} bytes")))
                }
                _ => once(key, &mut name, value.to_string())?,
            }
        }
        self.end()?;
        let missing = |what: &str| usage(format!("claim {trunk}: {what} are missing"));
        Ok(Wish {
            port: port.ok_or_else(|| missing("port and a name"))?,
            mark: mark.ok_or_else(|| missing("mark and a number"))?,
            name,
            trunk,
        })
    }

    /// Reads buckets and their homes, such as `0-3 eth1 7 auto`, to the end.
    pub fn homes(&mut self) -> Result<BTreeMap<u32, Option<String>>> {
        let mut homes = BTreeMap::new();
        while let Some(range) = self.next() {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (number("bucket", first)?, number("bucket", last)?);
            // The kernel checks the number of buckets; this only limits the work here.
            if first > last || last > u16::MAX.into() {
                return Err(usage(format!("bucket: {range} is no range within 0-65535")));
            }
            let home = match self.value(&format!("bucket {range}"))? {
                "auto" => None,
                name => Some(name.to_string()),
            };
            for bucket in first..=last {
                if homes.insert(bucket, home.clone()).is_some() {
                    return Err(usage(format!("bucket {bucket} is named twice")));
                }
            }
        }
        Ok(homes)
    }
}

/// The longest name of a claim's holder, a driver or a bus, in bytes.
const NAME_MAX: usize = 31;

/// The longest pattern for names of devices, which may be alternative ones, in bytes.
const PATTERN_MAX: usize = 127;

/// What the user wants to claim.
#[derive(Debug, PartialEq)]
pub struct Wish {
    pub trunk: String,
    pub port: String,
    pub mark: u32,
    pub name: Option<String>,
}

/// Words with which settings of any device begin.
pub const LINK_WORDS: [&str; 2] = ["address", "mtu"];

/// Words with which settings of a trunk begin.
pub const TRUNK_WORDS: [&str; 18] = [
    "bits",
    "selector",
    "role",
    "failback",
    "far-end",
    "min-links",
    "probe",
    "interval",
    "reply-timeout",
    "misses",
    "hits",
    "hold-down",
    "peers",
    "probe-ethertype",
    "probe-address",
    "auto-join",
    "key",
    "key-file",
];

/// Words of a rule for devices that join by themselves.
pub const RULE_WORDS: [&str; 6] = ["name", "driver", "bus", "address", "prio", "priority"];

/// Reads a time in microseconds: `500us`, `10ms`, `2s`; a number without a unit is in milliseconds.
fn microseconds(key: &str, word: &str) -> Result<u32> {
    const UNITS: [(&str, u64); 3] = [("us", 1), ("ms", 1000), ("s", 1_000_000)];
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &word[digits.len()..] {
        "" => Some(1000),
        name => {
            let found = UNITS.iter().find(|(unit, _)| *unit == name);
            found.map(|(_, unit)| *unit)
        }
    };
    let number: Option<u64> = digits.parse().ok();
    let Some((number, unit)) = number.zip(unit) else {
        return Err(usage(format!(
            "{key}: \"{word}\" is not a time, as 500us, 10ms or 2s"
        )));
    };
    let time = number.checked_mul(unit).and_then(|n| n.try_into().ok());
    time.ok_or_else(|| usage(format!("{key}: {word} is too long")))
}

/// Reads a time in milliseconds.
fn milliseconds(key: &str, word: &str) -> Result<u32> {
    // A number without a unit is not limited by microseconds.
    if let Ok(number) = word.parse() {
        return Ok(number);
    }
    let time = microseconds(key, word)?;
    match time % 1000 {
        0 => Ok(time / 1000),
        _ => Err(usage(format!("{key}: {word} is not in whole milliseconds"))),
    }
}

/// Reads a number that may be hexadecimal, as `0x88b5`.
fn any_number(key: &str, word: &str) -> Result<u32> {
    match word.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u32::from_str_radix(digits, 16)
            .map_err(|_| usage(format!("{key}: \"{word}\" is not a number"))),
        _ => number(key, word),
    }
}

/// Reads a key from a file, in hexadecimal.
fn key_in(file: &str) -> Result<Key> {
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| Failure::File(file.to_string(), error))?;
    match text.trim().parse() {
        Ok(secret @ Key::Secret(_)) => Ok(secret),
        _ => Err(usage(format!(
            "key-file: {file} does not have 32 hexadecimal digits"
        ))),
    }
}

fn number(key: &str, word: &str) -> Result<u32> {
    word.parse()
        .map_err(|_| usage(format!("{key}: \"{word}\" is not a number")))
}

fn once<T>(key: &str, field: &mut Option<T>, value: T) -> Result<()> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(usage(format!("{key} is named twice"))),
    }
}

/// Returns settings of any device as words.
pub fn of_link(settings: &LinkSettings) -> String {
    let mut words = Vec::new();
    push(&mut words, "address", settings.address);
    push(&mut words, "mtu", settings.mtu);
    words.join(" ")
}

/// Returns settings of a trunk as words, without the key, which is not shown.
pub fn of_trunk(settings: &TrunkSettings) -> String {
    let mut words = Vec::new();
    push(&mut words, "bits", settings.bits);
    push(&mut words, "selector", settings.selector);
    push(&mut words, "role", settings.role);
    push(&mut words, "failback", settings.failback);
    words.extend(settings.failback_delay.map(|delay| delay.to_string()));
    push(&mut words, "far-end", settings.far_end);
    push(&mut words, "min-links", settings.min_links);
    push(&mut words, "probe", settings.probe);
    let time = |microseconds: u32| exact(microseconds.into());
    push(&mut words, "interval", settings.interval.map(time));
    push(
        &mut words,
        "reply-timeout",
        settings.reply_timeout.map(time),
    );
    push(&mut words, "misses", settings.misses);
    push(&mut words, "hits", settings.hits);
    push(&mut words, "hold-down", settings.hold_down.map(hold_down));
    push(&mut words, "peers", settings.peers);
    let ethertype = settings.probe_ethertype.map(probe_ethertype);
    push(&mut words, "probe-ethertype", ethertype);
    push(&mut words, "probe-address", settings.probe_address);
    let rule = settings.auto_join.as_ref();
    push(
        &mut words,
        "auto-join",
        rule.map(|rule| auto_join(rule.as_ref())),
    );
    words.join(" ")
}

/// Returns a rule for devices that join by themselves as words; with the priority if it is not 1.
pub fn auto_join(rule: Option<&AutoJoin>) -> String {
    let Some(rule) = rule else {
        return "none".to_string();
    };
    let mut words = Vec::new();
    push(&mut words, "name", rule.name.as_ref());
    push(&mut words, "driver", rule.driver.as_ref());
    push(&mut words, "bus", rule.bus.as_ref());
    push(&mut words, "address", rule.address.as_ref());
    push(
        &mut words,
        "prio",
        Some(rule.priority).filter(|prio| *prio != 1),
    );
    words.join(" ")
}

/// Returns settings of a port as words.
pub fn of_port(settings: &PortSettings) -> String {
    let mut words = Vec::new();
    push(&mut words, "prio", settings.priority);
    push(&mut words, "weight", settings.weight.map(weight));
    words.extend(settings.enabled.map(|enabled| {
        let word = if enabled { "enable" } else { "disable" };
        word.to_string()
    }));
    words.join(" ")
}

/// Returns a weight as a word.
pub fn weight(weight: u32) -> String {
    match weight {
        0 => "auto".to_string(),
        weight => weight.to_string(),
    }
}

/// Returns the longest hold-down, in milliseconds, as a word.
pub fn hold_down(milliseconds: u32) -> String {
    match milliseconds {
        0 => "off".to_string(),
        _ => exact(u64::from(milliseconds) * 1000),
    }
}

/// Returns an EtherType as a word.
pub fn probe_ethertype(number: u32) -> String {
    format!("{number:#06x}")
}

fn push<T: ToString>(words: &mut Vec<String>, key: &str, value: Option<T>) {
    if let Some(value) = value {
        words.push(format!("{key} {}", value.to_string()));
    }
}

/// Returns runs of buckets with one home: first, last, home.
pub fn runs(homes: &BTreeMap<u32, String>) -> Vec<(u32, u32, &str)> {
    let mut runs: Vec<(u32, u32, &str)> = Vec::new();
    for (bucket, home) in homes {
        match runs.last_mut() {
            Some((_, last, same)) if *last + 1 == *bucket && same == home => *last = *bucket,
            _ => runs.push((*bucket, *bucket, home)),
        }
    }
    runs
}

/// Returns a run of buckets as a word.
pub fn range(first: u32, last: u32) -> String {
    match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn a_role_may_be_named_with_what_it_sets() {
        for more in [
            "selector smac",
            "far-end auto",
            "far-end auto selector smac",
        ] {
            let words = split(&format!("{more} role switch bits 3"));
            let settings = Words::new(&words).trunk_settings().unwrap();
            assert_eq!(of_trunk(&settings), "bits 3 role switch", "{more}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for line in [
            "bits 6 selector flow failback delay 2000 far-end switch min-links 2",
            "bits 0 role switch failback manual",
            "failback immediate",
            "bits 5 probe required interval 10ms reply-timeout 1500us misses 1 hits 255 \
             hold-down 60s peers several probe-ethertype 0x88b7 probe-address 02:00:00:00:00:01",
            "probe off interval 1s hold-down off",
            "bits 3 auto-join name enp* driver ixgbe bus pci address 52:54:00 prio 2",
            "auto-join name eth?",
            "auto-join none",
            "",
        ] {
            let words = split(line);
            let mut words = Words::new(&words);
            assert_eq!(of_trunk(&words.trunk_settings().unwrap()), line);
            words.end().unwrap();
        }
        for line in ["prio 2 weight auto disable", "weight 7", "enable", ""] {
            let words = split(line);
            let mut words = Words::new(&words);
            assert_eq!(of_port(&words.port_settings().unwrap()), line);
            words.end().unwrap();
        }
    }

    #[test]
    fn times_have_units() {
        let settings = |line: &str| {
            let words = split(line);
            Words::new(&words).trunk_settings().unwrap()
        };
        for (word, want) in [
            ("10", 10_000),
            ("10ms", 10_000),
            ("1500us", 1500),
            ("2s", 2_000_000),
            ("4294967295us", u32::MAX),
        ] {
            let got = settings(&format!("interval {word}")).interval;
            assert_eq!(got, Some(want), "{word}");
        }
        let all = settings("failback delay 2s hold-down 1500");
        assert_eq!(
            (all.failback_delay, all.hold_down),
            (Some(2000), Some(1500))
        );
    }

    #[test]
    fn a_key_is_taken_but_not_written() {
        let words = split("key 000102030405060708090a0b0c0d0e0f");
        let settings = Words::new(&words).trunk_settings().unwrap();
        let octets = std::array::from_fn(|n| n as u8);
        assert_eq!(settings.key, Some(Key::Secret(octets)));
        assert_eq!(of_trunk(&settings), "");
    }

    #[test]
    fn settings_end_where_other_words_begin() {
        let words = split("bits 6 port eth1 prio 2");
        let mut words = Words::new(&words);
        assert_eq!(words.trunk_settings().unwrap().bits, Some(6));
        assert_eq!(words.peek(), Some("port"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let trunk = |line: &str| {
            let words = split(line);
            let mut words = Words::new(&words);
            let done = words.trunk_settings().and_then(|_| words.end());
            done.unwrap_err().to_string()
        };
        assert_eq!(trunk("bits"), "bits: a value is missing");
        assert_eq!(trunk("bits six"), "bits: \"six\" is not a number");
        assert_eq!(trunk("bits 5 bits 6"), "bits is named twice");
        assert_eq!(trunk("bits -1"), "bits: \"-1\" is not a number");
        assert_eq!(
            trunk("failback delay"),
            "failback delay: a value is missing"
        );
        assert_eq!(trunk("colour red"), "\"colour\" is not understood");
        assert_eq!(
            trunk("selector mac"),
            "selector: \"mac\" is none of dmac, smac, smac-dmac, flow"
        );
        assert_eq!(
            trunk("role server far-end aggregate"),
            "role sets selector and far-end: name one or the other"
        );
        assert_eq!(
            trunk("selector flow far-end auto role switch"),
            "role sets selector and far-end: name one or the other"
        );
        let time = "is not a time, as 500us, 10ms or 2s";
        for wrong in ["fast", "10m", "-1ms", "1.5ms", "ms", ""] {
            let words = ["interval".to_string(), wrong.to_string()];
            let got = Words::new(&words).trunk_settings().unwrap_err();
            assert_eq!(got.to_string(), format!("interval: \"{wrong}\" {time}"));
        }
        assert_eq!(trunk("interval 4295s"), "interval: 4295s is too long");
        assert_eq!(
            trunk("hold-down 100us"),
            "hold-down: 100us is not in whole milliseconds"
        );
        assert_eq!(
            trunk("probe-ethertype 0xx"),
            "probe-ethertype: \"0xx\" is not a number"
        );
        assert_eq!(
            trunk("probe-address 1:2"),
            "probe-address: \"1:2\" is not a MAC address"
        );
        assert_eq!(
            trunk("probe on"),
            "probe: \"on\" is none of auto, required, off"
        );
        assert_eq!(trunk("key secret"), "key: it is not 32 hexadecimal digits");
        assert_eq!(trunk("key none key none"), "key is named twice");
        assert_eq!(
            trunk("key-file /dev/null"),
            "key-file: /dev/null does not have 32 hexadecimal digits"
        );
        assert!(trunk("key-file /no/such/file").starts_with("/no/such/file: No such file"));
        let port = |line: &str| {
            let words = split(line);
            Words::new(&words).port_settings().unwrap_err().to_string()
        };
        assert_eq!(port("weight heavy"), "weight: \"heavy\" is not a number");
        assert_eq!(port("enable disable"), "disable is named twice");
    }

    #[test]
    fn claims() {
        let claim = |line: &str| {
            let words = split(line);
            Words::new(&words).claim().map_err(|e| e.to_string())
        };
        let want = Wish {
            trunk: "trunk0".into(),
            port: "eth1".into(),
            mark: 16,
            name: Some("metering".into()),
        };
        let got = claim("dev trunk0 mark 0x10 name metering port eth1");
        assert_eq!(got, Ok(want));
        for (line, want) in [
            ("", "the name of a trunk is missing"),
            ("trunk0 mark 7", "claim trunk0: port and a name are missing"),
            (
                "trunk0 port a",
                "claim trunk0: mark and a number are missing",
            ),
            ("trunk0 port a port b", "port is named twice"),
            ("trunk0 port a mark x", "mark: \"x\" is not a number"),
            ("trunk0 port a mark 1 b", "\"b\" is not understood"),
            (
                "trunk0 name 01234567890123456789012345678901",
                "name: more than 31 bytes",
            ),
        ] {
            assert_eq!(claim(line), Err(want.to_string()));
        }
    }

    #[test]
    fn homes_of_buckets() {
        let homes = |line: &str| {
            let words = split(line);
            Words::new(&words).homes().map_err(|e| e.to_string())
        };
        let got = homes("0-2 eth1 5 auto").unwrap();
        let eth1 = Some("eth1".to_string());
        assert_eq!(
            got.into_iter().collect::<Vec<_>>(),
            [(0, eth1.clone()), (1, eth1.clone()), (2, eth1), (5, None)]
        );
        assert_eq!(homes("0").unwrap_err(), "bucket 0: a value is missing");
        assert_eq!(homes("0-x a").unwrap_err(), "bucket: \"x\" is not a number");
        assert_eq!(homes("1 a 0-3 b").unwrap_err(), "bucket 1 is named twice");
        let wide = homes("0-4294967295 a").unwrap_err();
        assert_eq!(wide, "bucket: 0-4294967295 is no range within 0-65535");
        assert!(homes("3-1 a").is_err());
    }

    #[test]
    fn runs_of_buckets() {
        let homes = [(0, "a"), (1, "a"), (2, "b"), (4, "b")];
        let homes = homes.map(|(n, name)| (n, name.to_string())).into();
        assert_eq!(runs(&homes), [(0, 1, "a"), (2, 2, "b"), (4, 4, "b")]);
        assert_eq!((range(0, 1), range(2, 2)), ("0-1".into(), "2".into()));
    }
}
