// SPDX-License-Identifier: GPL-2.0

//! Configurations, which save prints and apply reads.
//!
//! A line has an object, its name, and its settings as words:
//!
//! ```text
//! trunk trunk0 mtu 1500 bits 5 selector dmac failback immediate far-end auto probe auto
//! port eth1 prio 1 weight 1 enable
//! port eth2 prio 2 weight auto enable
//! table 0-3 eth1 7 eth1
//! ```
//!
//! Ports and tables belong to the last trunk before them. A key is not printed: the kernel does not
//! show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use trunk_nl::uapi::Failback;
use trunk_nl::{Bucket, LinkSettings, MissingPort, Port, PortSettings, Trunk, TrunkSettings};

use crate::failure::{usage, Result};
use crate::words::{self, Words};

/// Everything that can be set of a trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrunkConfig {
    pub ifname: String,
    #[serde(flatten)]
    pub link: LinkSettings,
    #[serde(flatten)]
    pub settings: TrunkSettings,
    /// There is a key.
    pub keyed: bool,
    /// The ports, in the order in which they join.
    pub ports: Vec<PortConfig>,
    /// Homes that the user has set, by bucket.
    #[serde(serialize_with = "runs")]
    pub table: BTreeMap<u32, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PortConfig {
    pub ifname: String,
    #[serde(flatten)]
    pub settings: PortSettings,
    /// Its device is not there: it becomes a port when it appears.
    #[serde(skip)]
    pub missing: bool,
}

/// A range of buckets and its home, in JSON.
#[derive(Serialize)]
struct Run<'a> {
    first: u32,
    last: u32,
    port: &'a str,
}

fn runs<S: serde::Serializer>(
    table: &BTreeMap<u32, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        words::runs(table)
            .into_iter()
            .map(|(first, last, port)| Run { first, last, port }),
    )
}

impl TrunkConfig {
    /// Returns the configuration of a trunk. It has no values that are newer than this program.
    pub fn of(
        trunk: &Trunk,
        mtu: u32,
        ports: &[Port],
        missing: &[MissingPort],
        table: &[Bucket],
    ) -> Self {
        let mut ports: Vec<_> = ports.iter().filter(|p| p.trunk == trunk.ifindex).collect();
        ports.sort_by_key(|port| port.id);
        let name = |ifindex| {
            let port = ports.iter().find(|port| port.ifindex == ifindex)?;
            Some(port.ifname.clone())
        };
        let present = ports.iter().map(|port| PortConfig {
            ifname: port.ifname.clone(),
            settings: PortSettings {
                priority: Some(port.priority),
                weight: Some(port.weight),
                enabled: Some(port.enabled),
            },
            missing: false,
        });
        let missing = missing.iter().filter(|port| port.trunk == trunk.ifindex);
        let missing = missing.map(|port| PortConfig {
            ifname: port.ifname.clone(),
            settings: port.settings.clone(),
            missing: true,
        });
        let failback = trunk.failback.known();
        let set = table.iter().filter(|bucket| bucket.user_set);
        Self {
            ifname: trunk.ifname.clone(),
            link: LinkSettings {
                address: trunk.own_address,
                mtu: Some(mtu),
            },
            settings: TrunkSettings {
                bits: Some(trunk.bits),
                selector: trunk.selector.known(),
                role: None,
                failback,
                failback_delay: (failback == Some(Failback::Delay)).then_some(trunk.failback_delay),
                far_end: trunk.far_end.known(),
                min_links: Some(trunk.min_links),
                probe: trunk.probe.known(),
                interval: Some(trunk.interval),
                reply_timeout: Some(trunk.reply_timeout),
                misses: Some(trunk.misses),
                hits: Some(trunk.hits),
                hold_down: Some(trunk.hold_down),
                peers: trunk.peers.known(),
                probe_ethertype: Some(trunk.probe_ethertype),
                probe_address: Some(trunk.probe_address),
                auto_join: Some(trunk.auto_join.clone()),
                key: None,
            },
            keyed: trunk.keyed,
            table: set
                .filter_map(|bucket| Some((bucket.index, name(bucket.home?)?)))
                .collect(),
            ports: present.chain(missing).collect(),
        }
    }

    /// Reads the words after the name of a trunk to the end: settings, then ports with settings.
    pub fn parse(name: &str, words: &mut Words<'_>) -> Result<Self> {
        let mut config = Self {
            ifname: name.to_string(),
            link: words.link_settings()?,
            settings: words.trunk_settings()?,
            ..Self::default()
        };
        while words.skip("port") {
            let ifname = words.value("port")?.to_string();
            let settings = words.port_settings()?;
            config.ports.push(PortConfig {
                ifname,
                settings,
                missing: false,
            });
        }
        words.end()?;
        unique(config.ports.iter().map(|port| port.ifname.as_str()))?;
        Ok(config)
    }
}

/// Returns lines for [`parse`].
pub fn format(trunks: &[TrunkConfig]) -> String {
    let mut text = String::new();
    for trunk in trunks {
        line(
            &mut text,
            "trunk",
            &trunk.ifname,
            &[
                words::of_link(&trunk.link),
                words::of_trunk(&trunk.settings),
            ]
            .join(" "),
        );
        if trunk.keyed {
            text.push_str("# its key cannot be read: add key-file and a path to the line above\n");
        }
        for port in &trunk.ports {
            line(
                &mut text,
                "port",
                &port.ifname,
                &words::of_port(&port.settings),
            );
        }
        for (first, last, port) in words::runs(&trunk.table) {
            let _ = writeln!(text, "table {} {port}", words::range(first, last));
        }
    }
    text
}

fn line(text: &mut String, object: &str, name: &str, words: &str) {
    let words = words.trim();
    let blank = if words.is_empty() { "" } else { " " };
    let _ = writeln!(text, "{object} {name}{blank}{words}");
}

/// Reads lines, without comments after a #. Errors begin with `file` and the line's number.
pub fn parse(file: &str, text: &str) -> Result<Vec<TrunkConfig>> {
    let mut trunks = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<_> = split(line);
        add(&mut trunks, &mut Words::new(&words))
            .map_err(|error| usage(format!("{file}:{}: {error}", number + 1)))?;
    }
    are_different(&trunks).map_err(|error| usage(format!("{file}: {error}")))?;
    Ok(trunks)
}

/// Checks that these trunks and their ports have different names.
pub fn are_different(trunks: &[TrunkConfig]) -> Result<()> {
    let names = |trunk: &'_ TrunkConfig| -> Vec<String> {
        let ports = trunk.ports.iter().map(|port| port.ifname.clone());
        ports.chain([trunk.ifname.clone()]).collect()
    };
    let all: Vec<_> = trunks.iter().flat_map(names).collect();
    unique(all.iter().map(String::as_str))
}

/// Returns the words of a line, without its comment.
pub fn split(line: &str) -> Vec<String> {
    let line = line.split('#').next().unwrap_or_default();
    line.split_whitespace().map(str::to_string).collect()
}

fn add(trunks: &mut Vec<TrunkConfig>, words: &mut Words<'_>) -> Result<()> {
    let Some(object) = words.next() else {
        return Ok(());
    };
    if object == "trunk" {
        let ifname = words.value(object)?.to_string();
        trunks.push(TrunkConfig {
            ifname,
            link: words.link_settings()?,
            settings: words.trunk_settings()?,
            ..Default::default()
        });
        return words.end();
    }
    let last = trunks.last_mut();
    let trunk = || usage(format!("{object}: no line before it names a trunk"));
    match object {
        "port" => {
            let trunk = last.ok_or_else(trunk)?;
            let ifname = words.value(object)?.to_string();
            let settings = words.port_settings()?;
            trunk.ports.push(PortConfig {
                ifname,
                settings,
                missing: false,
            });
            words.end()
        }
        "table" => {
            let trunk = last.ok_or_else(trunk)?;
            for (bucket, home) in words.homes()? {
                let home = home.ok_or_else(|| {
                    usage("auto is not set here: a bucket without a line is automatic")
                })?;
                if trunk.table.insert(bucket, home).is_some() {
                    return Err(usage(format!("bucket {bucket} is named twice")));
                }
            }
            Ok(())
        }
        _ => Err(usage(format!("\"{object}\" is none of trunk, port, table"))),
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(usage(format!("{name} is named twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const TEXT: &str = "\
trunk trunk0 mtu 1500 bits 3 selector dmac failback delay 2000 far-end auto min-links 0 \
probe auto interval 100ms reply-timeout 10ms misses 3 hits 3 hold-down 60s \
peers one probe-ethertype 0x88b5 probe-address 01:80:c2:00:00:0e auto-join none
port eth1 prio 1 weight auto enable
port eth2 prio 1 weight auto disable
port eth3 prio 2 weight 1 enable
table 4-5 eth1
";

    #[test]
    fn what_is_printed_is_read() {
        let config = fixtures::config();
        assert_eq!(format(&[config.clone()]), TEXT);
        assert_eq!(parse("f", TEXT).unwrap(), [config]);
    }

    #[test]
    fn a_key_is_told_of_but_not_printed() {
        let config = TrunkConfig {
            keyed: true,
            ..fixtures::config()
        };
        let text = format(&[config]);
        assert_eq!(text.lines().count(), TEXT.lines().count() + 1);
        assert!(text.lines().nth(1).unwrap().starts_with("# its key"));
        assert_eq!(parse("f", &text).unwrap(), [fixtures::config()]);
        let text = "trunk t key 000102030405060708090a0b0c0d0e0f\n";
        let read = parse("f", text).unwrap();
        assert!(read[0].settings.key.is_some());
        assert_eq!(format(&read), "trunk t\n");
    }

    #[test]
    fn json() {
        assert_eq!(
            serde_json::to_string(&fixtures::config()).unwrap(),
            concat!(
                r#"{"ifname":"trunk0","mtu":1500,"bits":3,"selector":"dmac","failback":"delay","#,
                r#""failback_delay":2000,"far_end":"auto","min_links":0,"probe":"auto","interval":100000,"#,
                r#""reply_timeout":10000,"misses":3,"hits":3,"hold_down":60000,"peers":"one","#,
                r#""probe_ethertype":34997,"probe_address":"01:80:c2:00:00:0e","#,
                r#""auto_join":null,"keyed":false,"#,
                r#""ports":["#,
                r#"{"ifname":"eth1","priority":1,"weight":0,"enabled":true},"#,
                r#"{"ifname":"eth2","priority":1,"weight":0,"enabled":false},"#,
                r#"{"ifname":"eth3","priority":2,"weight":1,"enabled":true}],"#,
                r#""table":[{"first":4,"last":5,"port":"eth1"}]}"#
            )
        );
    }

    #[test]
    fn comments_blanks_and_what_is_left_out() {
        let text = "# all\n\n  trunk t0 # the first\nport eth1\ntrunk t1 role switch\n";
        let trunks = parse("f", text).unwrap();
        assert_eq!(
            format(&trunks),
            "trunk t0\nport eth1\ntrunk t1 role switch\n"
        );
        assert_eq!(parse("f", "").unwrap(), []);
    }

    #[test]
    fn errors_tell_the_line() {
        let error = |text: &str| parse("f", text).unwrap_err().to_string();
        assert_eq!(
            error("\nport eth1"),
            "f:2: port: no line before it names a trunk"
        );
        assert_eq!(error("trunk"), "f:1: trunk: a value is missing");
        assert_eq!(
            error("trunk t0\nbond b"),
            "f:2: \"bond\" is none of trunk, port, table"
        );
        assert_eq!(error("trunk t0 bits"), "f:1: bits: a value is missing");
        assert_eq!(error("trunk t0 up"), "f:1: \"up\" is not understood");
        assert_eq!(
            error("trunk t0\nport a\ntrunk t1\nport a"),
            "f: a is named twice"
        );
        assert_eq!(
            error("trunk t0\ntable 0 a\ntable 0 b"),
            "f:3: bucket 0 is named twice"
        );
        assert_eq!(
            error("trunk t0\ntable 0 auto"),
            "f:2: auto is not set here: a bucket without a line is automatic"
        );
    }
}
