// SPDX-License-Identifier: GPL-2.0

//! The output as text.

use std::fmt::Write as _;

use trunk_nl::uapi::{EventKind, Failback, Reason, Redundancy, State};
use trunk_nl::{exact, Counters, Named, Port, Statistics, Trunk};

use crate::time;
use crate::view::{
    ClaimView, EventView, Group, PeerView, PortView, StatisticsView, TableView, TrunkView,
};
use crate::words;

/// The format of text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub color: bool,
    pub details: bool,
    /// 1: counters too; 2: also those that are 0.
    pub statistics: u8,
    pub brief: bool,
    pub oneline: bool,
    pub timestamp: bool,
    pub human: bool,
}

/// SGR parameters.
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const BOLD: &str = "1";

/// Colours of ports in the map of a table. More ports than these share colours.
const PORTS: [&str; 12] = [
    "36", "33", "32", "35", "34", "31", "96", "93", "92", "95", "94", "91",
];

/// Letters of ports in the map of a table: as many as a trunk may have.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%";

/// Buckets in a row of the map, and in a group within it.
const ROW: usize = 32;
const CLUSTER: usize = 8;

impl Look {
    /// The format without colour and options.
    #[cfg(test)]
    pub const PLAIN: Self = Self {
        color: false,
        details: false,
        statistics: 0,
        brief: false,
        oneline: false,
        timestamp: false,
        human: false,
    };

    fn paint(&self, sgr: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{sgr}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }

    /// Returns a number, in the format's units.
    fn number(&self, value: u64) -> String {
        match self.human {
            true => human(value),
            false => value.to_string(),
        }
    }

    fn state(&self, state: Named<State>) -> String {
        let sgr = if state == State::Act { GREEN } else { RED };
        self.paint(sgr, &state.to_string())
    }

    fn redundancy(&self, redundancy: Named<Redundancy>) -> String {
        let sgr = match redundancy.known() {
            Some(Redundancy::Full) => GREEN,
            Some(Redundancy::Degraded) => YELLOW,
            _ => RED,
        };
        self.paint(sgr, &redundancy.to_string())
    }

    /// Returns what joins the lines of one object.
    fn joint(&self) -> &'static str {
        match self.oneline {
            true => "\\   ",
            false => "\n    ",
        }
    }
}

/// Returns a number with three digits and a unit.
pub fn human(value: u64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut unit = 0;
    let mut scale = 1u64;
    while value / scale >= 1000 && unit + 1 < UNITS.len() {
        scale *= 1000;
        unit += 1;
    }
    let whole = value / scale;
    match whole {
        0..10 if unit > 0 => format!("{whole}.{}{}", value % scale * 10 / scale, UNITS[unit]),
        _ => format!("{whole}{}", UNITS[unit]),
    }
}

/// Returns trunks, one after the other.
pub fn trunks(groups: &[Group], statistics: &[Statistics], look: &Look) -> String {
    let mut text = String::new();
    for group in groups {
        let view = TrunkView::new(group, statistics);
        let trunk = view.trunk;
        if look.brief {
            let name = pad(&trunk.ifname, 16);
            let redundancy = look.redundancy(trunk.redundancy);
            let _ = writeln!(text, "{name} {redundancy} {}/{}", view.act, view.ports);
            continue;
        }
        let _ = write!(
            text,
            "{}: {}: {} redundancy {} ports {} act {} far-end-is {} far-end-reason {}",
            trunk.ifindex,
            look.paint(BOLD, &trunk.ifname),
            settings(trunk, look.details),
            look.redundancy(trunk.redundancy),
            view.ports,
            view.act,
            trunk.far_end_is,
            trunk.far_end_reason
        );
        if !view.missing.is_empty() {
            let _ = write!(text, " missing {}", view.missing.join(","));
        }
        if look.details {
            let _ = write!(
                text,
                "{}{} {} mtu {} address {} buckets {} system {}",
                look.joint(),
                if view.up { "up" } else { "down" },
                if view.carrier {
                    "carrier"
                } else {
                    "no-carrier"
                },
                view.mtu,
                view.address,
                trunk_nl::buckets(trunk.bits),
                trunk.system
            );
        }
        if let Some(counters) = view.statistics {
            counters_of(&mut text, counters, look);
        }
        text.push('\n');
    }
    text
}

/// Returns the settings of a trunk, as words. Without `all`, it leaves out min-links and settings of
/// probes with the values of a new trunk.
pub fn settings(trunk: &Trunk, all: bool) -> String {
    let mut text = format!("bits {} selector {}", trunk.bits, trunk.selector);
    if let Some(role) = trunk.role {
        let _ = write!(text, " role {role}");
    }
    let _ = write!(text, " failback {}", trunk.failback);
    if trunk.failback == Failback::Delay {
        let _ = write!(text, " {}", trunk.failback_delay);
    }
    let _ = write!(text, " far-end {}", trunk.far_end);
    let time = |microseconds: u32| exact(microseconds.into());
    let rest = [
        ("min-links", trunk.min_links.to_string(), "0"),
        ("probe", trunk.probe.to_string(), "auto"),
        ("interval", time(trunk.interval), "100ms"),
        ("reply-timeout", time(trunk.reply_timeout), "10ms"),
        ("misses", trunk.misses.to_string(), "3"),
        ("hits", trunk.hits.to_string(), "3"),
        ("hold-down", words::hold_down(trunk.hold_down), "60s"),
        ("peers", trunk.peers.to_string(), "one"),
        (
            "probe-ethertype",
            words::probe_ethertype(trunk.probe_ethertype),
            "0x88b5",
        ),
        (
            "probe-address",
            trunk.probe_address.to_string(),
            "01:80:c2:00:00:0e",
        ),
    ];
    for (key, value, default) in rest {
        if all || value != default {
            let _ = write!(text, " {key} {value}");
        }
    }
    if trunk.auto_join.is_some() {
        let rule = words::auto_join(trunk.auto_join.as_ref());
        let _ = write!(text, " auto-join {rule}");
    }
    if trunk.keyed {
        text.push_str(" keyed");
    }
    text
}

/// Appends the counters of an object, indented. Those that are 0 only if the user wants them.
fn counters_of(text: &mut String, counters: &Counters, look: &Look) {
    let mut shown = counters
        .iter()
        .filter(|(_, value)| *value != 0 || look.statistics > 1)
        .map(|(name, value)| format!("{} {}", name.replace('_', "-"), look.number(value)))
        .peekable();
    if shown.peek().is_some() {
        text.push_str(look.joint());
        text.push_str(&shown.collect::<Vec<_>>().join(" "));
    }
}

/// Returns ports as a table.
pub fn ports(views: &[PortView<'_>], look: &Look) -> String {
    if look.brief {
        let mut text = String::new();
        for port in views {
            let name = pad(port.ifname, 16);
            let state = look.state(port.state);
            let _ = writeln!(text, "{name} {state} {}", port.trunk);
        }
        return text;
    }
    if look.oneline || look.details || look.statistics > 0 {
        return port_lines(views, look);
    }
    if views.is_empty() {
        return String::new();
    }
    let head = [
        "PORT",
        "PRIO",
        "WEIGHT",
        "STATE",
        "REASON",
        "PEER",
        "IN-USE",
        "STANDS-IN-FOR",
        "RTT",
        "MISSED",
        "SINCE",
        "TRUNK",
    ];
    let none = || "-".to_string();
    let rows = views.iter().map(|port| {
        let reason = match port.reason {
            Named::Known(Reason::None) if port.late => "late".to_string(),
            Named::Known(Reason::None) if !losses(port).is_empty() => "lossy".to_string(),
            Named::Known(Reason::None) => none(),
            reason => reason.to_string(),
        };
        [
            port.ifname.to_string(),
            port.priority.to_string(),
            words::weight(port.weight),
            port.state.to_string(),
            reason,
            port.peer.as_ref().map_or_else(none, peer),
            if port.in_use {
                "yes".into()
            } else {
                "no".into()
            },
            port.stands_in_for.clone().unwrap_or_else(none),
            round_trip(port).map_or_else(none, |times| time::together(&times)),
            look.number(port.rounds_missed),
            match look.timestamp {
                true => port.since.clone(),
                false => port.age.clone(),
            },
            port.trunk.to_string(),
        ]
    });
    columns(head, rows, |column, text| match (column, text.trim_end()) {
        (3, "act") => look.paint(GREEN, text),
        (3, _) => look.paint(RED, text),
        (4, "late" | "lossy") => look.paint(YELLOW, text),
        (7, name) if name != "-" => look.paint(YELLOW, text),
        _ => text.to_string(),
    })
}

/// Returns a short name of a link's other end: the end of its system's id, its trunk, the number of
/// its port.
fn peer(peer: &PeerView) -> String {
    let system = peer.system.0 & 0xffff;
    format!("{system:04x}:{}/{}", peer.trunk, peer.port)
}

/// Returns the kinds of frames that a port's link loses.
fn losses(port: &PortView<'_>) -> Vec<String> {
    let kinds = [(port.loses_source, "source"), (port.loses_mtu, "mtu")];
    let kinds = kinds.into_iter().filter(|(loses, _)| *loses);
    let vlans = port.loses_vlans.iter().map(|vlan| format!("vlan-{vlan}"));
    kinds
        .map(|(_, kind)| kind.to_string())
        .chain(vlans)
        .collect()
}

/// Returns the last, shortest and average round trip in ns.
fn round_trip(port: &PortView<'_>) -> Option<[u64; 3]> {
    Some([
        port.round_trip_last?,
        port.round_trip_min?,
        port.round_trip_avg?,
    ])
}

/// Returns ports, one after the other, with the words that set them.
fn port_lines(views: &[PortView<'_>], look: &Look) -> String {
    let mut text = String::new();
    for port in views {
        let _ = write!(
            text,
            "{}: {}: dev {} prio {} weight {} {} state {}",
            port.ifindex,
            look.paint(BOLD, port.ifname),
            port.trunk,
            port.priority,
            words::weight(port.weight),
            if port.enabled { "enable" } else { "disable" },
            look.state(port.state)
        );
        if port.reason != trunk_nl::uapi::Reason::None {
            let _ = write!(text, " reason {}", port.reason);
        }
        if let Some(other) = &port.stands_in_for {
            let _ = write!(text, " stands-in-for {other}");
        }
        if let Some(other) = &port.stand_in {
            let _ = write!(text, " stand-in {other}");
        }
        if port.held_back {
            text.push_str(" held-back");
        }
        if port.late {
            text.push_str(" late");
        }
        let losses = losses(port);
        if !losses.is_empty() {
            let _ = write!(text, " loses {}", losses.join(","));
        }
        if port.in_use {
            text.push_str(" in-use");
        }
        if port.claims > 0 {
            let _ = write!(text, " claims {}", port.claims);
        }
        if let Some(other) = &port.peer {
            let _ = write!(text, " peer {}", peer(other));
        }
        if look.details {
            let _ = write!(
                text,
                "{}id {} share {} homes {} buckets {} since {}",
                look.joint(),
                port.id,
                port.share,
                port.homes,
                port.buckets,
                if look.timestamp {
                    &port.since
                } else {
                    &port.age
                }
            );
            probe_lines(&mut text, port, look);
        }
        if let Some(counters) = port.statistics {
            counters_of(&mut text, counters, look);
        }
        text.push('\n');
    }
    text
}

/// Appends what probes have found out about a port and its other end.
fn probe_lines(text: &mut String, port: &PortView<'_>, look: &Look) {
    let _ = write!(
        text,
        "{}{} rounds {} missed {}",
        look.joint(),
        if port.probed { "probed" } else { "not-probed" },
        look.number(port.rounds),
        look.number(port.rounds_missed)
    );
    let times = [
        ("round-trip last", port.round_trip_last),
        ("min", port.round_trip_min),
        ("avg", port.round_trip_avg),
        ("late", port.round_trip_late),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            let _ = write!(text, " {name} {}", time::short(time));
        }
    }
    if let Some(it) = &port.compared {
        let _ = write!(
            text,
            "{}last {} sent {} arrived {} peer-sent {} arrived {}",
            look.joint(),
            time::short(it.time),
            look.number(it.sent),
            look.number(it.arrived),
            look.number(it.peer_sent),
            look.number(it.peer_arrived)
        );
    }
    if let Some(peer) = &port.peer {
        let address = peer.address.map(|address| format!(" address {address}"));
        let _ = write!(
            text,
            "{}peer system {} trunk {}{} port {} prio {}{}{} interval {} heard {}",
            look.joint(),
            peer.system,
            peer.trunk,
            address.unwrap_or_default(),
            peer.port,
            peer.priority,
            if peer.usable { " usable" } else { "" },
            if peer.in_use { " in-use" } else { "" },
            exact(peer.interval.into()),
            match look.timestamp {
                true => peer.heard.clone(),
                false => format!("{} ago", peer.age),
            }
        );
    }
}

/// Returns claims as a table.
pub fn claims(views: &[ClaimView<'_>], look: &Look) -> String {
    if look.oneline || look.brief {
        return views.iter().map(|view| claim_words(view) + "\n").collect();
    }
    if views.is_empty() {
        return String::new();
    }
    let none = || "-".to_string();
    let head = [
        "MARK",
        "PORT",
        "LINK",
        "PEER-PORT",
        "NAME",
        "HOLDER",
        "TRUNK",
    ];
    let rows = views.iter().map(|view| {
        [
            view.mark.to_string(),
            view.port.clone().unwrap_or_else(none),
            view.link.clone().unwrap_or_else(none),
            view.peer_port.map_or_else(none, |port| port.to_string()),
            view.name.map_or_else(none, str::to_string),
            view.holder.map_or_else(none, |holder| holder.to_string()),
            view.trunk.to_string(),
        ]
    });
    columns(head, rows, |column, text| match (column, text.trim_end()) {
        (2, "-") => look.paint(RED, text),
        _ => text.to_string(),
    })
}

/// Returns a claim, in the words that make it, and its link.
pub fn claim_words(view: &ClaimView<'_>) -> String {
    let none = || "none".to_string();
    let mut text = format!(
        "{}: mark {} port {} link {}",
        view.trunk,
        view.mark,
        view.port.clone().unwrap_or_else(none),
        view.link.clone().unwrap_or_else(none)
    );
    if let Some(port) = view.peer_port {
        let _ = write!(text, " peer-port {port}");
    }
    if let Some(name) = view.name {
        let _ = write!(text, " name {name}");
    }
    if let Some(holder) = view.holder {
        let _ = write!(text, " holder {holder}");
    }
    text
}

/// Returns the table of a trunk, as a map or with a line for each bucket.
pub fn table(group: &Group, table: &TableView, look: &Look) -> String {
    if look.oneline || look.details || look.statistics > 0 || look.brief {
        return bucket_lines(table, look);
    }
    let mut ports: Vec<&Port> = group.ports.iter().collect();
    ports.sort_by_key(|port| port.id);
    let mut text = format!(
        "{}: {} buckets, selector {}\n",
        look.paint(BOLD, &table.ifname),
        table.buckets.len(),
        group.trunk.selector
    );
    for port in &ports {
        let mark = letter(port);
        let _ = write!(
            text,
            "  {} {} homes {} carries {}",
            look.paint(color(port), &mark.to_string()),
            pad(&port.ifname, 15),
            port.homes,
            port.buckets
        );
        if let Some(other) = port.stands_in_for {
            let _ = write!(text, ", stands in for {}", group.port_name(other));
        } else if port.priority > 1 {
            let _ = write!(text, ", spare");
        }
        if port.state != State::Act {
            let _ = write!(text, ", {} ({})", look.state(port.state), port.reason);
        }
        text.push('\n');
    }
    let mut marks = (false, false);
    for row in table.buckets.chunks(ROW) {
        let first = row.first().map_or(0, |bucket| bucket.index);
        let _ = write!(text, "{first:>6} ");
        for (at, bucket) in row.iter().enumerate() {
            if at % CLUSTER == 0 {
                text.push(' ');
            }
            let carrier = ports
                .iter()
                .find(|port| Some(&port.ifname) == bucket.port.as_ref());
            let cell = match carrier {
                Some(port) => look.paint(color(port), &letter(port).to_string()),
                None => look.paint(RED, "-"),
            };
            text.push_str(&cell);
            // That a bucket is away from home is more important than that the user chose the home.
            let away = bucket.port != bucket.home;
            text.push(match (away, bucket.user_set) {
                (true, _) => '\'',
                (_, true) => '*',
                _ => ' ',
            });
            marks = (marks.0 | away, marks.1 | (bucket.user_set && !away));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    if marks.0 {
        text.push_str("  ' another port than its home carries it\n");
    }
    if marks.1 {
        text.push_str("  * the user has set its home\n");
    }
    text
}

/// Returns the letter of a port in maps.
pub fn letter(port: &Port) -> char {
    let letter = LETTERS.get(port.id as usize).copied();
    char::from(letter.unwrap_or(b'?'))
}

/// Returns the colour of a port in maps, as an SGR parameter.
pub fn color(port: &Port) -> &'static str {
    PORTS[port.id as usize % PORTS.len()]
}

fn bucket_lines(table: &TableView, look: &Look) -> String {
    let mut text = String::new();
    for bucket in &table.buckets {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".into());
        let _ = write!(
            text,
            "{}: {} home {} port {}",
            table.ifname,
            bucket.index,
            name(&bucket.home),
            name(&bucket.port)
        );
        if bucket.user_set {
            text.push_str(" user-set");
        }
        if look.details || look.statistics > 0 {
            let (packets, bytes) = (look.number(bucket.tx_packets), look.number(bucket.tx_bytes));
            let _ = write!(text, " tx-packets {packets} tx-bytes {bytes}");
        }
        text.push('\n');
    }
    text
}

/// Returns the counters of trunks and their ports.
pub fn statistics(statistics: &[Statistics], look: &Look) -> String {
    let mut text = String::new();
    let views = StatisticsView::all(statistics);
    let devices = || {
        views.iter().flat_map(|trunk| {
            let ports = trunk.ports.iter().flatten();
            [trunk].into_iter().chain(ports)
        })
    };
    if look.oneline || look.brief {
        for device in devices() {
            let words: Vec<_> = device
                .statistics
                .iter()
                .map(|(name, value)| format!("{} {}", name.replace('_', "-"), look.number(value)))
                .collect();
            let _ = writeln!(text, "{}: {}", device.ifname, words.join(" "));
        }
        return text;
    }
    let head = [
        "DEVICE",
        "RX-PACKETS",
        "RX-BYTES",
        "RX-DROPPED",
        "TX-PACKETS",
        "TX-BYTES",
        "TX-DROPPED",
        "UP",
        "DOWN",
    ];
    let n = |value: Option<u64>| value.map_or_else(|| "-".into(), |v| look.number(v));
    let rows = devices().map(|device| {
        let c = device.statistics;
        [
            device.ifname.to_string(),
            n(c.rx_packets),
            n(c.rx_bytes),
            n(c.rx_dropped),
            n(c.tx_packets),
            n(c.tx_bytes),
            n(c.tx_dropped),
            n(c.port_up),
            n(c.port_down),
        ]
    });
    if !views.is_empty() {
        text.push_str(&columns(head, rows, |_, text| text.to_string()));
    }
    let head = [
        "PORT",
        "PROBES-TX",
        "PROBES-RX",
        "REPLIES-TX",
        "REPLIES-RX",
        "LATE",
        "LIMITED",
        "UNKNOWN",
        "REFUSED",
    ];
    let mut ports = views
        .iter()
        .flat_map(|trunk| trunk.ports.iter().flatten())
        .peekable();
    if ports.peek().is_some() {
        let rows = ports.map(|port| {
            let c = port.statistics;
            [
                port.ifname.to_string(),
                n(c.probes_sent),
                n(c.probes_received),
                n(c.replies_sent),
                n(c.replies_received),
                n(c.replies_late),
                n(c.probes_limited),
                n(c.tlvs_unknown),
                n(c.probes_refused),
            ]
        });
        text.push_str(&columns(head, rows, |_, text| text.to_string()));
    }
    const SHOWN: [&str; 8] = [
        "rx_packets",
        "rx_bytes",
        "rx_dropped",
        "tx_packets",
        "tx_bytes",
        "tx_dropped",
        "port_up",
        "port_down",
    ];
    for trunk in &views {
        let rest = trunk
            .statistics
            .iter()
            .filter(|(name, _)| !SHOWN.contains(name));
        let words: Vec<_> = rest
            .map(|(name, value)| format!("{} {}", name.replace('_', "-"), look.number(value)))
            .collect();
        if !words.is_empty() {
            let _ = writeln!(text, "{}: {}", trunk.ifname, words.join(" "));
        }
    }
    text
}

/// Returns an event as a line.
pub fn event(view: &EventView<'_>, look: &Look) -> String {
    let mut text = String::new();
    if look.timestamp {
        let _ = write!(text, "[{}] ", view.time);
    }
    let _ = write!(text, "{}: ", look.paint(BOLD, view.trunk));
    let port = view.port.as_deref().unwrap_or("?");
    let reason = view
        .reason
        .filter(|reason| *reason != trunk_nl::uapi::Reason::None);
    match view.event.known() {
        Some(EventKind::PortState) => {
            let state = |state: Option<Named<State>>| {
                state.map_or_else(|| "?".to_string(), |state| look.state(state))
            };
            let (old, new) = (state(view.old_state), state(view.new_state));
            let _ = match view.old_state == view.new_state {
                true => write!(text, "{port} still {new}"),
                false => write!(text, "{port} {old} -> {new}"),
            };
        }
        Some(EventKind::Failover) => {
            let verb = look.paint(YELLOW, "failover");
            let to = match &view.other {
                Some(other) => format!("to {other}"),
                None => "spread".to_string(),
            };
            let _ = write!(text, "{verb} of {port} {to}");
        }
        Some(EventKind::Failback) => {
            let verb = look.paint(GREEN, "failback");
            let from = view.other.as_ref().map(|other| format!(" from {other}"));
            let _ = write!(text, "{verb} to {port}{}", from.unwrap_or_default());
        }
        Some(EventKind::Table) => text.push_str("table set"),
        Some(EventKind::Config) => match &view.port {
            Some(port) => {
                let _ = write!(text, "settings of {port} changed");
            }
            None => text.push_str("settings changed"),
        },
        Some(EventKind::Join) => {
            let _ = write!(text, "{port} joined");
        }
        Some(EventKind::Leave) => {
            let _ = write!(text, "{port} left");
        }
        Some(EventKind::JoinRefused) => {
            let verb = look.paint(YELLOW, "does not join");
            let error = view.error.as_ref().map(|error| format!(": {error}"));
            let error = error.unwrap_or_default();
            let _ = write!(text, "{port} {verb}{error}; the kernel's log says more");
        }
        Some(EventKind::PeerFound) => {
            let verb = look.paint(GREEN, "peer found");
            let _ = write!(text, "{verb} on {port}");
        }
        Some(EventKind::PeerBye) => {
            let verb = look.paint(YELLOW, "goodbye");
            let _ = write!(text, "{verb} of the peer on {port}");
        }
        Some(EventKind::PeerLost) => {
            let verb = look.paint(RED, "peer lost");
            let _ = write!(text, "{verb}: all ports fell silent at once");
        }
        Some(EventKind::Late) => {
            let verb = look.paint(YELLOW, "late");
            let _ = write!(text, "{port} is {verb}: replies come, but too late");
        }
        Some(EventKind::InTime) => {
            let verb = look.paint(GREEN, "in time");
            let _ = write!(text, "replies on {port} come {verb} again");
        }
        Some(EventKind::PeerDiffers) => {
            let verb = look.paint(YELLOW, "another priority");
            let _ = write!(text, "{verb} at the peer on {port}");
        }
        Some(EventKind::Claim) => {
            let _ = write!(text, "claim of {port}");
            if let Some(other) = view.other.as_ref().filter(|other| *other != port) {
                let _ = write!(text, " gets {other}");
            }
        }
        Some(EventKind::Release) => {
            let _ = write!(text, "claim of {port} ended");
        }
        Some(EventKind::ClaimMoved) => {
            let verb = look.paint(YELLOW, "moves");
            let _ = match view.other.as_deref() {
                Some(other) if other == port => write!(text, "claim of {port} is back"),
                Some(other) => write!(text, "claim of {port} {verb} to {other}"),
                None => write!(text, "claim of {port} has no link"),
            };
        }
        None => {
            let _ = write!(text, "event {}", view.event);
        }
    }
    let mut notes = Vec::new();
    notes.extend(view.mark.map(|mark| format!("mark {mark}")));
    notes.extend(reason.map(|reason| reason.to_string()));
    notes.extend(view.buckets.and_then(|count| match count {
        0 => None,
        1 => Some("1 bucket".to_string()),
        _ => Some(format!("{count} buckets")),
    }));
    notes.extend(
        view.detection_ns
            .map(|ns| format!("detected in {}", time::short(ns))),
    );
    notes.extend(
        view.switch_ns
            .map(|ns| format!("switched in {}", time::short(ns))),
    );
    if !notes.is_empty() {
        let _ = write!(text, " ({})", notes.join(", "));
    }
    text.push('\n');
    text
}

/// Returns past events, with their times.
pub fn history(views: &[EventView<'_>], look: &Look) -> String {
    let mut text = String::new();
    for view in views {
        if !look.timestamp {
            let _ = write!(text, "{:>7} ago ", view.age);
        }
        text.push_str(&event(view, look));
    }
    text
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

/// Returns columns as wide as their cells, two blanks apart. `paint` gets a column's number and a
/// cell with its padding.
fn columns<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    paint: impl Fn(usize, &str) -> String,
) -> String {
    let rows: Vec<_> = [head.map(str::to_string)].into_iter().chain(rows).collect();
    let width: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    });
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let last = column + 1 == N;
            let cell = match last {
                true => cell.clone(),
                false => pad(cell, width[column]),
            };
            text.push_str(&match number {
                0 => cell,
                _ => paint(column, &cell),
            });
            text.push_str(if last { "\n" } else { "  " });
        }
    }
    text
}

#[cfg(test)]
#[path = "golden.rs"]
mod golden;
