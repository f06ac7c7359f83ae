// SPDX-License-Identifier: GPL-2.0

//! Counters in the text format of Prometheus, for the textfile collector of its node exporter.
//!
//! `node_trunk_ports` and `node_trunk_active` correspond to `node_bonding_slaves` and
//! `node_bonding_active` of a bond.

use std::fmt::{Display, Write as _};

use trunk_nl::uapi::State;
use trunk_nl::{Counters, Port, Statistics};

use crate::view::{act, redundancy_level, Group};

/// Returns all metrics, each with its help and type.
pub fn text(groups: &[Group], statistics: &[Statistics]) -> String {
    let mut text = String::new();
    let trunk = |group: &Group| format!("{{master=\"{}\"}}", escaped(&group.trunk.ifname));
    let mut per_trunk = |name: &str, help: &str, value: &dyn Fn(&Group) -> u64| {
        let samples = groups.iter().map(|group| (trunk(group), value(group)));
        metric(&mut text, name, help, "gauge", samples);
    };
    per_trunk("ports", "Number of ports of the trunk.", &|group| {
        group.ports.len() as u64
    });
    per_trunk(
        "active",
        "Number of ports whose link is usable.",
        &|group| act(&group.ports) as u64,
    );
    per_trunk(
        "redundancy",
        "Redundancy: 0 none, 1 degraded, 2 full.",
        &|group| redundancy_level(group.trunk.redundancy).into(),
    );
    let mut per_port = |name: &str, help: &str, kind, value: &dyn Fn(&Port) -> Option<String>| {
        let ports = groups.iter().flat_map(|group| &group.ports);
        let samples = ports.filter_map(|port| {
            let labels = labels(&port.trunk_name, Some(&port.ifname));
            Some((labels, value(port)?))
        });
        metric(&mut text, name, help, kind, samples);
    };
    let number = |value: u64| Some(value.to_string());
    per_port(
        "port_active",
        "Whether the link of the port is usable.",
        "gauge",
        &|port| number((port.state == State::Act).into()),
    );
    per_port(
        "port_in_use",
        "Whether the port serves buckets or a claim.",
        "gauge",
        &|port| number(port.in_use.into()),
    );
    per_port(
        "port_priority",
        "1 is a working port, 2 and more a spare.",
        "gauge",
        &|port| number(port.priority.into()),
    );
    per_port(
        "port_buckets",
        "Number of buckets that the port carries.",
        "gauge",
        &|port| number(port.buckets.into()),
    );
    per_port(
        "port_round_trip_seconds",
        "Average round trip of probes.",
        "gauge",
        &|port| port.round_trip_avg.map(seconds),
    );
    per_port(
        "port_rounds_total",
        "Rounds of probes.",
        "counter",
        &|port| number(port.rounds),
    );
    per_port(
        "port_rounds_missed_total",
        "Rounds of probes without a reply in time.",
        "counter",
        &|port| number(port.rounds_missed),
    );
    counters(&mut text, statistics, false);
    counters(&mut text, statistics, true);
    text
}

/// Appends the counters of trunks, or those of ports.
fn counters(text: &mut String, statistics: &[Statistics], of_ports: bool) {
    let devices: Vec<_> = statistics
        .iter()
        .filter(|s| s.port.is_some() == of_ports)
        .collect();
    let Some(first) = devices.first() else {
        return;
    };
    let prefix = if of_ports { "port_" } else { "" };
    for (name, _) in first.counters.iter() {
        let value = |counters: &Counters| counters.iter().find(|(other, _)| *other == name);
        let samples = devices.iter().filter_map(|device| {
            let labels = labels(&device.trunk_name, device.port_name.as_deref());
            Some((labels, value(&device.counters)?.1))
        });
        let help = format!(
            "Counter {} of the {}.",
            name.replace('_', "-"),
            match of_ports {
                true => "port",
                false => "trunk",
            }
        );
        // The name for a port must differ from that of the sum for the trunk.
        let name = match (name.strip_prefix("port_"), of_ports) {
            (Some(rest), false) => format!("ports_{rest}_total"),
            (Some(rest), true) => format!("port_{rest}_total"),
            (None, _) => format!("{prefix}{name}_total"),
        };
        metric(text, &name, &help, "counter", samples);
    }
}

fn labels(trunk: &str, port: Option<&str>) -> String {
    let port = port.map(|port| format!(",port=\"{}\"", escaped(port)));
    format!(
        "{{master=\"{}\"{}}}",
        escaped(trunk),
        port.unwrap_or_default()
    )
}

fn metric(
    text: &mut String,
    name: &str,
    help: &str,
    kind: &str,
    samples: impl Iterator<Item = (String, impl Display)>,
) {
    let name = format!("node_trunk_{name}");
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

fn seconds(nanoseconds: u64) -> String {
    let (whole, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    format!("{whole}.{rest:09}")
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use std::collections::BTreeSet;

    #[test]
    fn metrics() {
        let text = text(&[fixtures::group()], &fixtures::statistics());
        fixtures::golden("stats.prom", &text);
    }

    /// Tests that no metric comes twice: a collector refuses such a file.
    #[test]
    fn each_metric_is_told_once() {
        let text = text(&[fixtures::group()], &fixtures::statistics());
        let types: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .collect();
        let different: BTreeSet<_> = types.iter().collect();
        assert_eq!(types.len(), different.len(), "{types:#?}");
    }

    #[test]
    fn names_of_devices_are_escaped() {
        assert_eq!(labels("a\"b", Some("c\\")), r#"{master="a\"b",port="c\\"}"#);
    }
}
