// SPDX-License-Identifier: GPL-2.0

//! Findings about links and their other ends.

use std::collections::BTreeMap;
use std::time::Duration;

use trunk_nl::uapi::{EventKind, FarEnd, FarEndReason, Peers, ProbeMode, Reason, State};
use trunk_nl::{exact, Compared, Counters, Port, System};

use super::{Findings, Patient};
use crate::time;
use crate::view::{act, Group};

/// Only so many rounds without a reply mean something about the peer.
const ROUNDS: u64 = 50;

/// A port is flapping if its link failed so often within this time.
const FAILURES: usize = 3;
const LATELY: Duration = Duration::from_secs(600);

/// Late replies are found if there are so many, and this part of all in percent.
const LATE: u64 = 3;
const LATE_PERCENT: u64 = 1;

/// Losses are found if so many frames were sent, and this part of them in percent was lost.
const COUNTED: u64 = 500;
const LOST_PERCENT: u64 = 2;

/// Intervals of both ends that differ by this factor are found.
const FACTOR: u32 = 4;

const PATH: &str = "fibre, media converter, switch, filters";

pub fn examine(patient: &Patient, findings: &mut Findings<'_>) {
    let group = &patient.group;
    let mut told = unanswered(patient, findings);
    told.extend(silent(group, &told, findings));
    for port in &group.ports {
        if !told.contains(&port.ifindex) {
            not_act(group, port, findings);
        }
        flapping(patient, port, findings);
        lossy(group, port, findings);
        if let Some(peer) = port.peer.as_ref().filter(|p| p.priority != port.priority) {
            let text = format!(
                "its priority is {}, at the other end {}: the ends may choose different spares",
                port.priority, peer.priority
            );
            let advice = format!("trunkctl port set {} prio {}", port.ifname, peer.priority);
            findings.warn("priorities", Some(&port.ifname), text, advice);
        }
    }
    far_end(patient, findings);
    late(patient, findings);
    compared(group, findings);
    intervals(group, findings);
}

/// Finds a peer that died. Returns the ports that this finding covers, by interface index.
fn silent(group: &Group, told: &[u32], findings: &mut Findings<'_>) -> Vec<u32> {
    let is = |port: &Port, reason| port.state != State::Act && port.reason == reason;
    let timed_out = |port: &Port| is(port, Reason::ProbeTimeout) && !told.contains(&port.ifindex);
    let silent = |port: &&Port| timed_out(port) || is(port, Reason::PeerSilent);
    let ports: Vec<_> = group.ports.iter().filter(silent).collect();
    let at_once = ports.iter().any(|port| is(port, Reason::PeerSilent));
    let all = ports.len() > 1 && act(&group.ports) == 0;
    if at_once || all {
        let text = match at_once {
            true => "the peer died: all ports fell silent at once, though their carrier stayed",
            false => "the peer answers on no port, though there is a carrier",
        };
        findings.warn(
            "peer-silent",
            None,
            text.to_string(),
            "check the other end: is it up, with the same probe-ethertype and key?".to_string(),
        );
        let meant = |port: &&&Port| !at_once || is(port, Reason::PeerSilent);
        return ports.iter().filter(meant).map(|p| p.ifindex).collect();
    }
    Vec::new()
}

/// Finds ports whose probes no peer has ever answered. Returns them, by interface index.
fn unanswered(patient: &Patient, findings: &mut Findings<'_>) -> Vec<u32> {
    let group = &patient.group;
    let name = &group.trunk.ifname;
    // A port whose link is down gets no answer anyway.
    let has_carrier =
        |port: &&Port| port.state == State::Act || port.reason == Reason::ProbeTimeout;
    let never = |port: &&Port| {
        let rounds = port.rounds >= ROUNDS && port.rounds_missed >= ROUNDS;
        rounds && port.peer.is_none() && port.round_trip_min.is_none()
    };
    let mode = group.trunk.probe;
    let carrier: Vec<_> = group.ports.iter().filter(has_carrier).collect();
    if mode == ProbeMode::Off {
        return Vec::new();
    }
    let never: Vec<_> = carrier.iter().copied().filter(never).collect();
    let refused = never.iter().filter_map(|port| counters(patient, port));
    let refused: u64 = refused.filter_map(|c| c.probes_refused).sum();
    let why = match refused {
        0 => String::new(),
        _ => format!(", and {refused} probes were refused: is the key the same at both ends?"),
    };
    if never.len() < carrier.len() {
        for port in &never {
            findings.warn(
                "no-answer",
                Some(&port.ifname),
                format!("nobody ever answered its probes, only those of other ports{why}"),
                "check where its cable goes".to_string(),
            );
        }
    } else if never.is_empty() {
        // No port has carrier.
    } else if mode == ProbeMode::Required {
        findings.warn(
            "no-answer",
            None,
            format!("nobody ever answered its probes, which probe required demands{why}"),
            format!(
                "make the other end a trunk with the same probe-ethertype, or trunkctl set {name} \
                 probe auto"
            ),
        );
    } else {
        findings.note(
            "no-answer",
            None,
            format!("nobody answers its probes: only the loss of a carrier is noticed{why}"),
            format!("make the other end a trunk, or trunkctl set {name} probe off"),
        );
    }
    never.iter().map(|port| port.ifindex).collect()
}

/// Finds a far end that may be another than it is taken for, and one that only the switch or other
/// cables can help.
fn far_end(patient: &Patient, findings: &mut Findings<'_>) {
    let group = &patient.group;
    let trunk = &group.trunk;
    let name = &trunk.ifname;
    let cabled = |port: &&Port| port.state == State::Act;
    if trunk.far_end_reason == FarEndReason::OneCopy {
        findings.note(
            "far-end",
            None,
            "no trunk answers, and of each broadcast one copy comes, so its far end is taken for an \
             aggregate"
                .to_string(),
            format!(
                "trunkctl set {name} far-end aggregate if it is one: then broadcast and multicast \
                 leave by all links"
            ),
        );
    }
    if trunk.far_end_is != FarEnd::Switch || group.ports.iter().filter(cabled).count() < 2 {
        return;
    }
    if trunk.far_end_reason == FarEndReason::Shared {
        findings.note(
            "shared",
            None,
            "probes of one port come in by another, or two answer one: the ports lead to a switch \
             that forwards probes, or are cabled together"
                .to_string(),
            "check the cables; behind such a switch only the loss of a carrier is noticed"
                .to_string(),
        );
    }
    let in_use = group.ports.iter().filter(|port| port.in_use).count();
    if in_use > 1 {
        findings.note(
            "plain-switch",
            None,
            format!(
                "{in_use} ports in use lead to a switch that does not know of the trunk: it sees \
                 addresses move between them, and what it floods comes in by each"
            ),
            format!(
                "make one port a working port and the others spares, or the switch's ports a \
                 static aggregate and trunkctl set {name} far-end aggregate"
            ),
        );
    }
    let of_trunk = patient.statistics.iter().find(|s| s.port.is_none());
    let counted = |count: fn(&Counters) -> Option<u64>| {
        let counters = of_trunk.map(|statistics| &statistics.counters);
        counters.and_then(count).unwrap_or(0)
    };
    let own = counted(|counters| counters.rx_own_source);
    let filtered = counted(|counters| counters.rx_multicast_filtered)
        .saturating_add(counted(|counters| counters.rx_unicast_filtered));
    if trunk.far_end_reason == FarEndReason::NoAnswer && own == 0 {
        let seen = match filtered {
            0 => String::new(),
            _ => format!(
                "; of others {filtered} frames were dropped, and none of its own came back, as \
                 with an aggregate"
            ),
        };
        findings.note(
            "far-end",
            None,
            format!("no trunk answers, so its far end is taken for a plain switch{seen}"),
            format!(
                "trunkctl set {name} far-end aggregate if it is an aggregate, such as a bond, \
                 far-end trunk if it is a trunk without probes, and else far-end switch"
            ),
        );
    }
}

fn counters<'a>(patient: &'a Patient, port: &Port) -> Option<&'a Counters> {
    let own = patient
        .statistics
        .iter()
        .find(|s| s.port == Some(port.ifindex));
    own.map(|statistics| &statistics.counters)
}

/// Finds why a port is not act.
fn not_act(group: &Group, port: &Port, findings: &mut Findings<'_>) {
    let name = &port.ifname;
    let (check, text, advice) = match port.reason.known() {
        _ if port.state == State::Act => return,
        // Another finding covers that.
        Some(Reason::HeldDown | Reason::PathSource | Reason::PathMtu | Reason::PathVlan) => return,
        Some(Reason::NoCarrier) => (
            "no-carrier",
            "it has no carrier".to_string(),
            "check the cable and the port of the switch".to_string(),
        ),
        Some(Reason::Disabled) => (
            "disabled",
            "it was taken out of use".to_string(),
            format!("trunkctl port set {name} enable"),
        ),
        Some(Reason::AdminDown) => (
            "admin-down",
            "it is down".to_string(),
            format!("ip link set {name} up"),
        ),
        Some(Reason::ProbeTimeout) => (
            "probe-timeout",
            "its peer does not answer, though there is a carrier".to_string(),
            format!("check what lies between the ends: {PATH}"),
        ),
        Some(Reason::OneWayRx) => (
            "one-way",
            "it only receives: its peer is heard, but does not hear this end".to_string(),
            format!("check this end's transmitter and what its frames pass: {PATH}"),
        ),
        Some(Reason::OneWayTx) => (
            "one-way",
            "it only transmits: its peer hears this end, but is not heard".to_string(),
            format!("check the peer's transmitter and what its frames pass: {PATH}"),
        ),
        Some(Reason::PeerMismatch) => {
            let (text, advice) = mismatch(group, port);
            ("peer-mismatch", text, advice)
        }
        Some(Reason::PeerSby) => (
            "peer-sby",
            "its link works, but the peer does not use it".to_string(),
            "ask trunkctl doctor at the other end".to_string(),
        ),
        _ => (
            "not-act",
            format!("it is {} ({})", port.state, port.reason),
            format!("trunkctl history {}", group.trunk.ifname),
        ),
    };
    findings.warn(check, Some(name), text, advice);
}

/// Finds a port that leads elsewhere. Returns the text and the advice.
fn mismatch(group: &Group, port: &Port) -> (String, String) {
    let cable = "check where its cable goes".to_string();
    let end = |(system, trunk): (System, u32)| format!("trunk {trunk} of system {system}");
    let unknown = "it leads elsewhere than the other ports, or back to this system".to_string();
    let Some(peer) = &port.peer else {
        return (unknown, cable);
    };
    if peer.system == group.trunk.system {
        let text = format!(
            "it leads back to this system, to port {} of trunk {}",
            peer.port, peer.trunk
        );
        return (text, cable);
    }
    let mut ends = BTreeMap::new();
    let fellows = group.ports.iter().filter(|port| port.state == State::Act);
    for fellow in fellows.filter_map(|port| port.peer.as_ref()) {
        *ends.entry((fellow.system, fellow.trunk)).or_insert(0) += 1;
    }
    let most = ends.iter().max_by_key(|(_, count)| **count);
    // The last peer answered before the cable was moved.
    if most.is_some_and(|(end, _)| *end == (peer.system, peer.trunk)) {
        return (unknown, cable);
    }
    let others = most.map_or_else(
        || "not to the peer of the other ports".to_string(),
        |(others, _)| format!("the other ports to {}", end(*others)),
    );
    let text = format!("it leads to {}, {others}", end((peer.system, peer.trunk)));
    let several = format!("trunkctl set {} peers several", group.trunk.ifname);
    match group.trunk.peers == Peers::One {
        true => (text, format!("{cable}, or if that is meant, {several}")),
        false => (text, cable),
    }
}

/// Finds a link that fails again and again.
fn flapping(patient: &Patient, port: &Port, findings: &mut Findings<'_>) {
    let failed = patient.history.iter().filter(|event| {
        // Without failures that the user or the peer causes.
        let link = matches!(
            event.reason.and_then(|reason| reason.known()),
            Some(
                Reason::NoCarrier
                    | Reason::ProbeTimeout
                    | Reason::OneWayRx
                    | Reason::OneWayTx
                    | Reason::PathSource
                    | Reason::PathMtu
                    | Reason::PathVlan
            )
        );
        link && event.kind == EventKind::PortState
            && event.port == Some(port.ifindex)
            && event.new_state.is_some_and(|state| state == State::Sby)
            && event.old_state != event.new_state
            && patient.clock.since(event.time) < LATELY
    });
    let count = failed.count();
    let held = port.state != State::Act && port.reason == Reason::HeldDown;
    if count < FAILURES && !held {
        return;
    }
    let text = match (count, held) {
        (0, _) => "its link fails again and again, so it is held down".to_string(),
        (_, true) => {
            format!("its link failed {count} times in the last 10 minutes, so it is held down")
        }
        (_, false) => format!("its link failed {count} times in the last 10 minutes"),
    };
    let advice = format!(
        "check cable and transceivers; trunkctl history {}",
        patient.group.trunk.ifname
    );
    findings.warn("flapping", Some(&port.ifname), text, advice);
}

/// Finds a link that loses frames of some kind and carries others.
fn lossy(group: &Group, port: &Port, findings: &mut Findings<'_>) {
    let used = match port.state == State::Act {
        true => "no other link carries them",
        false => "another link carries them, so it is not used",
    };
    let mut find = |check, what: String, advice: String| {
        let text = format!("its link loses {what} on their way to the peer: {used}");
        findings.warn(check, Some(&port.ifname), text, advice);
    };
    if port.loses_source {
        find(
            "path-source",
            "frames from the trunk's own address".to_string(),
            "see what checks addresses on the way: a filter of the switch or the hypervisor; for a \
             virtual function ip link set DEV vf N spoofchk off trust on"
                .to_string(),
        );
    }
    if port.loses_mtu {
        find(
            "path-mtu",
            format!("frames as long as the MTU, {} bytes", group.link.mtu),
            format!(
                "check the MTU of the peer and of what lies between, or ip link set {} mtu BYTES",
                group.trunk.ifname
            ),
        );
    }
    if !port.loses_vlans.is_empty() {
        let vlans: Vec<_> = port.loses_vlans.iter().map(u32::to_string).collect();
        find(
            "path-vlan",
            format!("frames of VLAN {}", vlans.join(", ")),
            "let what lies between carry the VLAN on this link as on the others".to_string(),
        );
    }
}

/// Finds links on which less arrives than was sent, by the counters of both ends, while another link is
/// sound: drivers may count differently, but not on one link alone.
fn compared(group: &Group, findings: &mut Findings<'_>) {
    type Way = fn(&Compared) -> [u64; 2];
    let ways: [(&str, Way); 2] = [
        ("frames to its peer", |it| [it.sent, it.arrived]),
        ("frames from its peer", |it| [it.peer_sent, it.peer_arrived]),
    ];
    let lost = |[sent, arrived]: [u64; 2]| sent.saturating_sub(arrived);
    for (what, way) in ways {
        let counted = |port: &Port| port.compared.as_ref().map(way);
        let sound = |counted: [u64; 2]| {
            counted[0] >= COUNTED && lost(counted).saturating_mul(100) < counted[0]
        };
        if !group.ports.iter().filter_map(counted).any(sound) {
            continue;
        }
        for port in &group.ports {
            let Some([sent, arrived]) = counted(port).filter(|[sent, _]| *sent >= COUNTED) else {
                continue;
            };
            let lost = lost([sent, arrived]);
            if lost.saturating_mul(100) >= LOST_PERCENT.saturating_mul(sent) {
                findings.warn(
                    "losses",
                    Some(&port.ifname),
                    format!("of {sent} {what} {arrived} have arrived lately, by the counters of both ends"),
                    format!("check what lies between the ends: {PATH}"),
                );
            }
        }
    }
}

/// Finds links that are late, and a reply-timeout that is too short for the round trips.
fn late(patient: &Patient, findings: &mut Findings<'_>) {
    let trunk = &patient.group.trunk;
    let late = |port: &&Port| {
        let counters = counters(patient, port);
        let is_late = port.late;
        let late = counters.and_then(|c| c.replies_late).unwrap_or(0);
        let in_time = counters.and_then(|c| c.replies_received).unwrap_or(0);
        is_late
            || late >= LATE
                && late.saturating_mul(100) >= LATE_PERCENT * in_time.saturating_add(late)
    };
    let ports = patient.group.ports.iter().filter(late);
    let worst = ports.filter_map(|port| Some((port.round_trip_late?, port)));
    let Some((ns, port)) = worst.max_by_key(|(ns, _)| *ns) else {
        return;
    };
    let wanted = nice(ns.div_ceil(1000).saturating_mul(3) / 2);
    let interval = match wanted > trunk.interval.into() {
        true => format!(" interval {}", exact(wanted)),
        false => String::new(),
    };
    findings.warn(
        "late",
        Some(&port.ifname),
        format!(
            "replies come after {}, later than the reply-timeout, {}: a queue is full, a machine is \
             busy, or the way is long",
            time::short(ns),
            exact(trunk.reply_timeout.into())
        ),
        format!(
            "trunkctl set {} reply-timeout {}{interval}",
            trunk.ifname,
            exact(wanted)
        ),
    );
}

/// Returns the next of 1, 2, 5, 10, …
fn nice(number: u64) -> u64 {
    let mut scale = 1u64;
    loop {
        for step in [1, 2, 5] {
            let nice = scale.saturating_mul(step);
            if nice >= number {
                return nice;
            }
        }
        scale = scale.saturating_mul(10);
    }
}

/// Finds intervals with which one end notices a failure much later than the other.
fn intervals(group: &Group, findings: &mut Findings<'_>) {
    let own = group.trunk.interval;
    if group.trunk.probe == ProbeMode::Off {
        return;
    }
    let mut peers = group.ports.iter().filter_map(|port| port.peer.as_ref());
    let differs = |other: u32| other.max(own) / other.min(own).max(1) >= FACTOR;
    if let Some(peer) = peers.find(|peer| differs(peer.interval)) {
        findings.note(
            "intervals",
            None,
            format!(
                "its interval is {}, that of its peer {}: one end notices failures later",
                exact(own.into()),
                exact(peer.interval.into())
            ),
            format!(
                "trunkctl set {} interval {}",
                group.trunk.ifname,
                exact(peer.interval.into())
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{healthy, said};
    use super::*;
    use crate::fixtures;
    use trunk_nl::{Event, Named};

    fn sby(patient: &mut Patient, port: usize, reason: Reason) {
        let port = &mut patient.group.ports[port];
        port.state = Named::Known(State::Sby);
        port.reason = Named::Known(reason);
    }

    /// Returns the finding about eth1 if that is sby for a reason.
    fn said_of(reason: Reason, change: impl FnOnce(&mut Patient)) -> String {
        let mut patient = healthy();
        sby(&mut patient, 0, reason);
        change(&mut patient);
        said(&patient)
    }

    #[test]
    fn links_that_work_one_way_or_not_at_all() {
        for (reason, want) in [
            (
                Reason::ProbeTimeout,
                "its peer does not answer, though there is a carrier; check what lies between the \
                 ends: fibre, media converter, switch, filters",
            ),
            (
                Reason::OneWayRx,
                "it only receives: its peer is heard, but does not hear this end; check this \
                 end's transmitter and what its frames pass: fibre, media converter, switch, \
                 filters",
            ),
            (
                Reason::OneWayTx,
                "it only transmits: its peer hears this end, but is not heard; check the peer's \
                 transmitter and what its frames pass: fibre, media converter, switch, filters",
            ),
            (
                Reason::PeerSby,
                "its link works, but the peer does not use it; ask trunkctl doctor at the other \
                 end",
            ),
        ] {
            assert_eq!(said_of(reason, |_| {}), format!("trunk0: eth1: {want}\n"));
        }
    }

    #[test]
    fn a_reason_that_is_newer_than_this_program() {
        let said = said_of(Reason::None, |patient| {
            patient.group.ports[0].reason = Named::Unknown(42);
        });
        assert_eq!(
            said,
            "trunk0: eth1: it is sby (42); trunkctl history trunk0\n"
        );
        let mut patient = healthy();
        patient.group.ports[0].state = Named::Unknown(9);
        patient.group.ports[0].reason = Named::Unknown(42);
        let finding = &super::super::diagnose(&patient)[0];
        assert_eq!(
            (finding.check, finding.port.as_deref(), &*finding.text),
            ("not-act", Some("eth1"), "it is 9 (42)")
        );
    }

    #[test]
    fn a_peer_that_died_is_told_once() {
        let said = said_of(Reason::PeerSilent, |patient| {
            sby(patient, 1, Reason::PeerSilent);
            sby(patient, 2, Reason::PeerSilent);
        });
        assert_eq!(
            said,
            "\
trunk0: no port is act: ports with a carrier are used nevertheless; repair the ports that are not act
trunk0: the peer died: all ports fell silent at once, though their carrier stayed; check the other end: is it up, with the same probe-ethertype and key?
"
        );
    }

    #[test]
    fn a_peer_that_answers_nowhere_is_told_once() {
        let said = said_of(Reason::ProbeTimeout, |patient| {
            sby(patient, 1, Reason::ProbeTimeout);
            sby(patient, 2, Reason::NoCarrier);
        });
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(lines[1].starts_with("trunk0: the peer answers on no port, though"));
        assert!(lines[2].starts_with("trunk0: eth3: it has no carrier"));
    }

    #[test]
    fn ports_that_lead_elsewhere() {
        let elsewhere = |change: fn(&mut Patient)| said_of(Reason::PeerMismatch, change);
        assert_eq!(
            elsewhere(|patient| {
                let peer = patient.group.ports[0].peer.as_mut().unwrap();
                (peer.system, peer.trunk) = (System(0xfeed), 9);
            }),
            "trunk0: eth1: it leads to trunk 9 of system 000000000000feed, the other ports \
             to trunk 4 of system 0242ac1100039c1e; check where its cable goes, or if that is meant, \
             trunkctl set trunk0 peers several\n"
        );
        assert_eq!(
            elsewhere(|patient| {
                let system = patient.group.trunk.system;
                let peer = patient.group.ports[0].peer.as_mut().unwrap();
                (peer.system, peer.trunk, peer.port) = (system, 3, 2);
            }),
            "trunk0: eth1: it leads back to this system, to port 2 of trunk 3; check where its \
             cable goes\n"
        );
        for unknown in [
            elsewhere(|patient| patient.group.ports[0].peer = None),
            // The peer of the other ports, to which it led before.
            elsewhere(|_| {}),
        ] {
            assert_eq!(
                unknown,
                "trunk0: eth1: it leads elsewhere than the other ports, or back to this system; \
                 check where its cable goes\n"
            );
        }
    }

    #[test]
    fn links_that_fail_again_and_again() {
        let failure = |reason| Event {
            port: Some(4),
            new_state: Some(Named::Known(State::Sby)),
            reason: Some(Named::Known(reason)),
            ..fixtures::event(EventKind::PortState)
        };
        let mut patient = healthy();
        patient.history = vec![
            failure(Reason::NoCarrier),
            failure(Reason::ProbeTimeout),
            failure(Reason::Disabled),
            failure(Reason::PeerSilent),
        ];
        assert_eq!(said(&patient), "");
        let mut old = failure(Reason::NoCarrier);
        old.time -= 600_000_000_000;
        patient.history.push(old);
        assert_eq!(said(&patient), "");
        patient.history.push(failure(Reason::NoCarrier));
        let advice = "check cable and transceivers; trunkctl history trunk0\n";
        let text = "trunk0: eth1: its link failed 3 times in the last 10 minutes";
        assert_eq!(said(&patient), format!("{text}; {advice}"));
        sby(&mut patient, 0, Reason::HeldDown);
        let want = format!("{text}, so it is held down; {advice}");
        assert_eq!(said(&patient), want);
        let want =
            format!("trunk0: eth1: its link fails again and again, so it is held down; {advice}");
        assert_eq!(said_of(Reason::HeldDown, |_| {}), want);
    }

    #[test]
    fn priorities_that_differ() {
        let mut patient = healthy();
        patient.group.ports[2].peer.as_mut().unwrap().priority = 3;
        assert_eq!(
            said(&patient),
            "trunk0: eth3: its priority is 2, at the other end 3: the ends may choose different \
             spares; trunkctl port set eth3 prio 3\n"
        );
    }

    /// Makes a port whose probes have never been answered.
    fn mute(patient: &mut Patient, port: usize) {
        let port = &mut patient.group.ports[port];
        (port.peer, port.probed) = (None, false);
        (port.rounds, port.rounds_missed) = (50, 50);
        (port.round_trip_last, port.round_trip_min) = (None, None);
        for statistics in &mut patient.statistics {
            statistics.counters.probes_refused = Some(0);
        }
    }

    #[test]
    fn a_far_end_that_is_a_switch() {
        let mut patient = healthy();
        let mut said_of = |is, reason, own, filtered, in_use: [bool; 3]| {
            let trunk = &mut patient.group.trunk;
            trunk.far_end_is = Named::Known(is);
            trunk.far_end_reason = Named::Known(reason);
            for (port, in_use) in patient.group.ports.iter_mut().zip(in_use) {
                port.in_use = in_use;
            }
            for statistics in &mut patient.statistics {
                let counters = &mut statistics.counters;
                if statistics.port.is_none() {
                    counters.rx_own_source = Some(own);
                    counters.rx_multicast_filtered = Some(filtered);
                    counters.rx_unicast_filtered = Some(filtered);
                }
            }
            said(&patient)
        };
        let (one, two) = ([true, false, false], [true, true, false]);
        let (is, no_answer) = (FarEnd::Switch, FarEndReason::NoAnswer);
        let taken = "note: trunk0: no trunk answers, so its far end is taken for a plain switch";
        let advice = "; trunkctl set trunk0 far-end aggregate if it is an aggregate, such as a \
                      bond, far-end trunk if it is a trunk without probes, and else far-end \
                      switch\n";
        let none = "";
        for (reason, own, filtered, in_use, want) in [
            (no_answer, 0, 0, one, format!("{taken}{advice}")),
            (
                no_answer,
                0,
                15,
                one,
                format!(
                    "{taken}; of others 30 frames were dropped, and none of its own came back, \
                     as with an aggregate{advice}"
                ),
            ),
            (no_answer, 2, 15, one, none.to_string()),
            (FarEndReason::Set, 0, 0, one, none.to_string()),
            (
                FarEndReason::Set,
                0,
                0,
                two,
                "note: trunk0: 2 ports in use lead to a switch that does not know of the trunk: \
                 it sees addresses move between them, and what it floods comes in by each; make \
                 one port a working port and the others spares, or the switch's ports a static \
                 aggregate and trunkctl set trunk0 far-end aggregate\n"
                    .to_string(),
            ),
            (
                FarEndReason::Shared,
                0,
                0,
                one,
                "note: trunk0: probes of one port come in by another, or two answer one: the \
                 ports lead to a switch that forwards probes, or are cabled together; check the \
                 cables; behind such a switch only the loss of a carrier is noticed\n"
                    .to_string(),
            ),
        ] {
            assert_eq!(said_of(is, reason, own, filtered, in_use), want);
        }
        for is in [FarEnd::Trunk, FarEnd::Aggregate] {
            assert_eq!(said_of(is, FarEndReason::Set, 0, 9, two), none);
        }
        assert_eq!(
            said_of(FarEnd::Aggregate, FarEndReason::OneCopy, 0, 0, two),
            "note: trunk0: no trunk answers, and of each broadcast one copy comes, so its far end is \
             taken for an aggregate; trunkctl set trunk0 far-end aggregate if it is one: then \
             broadcast and multicast leave by all links\n"
        );
    }

    #[test]
    fn a_peer_that_is_no_trunk() {
        let mut patient = healthy();
        mute(&mut patient, 1);
        assert_eq!(
            said(&patient),
            "trunk0: eth2: nobody ever answered its probes, only those of other ports; check \
             where its cable goes\n"
        );
        mute(&mut patient, 0);
        mute(&mut patient, 2);
        let want = "note: trunk0: nobody answers its probes: only the loss of a carrier is \
                    noticed; make the other end a trunk, or trunkctl set trunk0 probe off\n";
        assert_eq!(said(&patient), want);
        patient.statistics[1].counters.probes_refused = Some(9);
        let said_then = said(&patient);
        assert!(
            said_then.contains("noticed, and 9 probes were refused: is the key the same"),
            "{said_then}"
        );
        // A port without carrier is not expected to get answers; few rounds mean nothing.
        sby(&mut patient, 2, Reason::NoCarrier);
        assert!(said(&patient).contains("note: trunk0: nobody answers"));
        patient.group.ports[0].rounds = 49;
        patient.group.ports[1].rounds = 49;
        assert!(!said(&patient).contains("nobody"));

        let mut patient = healthy();
        for port in 0..3 {
            mute(&mut patient, port);
            sby(&mut patient, port, Reason::ProbeTimeout);
        }
        patient.group.trunk.probe = Named::Known(ProbeMode::Required);
        assert_eq!(
            said(&patient).lines().nth(1).unwrap(),
            "trunk0: nobody ever answered its probes, which probe required demands; make the \
             other end a trunk with the same probe-ethertype, or trunkctl set trunk0 probe auto"
        );
        assert_eq!(said(&patient).lines().count(), 2);
        patient.group.trunk.probe = Named::Known(ProbeMode::Off);
        assert!(!said(&patient).contains("nobody"));
    }

    #[test]
    fn replies_that_come_too_late() {
        let mut patient = healthy();
        let counters = &mut patient.statistics[1].counters;
        (counters.replies_received, counters.replies_late) = (Some(297), Some(3));
        assert_eq!(
            said(&patient),
            "trunk0: eth1: replies come after 12.3ms, later than the reply-timeout, 10ms: a queue is \
             full, a machine is busy, or the way is long; trunkctl set trunk0 reply-timeout 20ms\n"
        );
        patient.group.trunk.interval = 10_000;
        let peers = patient.group.ports.iter_mut();
        peers.for_each(|port| port.peer.as_mut().unwrap().interval = 10_000);
        assert!(said(&patient).ends_with("reply-timeout 20ms interval 20ms\n"));
        patient.statistics[1].counters.replies_received = Some(298);
        assert_eq!(said(&patient), "");
        patient.group.ports[0].late = true;
        assert!(said(&patient).contains("eth1: replies come after 12.3ms"));
        assert_eq!(
            [1, 3, 11, 24_691, 50_000].map(nice),
            [1, 5, 20, 50_000, 50_000]
        );
    }

    #[test]
    fn links_that_lose_a_kind_of_frames() {
        let mut patient = healthy();
        sby(&mut patient, 0, Reason::PathSource);
        patient.group.ports[0].loses_source = true;
        assert_eq!(
            said(&patient),
            "trunk0: eth1: its link loses frames from the trunk's own address on their way to the peer: \
             another link carries them, so it is not used; see what checks addresses on the way: a \
             filter of the switch or the hypervisor; for a virtual function ip link set DEV vf N \
             spoofchk off trust on\n"
        );
        let mut patient = healthy();
        patient.group.ports[0].loses_mtu = true;
        assert_eq!(
            said(&patient),
            "trunk0: eth1: its link loses frames as long as the MTU, 1500 bytes on their way to the \
             peer: no other link carries them; check the MTU of the peer and of what lies between, or \
             ip link set trunk0 mtu BYTES\n"
        );
        let mut patient = healthy();
        sby(&mut patient, 0, Reason::PathVlan);
        patient.group.ports[0].loses_vlans = vec![7, 9];
        assert_eq!(
            said(&patient),
            "trunk0: eth1: its link loses frames of VLAN 7, 9 on their way to the peer: another link \
             carries them, so it is not used; let what lies between carry the VLAN on this link as on \
             the others\n"
        );
    }

    #[test]
    fn links_on_which_less_arrives_than_was_sent() {
        let mut patient = healthy();
        let mut said_of = |counted: [Option<[u64; 4]>; 3]| {
            for (port, counted) in patient.group.ports.iter_mut().zip(counted) {
                port.compared = counted.map(|[sent, arrived, peer_sent, peer_arrived]| Compared {
                    time: 90_000_000_000,
                    sent,
                    arrived,
                    peer_sent,
                    peer_arrived,
                });
            }
            said(&patient)
        };
        let sound = Some([1_000, 1_000, 1_000, 1_001]);
        let advice = "check what lies between the ends: fibre, media converter, switch, filters";
        assert_eq!(
            said_of([sound, Some([1_000, 980, 500, 490]), None]),
            format!(
                "trunk0: eth2: of 1000 frames to its peer 980 have arrived lately, by the counters of \
                 both ends; {advice}\n\
                 trunk0: eth2: of 500 frames from its peer 490 have arrived lately, by the counters of \
                 both ends; {advice}\n"
            )
        );
        for counted in [
            // Few are lost, or few were sent.
            [sound, Some([1_000, 981, 499, 0]), sound],
            // Nothing says that both ends count the same.
            [
                None,
                Some([1_000, 0, 1_000, 0]),
                Some([1_000, 990, 1_000, 990]),
            ],
            [None; 3],
        ] {
            assert_eq!(said_of(counted), "");
        }
    }

    #[test]
    fn intervals_that_differ() {
        let mut patient = healthy();
        patient.group.trunk.interval = 25_000;
        let want = "note: trunk0: its interval is 25ms, that of its peer 100ms: one end notices \
                    failures later; trunkctl set trunk0 interval 100ms\n";
        assert_eq!(said(&patient), want);
        patient.group.trunk.interval = 26_000;
        assert_eq!(said(&patient), "");
    }
}
