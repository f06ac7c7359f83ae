// SPDX-License-Identifier: GPL-2.0

//! Finds what was left on ports, and what does not fit together among them. Commands that make ports
//! warn of the same.

use std::collections::BTreeMap;

use trunk_nl::{Address, Port, Route};

use super::{Finding, Findings};
use crate::failure::Result;
use crate::session::Session;
use crate::view::Group;

/// Returns the findings about the ports of a trunk.
pub fn of(session: &mut Session, group: &Group) -> Result<Vec<Finding>> {
    let addresses = session.links.addresses()?;
    let routes = session.links.routes()?;
    let mut findings = Findings {
        trunk: &group.trunk.ifname,
        all: Vec::new(),
    };
    left(group, &addresses, &routes, &mut findings);
    mixed(group, &BTreeMap::new(), &mut findings);
    Ok(findings.all)
}

/// Finds IP addresses and routes of ports.
pub(super) fn left(
    group: &Group,
    addresses: &[Address],
    routes: &[Route],
    findings: &mut Findings<'_>,
) {
    for port in &group.ports {
        let name = &port.ifname;
        let own = addresses.iter().filter(|a| a.ifindex == port.ifindex);
        let own: Vec<_> = own.map(|address| address.prefix.to_string()).collect();
        if !own.is_empty() {
            findings.warn(
                "address",
                Some(name),
                format!(
                    "it still has {}: hosts of that network are sent to by it, and answer to the trunk",
                    own.join(", ")
                ),
                format!("ip address flush dev {name}, and give the trunk the address"),
            );
        }
        let own = routes.iter().filter(|r| r.ifindex == port.ifindex);
        let own: Vec<_> = own.map(Route::to_string).collect();
        if !own.is_empty() {
            findings.warn(
                "route",
                Some(name),
                format!("a route still leads by it: {}", own.join(", ")),
                format!("ip route flush dev {name}, and set the route by the trunk"),
            );
        }
    }
}

/// Finds weights of which some follow the speed and some do not. Where `speeds` are known, by interface
/// index, it is for the shares to fit these.
pub(super) fn mixed(group: &Group, speeds: &BTreeMap<u32, u32>, findings: &mut Findings<'_>) {
    let unknown = |port: &&Port| port.priority == 1 && !speeds.contains_key(&port.ifindex);
    let working = || group.ports.iter().filter(unknown);
    let by_speed = working().find(|port| port.weight == 0);
    let by_number = working().find(|port| port.weight != 0);
    let (Some(auto), Some(number)) = (by_speed, by_number) else {
        return;
    };
    let Port { share, .. } = auto;
    findings.warn(
        "mixed-weights",
        Some(&auto.ifname),
        format!(
            "its weight is auto, which counts as {share} by its speed, that of {} is {}",
            number.ifname, number.weight
        ),
        format!(
            "use auto for all working ports, or for none: trunkctl port set {} weight auto",
            number.ifname
        ),
    );
}
