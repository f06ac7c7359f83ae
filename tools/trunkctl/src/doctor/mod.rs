// SPDX-License-Identifier: GPL-2.0

//! Finds what is wrong or unwise, and gives advice.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use trunk_nl::uapi::{Selector, State};
use trunk_nl::{Address, Bucket, Clock, Error, Event, Link, Port, Route, Speeds, Statistics};

use crate::failure::Result;
use crate::session::Session;
use crate::view::{act, Group};

mod links;
pub mod ports;

/// Only the distribution of so many frames means something.
const FRAMES: u64 = 1000;

/// With a bucket that carries this part of all frames, in percent, the others are useless.
const DOMINANT: u64 = 90;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be intended.
    Note,
    /// It should be corrected.
    Warning,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// Name for programs.
    pub check: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    pub text: String,
    pub advice: String,
}

/// All data about a trunk.
#[derive(Debug)]
pub struct Patient {
    pub group: Group,
    /// The devices that are its ports.
    pub links: Vec<Link>,
    /// Mbit/s by interface index.
    pub speeds: BTreeMap<u32, u32>,
    /// IP addresses of all devices, and routes.
    pub addresses: Vec<Address>,
    pub routes: Vec<Route>,
    pub table: Vec<Bucket>,
    pub statistics: Vec<Statistics>,
    pub history: Vec<Event>,
    pub clock: Clock,
}

/// The findings about a trunk.
struct Findings<'a> {
    trunk: &'a str,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn note(&mut self, check: &'static str, port: Option<&str>, text: String, advice: String) {
        self.add(Severity::Note, check, port, text, advice);
    }

    fn warn(&mut self, check: &'static str, port: Option<&str>, text: String, advice: String) {
        self.add(Severity::Warning, check, port, text, advice);
    }

    fn add(
        &mut self,
        severity: Severity,
        check: &'static str,
        port: Option<&str>,
        text: String,
        advice: String,
    ) {
        self.all.push(Finding {
            severity,
            check,
            trunk: Some(self.trunk.to_string()),
            port: port.map(str::to_string),
            text,
            advice,
        });
    }
}

/// Returns the finding that the module is not loaded.
fn without_module() -> Finding {
    Finding {
        severity: Severity::Warning,
        check: "module",
        trunk: None,
        port: None,
        text: "the trunk module is not loaded".to_string(),
        advice: "modprobe trunk".to_string(),
    }
}

/// Returns the finding that there is no trunk.
fn without_trunk() -> Finding {
    Finding {
        severity: Severity::Warning,
        check: "no-trunk",
        trunk: None,
        port: None,
        text: "there is no trunk".to_string(),
        advice: "trunkctl add trunk0 port NAME port NAME".to_string(),
    }
}

/// Examines a trunk, or all.
pub fn examine(session: &mut Session, trunk: Option<&str>) -> Result<Vec<Finding>> {
    let groups = match session.groups(trunk) {
        Err(Error::FamilyNotFound(_)) => return Ok(vec![without_module()]),
        groups => groups?,
    };
    if groups.is_empty() {
        return Ok(vec![without_trunk()]);
    }
    let all = session.links.list()?;
    // A kernel without ethtool netlink has no speeds.
    let mut speeds = Speeds::open(session.netns()).ok();
    let addresses = session.links.addresses()?;
    let routes = session.links.routes()?;
    let mut findings = Vec::new();
    for group in groups {
        let of_group = |link: &&Link| link.master == Some(group.trunk.ifindex);
        let links: Vec<_> = all.iter().filter(of_group).cloned().collect();
        let mut known = BTreeMap::new();
        for link in &links {
            let speed = speeds
                .as_mut()
                .and_then(|speeds| speeds.get(link.ifindex).ok());
            known.extend(speed.flatten().map(|speed| (link.ifindex, speed)));
        }
        let trunk = group.trunk.ifindex;
        let connection = session.connection()?;
        let table = connection.table_get(trunk)?;
        let statistics = connection.stats_dump(Some(trunk))?;
        let history = connection.history_get(trunk)?;
        findings.extend(diagnose(&Patient {
            group,
            links,
            speeds: known,
            addresses: addresses.clone(),
            routes: routes.clone(),
            table,
            statistics,
            history,
            clock: Clock::now(),
        }));
    }
    Ok(findings)
}

/// Returns the findings about a trunk.
pub fn diagnose(patient: &Patient) -> Vec<Finding> {
    let group = &patient.group;
    let name = &group.trunk.ifname;
    let mut findings = Findings {
        trunk: name,
        all: Vec::new(),
    };
    if !group.link.up {
        findings.warn(
            "trunk-down",
            None,
            "the trunk is down".to_string(),
            format!("ip link set {name} up"),
        );
    }
    too_few(group, &mut findings);
    reserve(group, &mut findings);
    for port in &group.missing {
        findings.warn(
            "missing",
            Some(&port.ifname),
            "there is no such device; it joins when it appears".to_string(),
            format!(
                "plug it in or load its driver, or trunkctl port del {}",
                port.ifname
            ),
        );
    }
    links::examine(patient, &mut findings);
    for port in group.ports.iter().filter(|port| port.held_back) {
        findings.note(
            "held-back",
            Some(&port.ifname),
            format!(
                "it is act again, and waits for its buckets: failback {}",
                group.trunk.failback
            ),
            format!("trunkctl failback {name} port {}", port.ifname),
        );
    }
    for link in patient
        .links
        .iter()
        .filter(|link| link.mtu < group.link.mtu)
    {
        findings.warn(
            "mtu",
            Some(&link.ifname),
            format!(
                "its MTU is {}, that of the trunk {}",
                link.mtu, group.link.mtu
            ),
            format!("ip link set {} mtu {}", link.ifname, group.link.mtu),
        );
    }
    ports::left(group, &patient.addresses, &patient.routes, &mut findings);
    one_bucket(patient, &mut findings);
    shares(patient, &mut findings);
    ports::mixed(group, &patient.speeds, &mut findings);
    findings.all
}

/// Returns whether the trunk has ports, but fewer that are act than it needs for its carrier.
fn is_below(group: &Group) -> bool {
    !group.ports.is_empty() && act(&group.ports) < group.trunk.min_links as usize
}

/// Finds a trunk whose carrier is off for its min-links.
fn too_few(group: &Group, findings: &mut Findings<'_>) {
    if !is_below(group) {
        return;
    }
    let (name, least, ports) = (
        &group.trunk.ifname,
        group.trunk.min_links,
        group.ports.len(),
    );
    let advice = match ports < least as usize {
        true => format!("trunkctl port add NAME dev {name}, or trunkctl set {name} min-links N"),
        false => format!(
            "repair the ports that are not act, or trunkctl set {name} min-links 0 to use what \
             there is"
        ),
    };
    findings.warn(
        "min-links",
        None,
        format!(
            "it has no carrier: {} of {ports} ports are act, and min-links is {least}",
            act(&group.ports)
        ),
        advice,
    );
}

/// Finds a trunk without a port in reserve.
fn reserve(group: &Group, findings: &mut Findings<'_>) {
    let name = &group.trunk.ifname;
    let count = act(&group.ports);
    if group.ports.is_empty() {
        findings.warn(
            "no-ports",
            None,
            "it has no ports".to_string(),
            format!("trunkctl port add NAME dev {name}"),
        );
    } else if count < 2 && !is_below(group) {
        let used = group.ports.iter().any(|port| port.buckets > 0);
        let text = match count {
            0 if used => "no port is act: ports with a carrier are used nevertheless".to_string(),
            0 => "no port is act: nothing can be sent".to_string(),
            _ => "only one port is act: the next failure ends traffic".to_string(),
        };
        let advice = match group.ports.len() {
            1 => format!("trunkctl port add NAME dev {name}"),
            _ => "repair the ports that are not act".to_string(),
        };
        findings.warn("redundancy", None, text, advice);
    }
    let (working, spares): (Vec<_>, Vec<_>) =
        group.ports.iter().partition(|port| port.priority == 1);
    if group.ports.len() > 1 && spares.is_empty() {
        findings.note(
            "no-spare",
            None,
            "it has no spare: the other ports share the buckets of a port that fails".to_string(),
            "trunkctl port set NAME prio 2".to_string(),
        );
    }
    let free = |port: &&Port| port.state == State::Act && !port.in_use;
    if count > 1 && !working.is_empty() && !spares.is_empty() && !spares.iter().any(free) {
        findings.warn(
            "no-free-spare",
            None,
            "no spare is free: the other ports share the buckets of the next port that fails"
                .to_string(),
            format!("repair the ports that failed, or trunkctl port add NAME dev {name} prio 2"),
        );
    }
}

/// Finds a bucket that carries nearly everything.
fn one_bucket(patient: &Patient, findings: &mut Findings<'_>) {
    let Patient { group, table, .. } = patient;
    let frames: u64 = table.iter().map(|bucket| bucket.tx_packets).sum();
    let busiest = table.iter().max_by_key(|bucket| bucket.tx_packets);
    if let Some(bucket) = busiest.filter(|_| frames >= FRAMES && table.len() > 1) {
        let percent = u128::from(bucket.tx_packets) * 100 / u128::from(frames);
        if percent >= DOMINANT.into() && group.ports.len() > 1 {
            let advice = match group.trunk.selector == Selector::Flow {
                true => "nearly all frames are of one flow: no table can spread it".to_string(),
                false => format!("trunkctl set {} selector flow", group.trunk.ifname),
            };
            findings.warn(
                "one-bucket",
                None,
                format!("bucket {} carries {percent} % of all frames", bucket.index),
                advice,
            );
        }
    }
}

/// Finds shares of working ports that do not fit their speeds.
fn shares(patient: &Patient, findings: &mut Findings<'_>) {
    let Patient { group, speeds, .. } = patient;
    let working = group.ports.iter().filter(|port| port.priority == 1);
    let rated: Vec<(&Port, u32)> = working
        .filter_map(|port| Some((port, *speeds.get(&port.ifindex)?)))
        .collect();
    for pair in rated.windows(2) {
        let [(a, a_speed), (b, b_speed)] = pair else {
            continue;
        };
        let fits =
            u64::from(a.share) * u64::from(*b_speed) == u64::from(b.share) * u64::from(*a_speed);
        if !fits {
            let text = format!(
                "its share to that of {} is {} to {}, its speed {} to {} Mbit/s",
                a.ifname, b.share, a.share, b_speed, a_speed
            );
            // If both are by link speed, there is nothing to correct.
            let Some(set) = [a, b].into_iter().find(|port| port.weight != 0) else {
                continue;
            };
            let advice = format!("trunkctl port set {} weight auto", set.ifname);
            findings.warn("weights", Some(&b.ifname), text, advice);
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in [&self.trunk, &self.port].into_iter().flatten() {
            write!(f, "{name}: ")?;
        }
        write!(f, "{}; {}", self.text, self.advice)
    }
}

/// Returns a line for each finding.
pub fn text(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Note => "note: ",
            Severity::Warning => "",
        };
        format!("{severity}{finding}\n")
    };
    findings.iter().map(line).collect()
}

/// Returns whether there is a warning.
pub fn is_ill(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Warning)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::fixtures;
    use crate::view::json;
    use trunk_nl::uapi::Reason;
    use trunk_nl::{Named, Prefix};

    /// Returns a trunk without findings.
    pub fn healthy() -> Patient {
        let mut group = fixtures::group();
        let ports = group.ports.iter_mut();
        ports.for_each(|port| {
            port.state = Named::Known(State::Act);
            port.reason = Named::Known(Reason::None);
            port.share = 1;
            (port.stands_in_for, port.stand_in) = (None, None);
            port.in_use = port.priority == 1;
        });
        let link = |port: &Port| Link {
            ifindex: port.ifindex,
            ifname: port.ifname.clone(),
            mtu: 1500,
            ..Link::default()
        };
        Patient {
            links: group.ports.iter().map(link).collect(),
            speeds: [(4, 1000), (5, 1000), (6, 100)].into(),
            addresses: Vec::new(),
            routes: Vec::new(),
            table: fixtures::table(),
            statistics: fixtures::statistics(),
            history: vec![fixtures::failover()],
            clock: fixtures::clock(),
            group,
        }
    }

    pub fn said(patient: &Patient) -> String {
        text(&diagnose(patient))
    }

    #[test]
    fn a_healthy_trunk() {
        assert_eq!(said(&healthy()), "");
        assert!(!is_ill(&[]));
    }

    #[test]
    fn nothing_to_examine() {
        for (finding, line, object) in [
            (
                without_module(),
                "the trunk module is not loaded; modprobe trunk\n",
                concat!(
                    r#"{"severity":"warning","check":"module","#,
                    r#""text":"the trunk module is not loaded","advice":"modprobe trunk"}"#
                ),
            ),
            (
                without_trunk(),
                "there is no trunk; trunkctl add trunk0 port NAME port NAME\n",
                concat!(
                    r#"{"severity":"warning","check":"no-trunk","text":"there is no trunk","#,
                    r#""advice":"trunkctl add trunk0 port NAME port NAME"}"#
                ),
            ),
        ] {
            let findings = [finding];
            assert_eq!(text(&findings), line);
            assert_eq!(json(&findings, false), format!("[{object}]\n"));
            assert!(is_ill(&findings));
        }
    }

    /// Findings of both severities, of the trunk and of ports.
    #[test]
    fn as_json() {
        let mut patient = healthy();
        patient.group.link.up = false;
        patient.links[0].mtu = 1400;
        patient.group.ports[1].held_back = true;
        assert_eq!(
            json(&diagnose(&patient), false),
            concat!(
                r#"[{"severity":"warning","check":"trunk-down","trunk":"trunk0","#,
                r#""text":"the trunk is down","advice":"ip link set trunk0 up"},"#,
                r#"{"severity":"note","check":"held-back","trunk":"trunk0","port":"eth2","#,
                r#""text":"it is act again, and waits for its buckets: failback delay","#,
                r#""advice":"trunkctl failback trunk0 port eth2"},"#,
                r#"{"severity":"warning","check":"mtu","trunk":"trunk0","port":"eth1","#,
                r#""text":"its MTU is 1400, that of the trunk 1500","#,
                r#""advice":"ip link set eth1 mtu 1500"}]"#,
                "\n"
            )
        );
        assert_eq!(json(&diagnose(&healthy()), false), "[]\n");
    }

    #[test]
    fn the_trunk_itself() {
        let mut patient = healthy();
        patient.group.link.up = false;
        assert_eq!(
            said(&patient),
            "trunk0: the trunk is down; ip link set trunk0 up\n"
        );

        let mut patient = healthy();
        patient.group.ports.clear();
        let want = "trunk0: it has no ports; trunkctl port add NAME dev trunk0\n";
        assert_eq!(said(&patient), want);
    }

    #[test]
    fn addresses_and_routes_that_were_left_on_a_port() {
        let mut patient = healthy();
        let prefix = |address: &str, length| Prefix {
            address: address.parse().unwrap(),
            length,
        };
        let address = |ifindex, prefix| Address { ifindex, prefix };
        patient.addresses = vec![
            address(3, prefix("192.0.2.9", 24)), // the trunk's own
            address(4, prefix("192.0.2.1", 24)),
            address(4, prefix("2001:db8::1", 64)),
        ];
        let route = |ifindex, destination| Route {
            ifindex,
            destination,
        };
        patient.routes = vec![
            route(3, None),
            route(5, None),
            route(5, Some(prefix("198.51.100.0", 24))),
        ];
        assert_eq!(
            said(&patient),
            "trunk0: eth1: it still has 192.0.2.1/24, 2001:db8::1/64: hosts of that network are sent to \
             by it, and answer to the trunk; ip address flush dev eth1, and give the trunk the address\n\
             trunk0: eth2: a route still leads by it: default, 198.51.100.0/24; ip route flush dev \
             eth2, and set the route by the trunk\n"
        );
    }

    #[test]
    fn weights_of_which_some_are_auto() {
        let mut patient = healthy();
        patient.speeds.clear();
        patient.group.ports[1].weight = 3;
        patient.group.ports[0].share = 10;
        assert_eq!(
            said(&patient),
            "trunk0: eth1: its weight is auto, which counts as 10 by its speed, that of eth2 is 3; use \
             auto for all working ports, or for none: trunkctl port set eth2 weight auto\n"
        );
    }

    #[test]
    fn a_port_that_is_not_there() {
        let mut patient = healthy();
        patient.group.missing = vec![trunk_nl::MissingPort {
            ifname: "eth9".into(),
            ..Default::default()
        }];
        assert_eq!(
            said(&patient),
            "trunk0: eth9: there is no such device; it joins when it appears; plug it in or load its \
             driver, or trunkctl port del eth9\n"
        );
    }

    #[test]
    fn a_spare_is_missed_but_not_demanded() {
        let mut patient = healthy();
        patient.group.ports[2].priority = 1;
        patient.group.ports[2].weight = 0;
        patient.group.ports[2].peer = None;
        patient.speeds.clear();
        let findings = diagnose(&patient);
        assert_eq!(findings[0].check, "no-spare");
        assert_eq!(findings.len(), 1);
        assert!(!is_ill(&findings));
    }

    #[test]
    fn ports_that_are_not_act() {
        let mut patient = healthy();
        let reasons = [Reason::NoCarrier, Reason::Disabled, Reason::AdminDown];
        for (port, reason) in patient.group.ports.iter_mut().zip(reasons) {
            port.state = Named::Known(State::Sby);
            port.reason = Named::Known(reason);
            port.buckets = 0;
        }
        assert_eq!(
            said(&patient),
            "\
trunk0: no port is act: nothing can be sent; repair the ports that are not act
trunk0: eth1: it has no carrier; check the cable and the port of the switch
trunk0: eth2: it was taken out of use; trunkctl port set eth2 enable
trunk0: eth3: it is down; ip link set eth3 up
"
        );
        assert!(is_ill(&diagnose(&patient)));
        patient.group.ports.truncate(1);
        patient.group.ports[0].state = Named::Known(State::Act);
        let want = "trunk0: only one port is act: the next failure ends traffic; \
                    trunkctl port add NAME dev trunk0\n";
        assert_eq!(said(&patient), want);
    }

    #[test]
    fn fewer_ports_than_the_carrier_needs() {
        let mut patient = healthy();
        for least in 0..=3 {
            patient.group.trunk.min_links = least;
            assert_eq!(said(&patient), "");
        }
        patient.group.trunk.min_links = 4;
        assert_eq!(
            said(&patient),
            "trunk0: it has no carrier: 3 of 3 ports are act, and min-links is 4; trunkctl port \
             add NAME dev trunk0, or trunkctl set trunk0 min-links N\n"
        );
        patient.group.trunk.min_links = 3;
        patient.group.ports[2].state = Named::Known(State::Sby);
        patient.group.ports[2].reason = Named::Known(Reason::Disabled);
        let want = "trunk0: it has no carrier: 2 of 3 ports are act, and min-links is 3; repair \
                    the ports that are not act, or trunkctl set trunk0 min-links 0 to use what \
                    there is\n";
        assert!(said(&patient).starts_with(want), "{}", said(&patient));
        // Without carrier, nothing is used, and there is nothing to lose.
        patient.group.ports[1].state = Named::Known(State::Sby);
        patient.group.ports[1].reason = Named::Known(Reason::Disabled);
        assert!(!said(&patient).contains("only one port"));
    }

    #[test]
    fn no_port_is_act_but_some_have_a_carrier() {
        let mut patient = healthy();
        patient.group.ports.truncate(1);
        patient.group.ports[0].state = Named::Known(State::Sby);
        patient.group.ports[0].reason = Named::Known(Reason::HeldDown);
        let said = said(&patient);
        assert!(
            said.starts_with("trunk0: no port is act: ports with a carrier are used nevertheless;"),
            "{said}"
        );
    }

    #[test]
    fn no_spare_is_free() {
        let want = "trunk0: no spare is free: the other ports share the buckets of the next port \
                    that fails; repair the ports that failed, or trunkctl port add NAME dev trunk0 prio 2\n";
        let mut patient = healthy();
        patient.group.ports[2].in_use = true;
        assert_eq!(said(&patient), want);
        patient.group.ports[2].in_use = false;
        patient.group.ports[2].state = Named::Known(State::Sby);
        patient.group.ports[2].reason = Named::Known(Reason::Disabled);
        assert!(said(&patient).starts_with(want));
        patient.group.ports[2].state = Named::Known(State::Act);
        assert_eq!(said(&patient), "");
    }

    #[test]
    fn a_bucket_that_carries_nearly_all() {
        let mut patient = healthy();
        patient.table[2].tx_packets = 900_000;
        let want =
            "trunk0: bucket 2 carries 97 % of all frames; trunkctl set trunk0 selector flow\n";
        assert_eq!(said(&patient), want);
        patient.group.trunk.selector = Named::Known(Selector::Flow);
        assert!(said(&patient).ends_with("no table can spread it\n"));
        for bucket in &mut patient.table {
            bucket.tx_packets = 0;
        }
        patient.table[2].tx_packets = 999;
        assert_eq!(said(&patient), "");
    }

    #[test]
    fn shares_that_do_not_fit_speeds() {
        let mut patient = healthy();
        patient.speeds.insert(5, 10_000);
        assert_eq!(said(&patient), "");
        patient.group.ports[0].weight = 1;
        let want =
            "trunk0: eth2: its share to that of eth1 is 1 to 1, its speed 10000 to 1000 Mbit/s; \
                    trunkctl port set eth1 weight auto\n";
        assert_eq!(said(&patient), want);
        patient.group.ports[1].share = 10;
        assert_eq!(said(&patient), "");
    }

    #[test]
    fn mtu_and_failback() {
        let mut patient = healthy();
        patient.links[0].mtu = 1400;
        patient.group.ports[1].held_back = true;
        assert_eq!(
            said(&patient),
            "\
note: trunk0: eth2: it is act again, and waits for its buckets: failback delay; trunkctl failback trunk0 port eth2
trunk0: eth1: its MTU is 1400, that of the trunk 1500; ip link set eth1 mtu 1500
"
        );
    }
}
