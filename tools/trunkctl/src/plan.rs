// SPDX-License-Identifier: GPL-2.0

//! Plans: the steps from one state to another, which are taken or only printed.

use std::collections::BTreeMap;
use std::fmt;

use trunk_nl::{BucketHome, Error, Key, LinkSettings, Mac, PortSettings, TrunkSettings, KIND};

use crate::config::{self, PortConfig, TrunkConfig};
use crate::failure::{usage, Failure, Result};
use crate::session::Session;
use crate::words;

/// What there is, as far as a plan may change it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub trunks: BTreeMap<String, TrunkConfig>,
    /// All devices by name.
    pub devices: BTreeMap<String, Device>,
    /// The names of devices by their alternative names.
    pub altnames: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    pub is_trunk: bool,
    /// The device that it is a port of.
    pub master: Option<String>,
    pub up: bool,
    pub address: Option<Mac>,
}

/// The MTU of a new trunk.
const MTU: u32 = 1500;

/// A step. It is shown as its command, and the state before.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Create(String),
    Link {
        trunk: String,
        new: LinkSettings,
        old: LinkSettings,
    },
    Set {
        trunk: String,
        new: Box<TrunkSettings>,
        old: Box<TrunkSettings>,
    },
    Release(String),
    Down(String),
    Enslave {
        port: String,
        trunk: String,
    },
    Port {
        port: String,
        new: PortSettings,
        old: PortSettings,
    },
    /// The device of a port is not there: it joins when it appears.
    Await {
        port: String,
        trunk: String,
        new: PortSettings,
        old: PortSettings,
    },
    /// A missing port is forgotten.
    Forget {
        port: String,
        trunk: String,
    },
    Table {
        trunk: String,
        new: BTreeMap<u32, String>,
        old: BTreeMap<u32, String>,
    },
    /// The kernel does not show the old key, so this cannot be undone.
    Key {
        trunk: String,
        new: Key,
    },
}

/// What a plan may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// A port of another trunk leaves that. Otherwise that is an error.
    pub moves: bool,
    /// A device that is to become a port is brought down if it is up. Otherwise that is an error.
    pub sets_down: bool,
    /// Ports that are not named stay if the trunk has a rule by which they may have joined.
    pub keeps_by_rule: bool,
    /// A port whose device is not there joins when that appears. Otherwise that is an error.
    pub awaits: bool,
}

/// As `add` does.
pub const ADD: Manner = Manner {
    moves: false,
    sets_down: false,
    keeps_by_rule: false,
    awaits: false,
};

/// As `apply` does.
pub const APPLY: Manner = Manner {
    moves: true,
    sets_down: true,
    keeps_by_rule: true,
    awaits: true,
};

/// Restores all exactly.
pub const UNDO: Manner = Manner {
    keeps_by_rule: false,
    ..APPLY
};

impl World {
    /// Returns the name of the device that has that name or alternative name.
    pub fn name<'a>(&'a self, any: &'a str) -> &'a str {
        self.altnames.get(any).map_or(any, String::as_str)
    }

    /// Returns these trunks with the names of their devices where alternative names are.
    pub fn named(&self, wanted: Vec<TrunkConfig>) -> Result<Vec<TrunkConfig>> {
        let name = |any: &mut String| *any = self.name(any).to_string();
        let mut wanted = wanted;
        for trunk in &mut wanted {
            name(&mut trunk.ifname);
            trunk.ports.iter_mut().for_each(|p| name(&mut p.ifname));
            trunk.table.values_mut().for_each(name);
        }
        config::are_different(&wanted)?;
        Ok(wanted)
    }

    /// Reads what there is, with the tables of these trunks.
    pub fn read(session: &mut Session, tables: &[&str]) -> Result<Self> {
        let links = session.links.list()?;
        let name = |ifindex| links.iter().find(|link| link.ifindex == ifindex);
        let devices = links.iter().map(|link| {
            let master = link.master.and_then(name).map(|link| link.ifname.clone());
            let device = Device {
                is_trunk: link.kind.as_deref() == Some(KIND),
                master,
                up: link.up,
                address: link.address.as_slice().try_into().ok().map(Mac),
            };
            (link.ifname.clone(), device)
        });
        let altnames = links.iter().flat_map(|link| {
            let pair = |altname: &String| (altname.clone(), link.ifname.clone());
            link.altnames.iter().map(pair)
        });
        let mut world = Self {
            devices: devices.collect(),
            altnames: altnames.collect(),
            ..Self::default()
        };
        if !world.devices.values().any(|device| device.is_trunk) {
            return Ok(world); // Nor need there be a module.
        }
        let connection = session.connection()?;
        let ports = connection.port_dump(None)?;
        let missing = connection.missing_dump(None)?;
        for trunk in connection.trunk_dump()? {
            let table = match tables.iter().any(|any| world.name(any) == trunk.ifname) {
                true => connection.table_get(trunk.ifindex)?,
                false => Vec::new(),
            };
            // If it has gone since, so have its settings.
            let mtu = name(trunk.ifindex).map_or(MTU, |link| link.mtu);
            let config = TrunkConfig::of(&trunk, mtu, &ports, &missing, &table);
            world.trunks.insert(trunk.ifname, config);
        }
        Ok(world)
    }

    /// Returns the steps from this world to one with these trunks, and changes it to that. Steps
    /// that cannot be undone come last.
    pub fn plan(&mut self, wanted: &[TrunkConfig], manner: Manner) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for trunk in wanted {
            self.plan_trunk(trunk, manner, &mut steps)?;
        }
        for trunk in wanted {
            self.plan_key(trunk, &mut steps);
        }
        Ok(steps)
    }

    fn plan_key(&mut self, wanted: &TrunkConfig, steps: &mut Vec<Step>) {
        let now = self.trunks.get_mut(&wanted.ifname);
        let (Some(now), Some(new)) = (now, wanted.settings.key) else {
            return;
        };
        let none = new == Key::None;
        // It cannot be known whether it is another key.
        if now.keyed || !none {
            let trunk = wanted.ifname.clone();
            steps.push(Step::Key { trunk, new });
        }
        now.keyed = !none;
    }

    fn plan_trunk(
        &mut self,
        wanted: &TrunkConfig,
        manner: Manner,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        let name = &wanted.ifname;
        match self.devices.get(name) {
            Some(device) if !device.is_trunk => return Err(Error::NotATrunk(name.clone()).into()),
            Some(_) => {}
            None => {
                trunk_nl::check_name(name)?;
                steps.push(Step::Create(name.clone()));
                let device = Device {
                    is_trunk: true,
                    ..Device::default()
                };
                self.devices.insert(name.clone(), device);
            }
        }
        let new = || TrunkConfig {
            ifname: name.clone(),
            link: LinkSettings {
                address: None,
                mtu: Some(MTU),
            },
            ..TrunkConfig::default()
        };
        let now = self.trunks.get(name).cloned().unwrap_or_else(new);

        // Before there are ports, which get both.
        let (new, old) = changed_link(&wanted.link, &now.link);
        if !new.is_empty() {
            let trunk = name.clone();
            steps.push(Step::Link { trunk, new, old });
        }

        let (new, old) = changed_trunk(&wanted.settings, &now.settings);
        if !new.is_empty() {
            let trunk = name.clone();
            let (new, old) = (Box::new(new), Box::new(old));
            steps.push(Step::Set { trunk, new, old });
        }

        let (kept, gone): (Vec<_>, Vec<_>) = now.ports.into_iter().partition(|port| {
            let mut wanted = wanted.ports.iter();
            wanted.any(|other| other.ifname == port.ifname)
        });
        let rule = wanted.settings.auto_join.as_ref();
        let rule = rule.or(now.settings.auto_join.as_ref());
        let keep = manner.keeps_by_rule && rule.is_some_and(Option::is_some);
        // A missing port has not joined by a rule.
        let (gone, kept_by_rule): (Vec<_>, Vec<_>) =
            gone.into_iter().partition(|port| port.missing || !keep);
        for PortConfig {
            ifname, missing, ..
        } in gone
        {
            match missing {
                true => steps.push(Step::Forget {
                    port: ifname,
                    trunk: name.clone(),
                }),
                false => self.release(&ifname, steps),
            }
        }
        let mut trunk = TrunkConfig {
            keyed: now.keyed,
            link: LinkSettings {
                address: wanted.link.address.or(now.link.address),
                mtu: wanted.link.mtu.or(now.link.mtu),
            },
            ..wanted.clone()
        };
        for port in &mut trunk.ports {
            let known = kept.iter().find(|kept| kept.ifname == port.ifname);
            let awaited = manner.awaits || known.is_some_and(|known| known.missing);
            port.missing = awaited && !self.devices.contains_key(&port.ifname);
            let old = match known.filter(|known| known.missing == port.missing) {
                Some(known) => known.settings.clone(),
                None if port.missing => {
                    trunk_nl::check_any_name(&port.ifname)?;
                    PortSettings::default()
                }
                None => {
                    self.join(&port.ifname, name, manner, steps)?;
                    PortSettings::default()
                }
            };
            let (new, old) = changed_port(&port.settings, &old);
            let ifname = port.ifname.clone();
            match port.missing {
                true if known.is_none() || !new.is_empty() => steps.push(Step::Await {
                    port: ifname,
                    trunk: name.clone(),
                    new: merged(&port.settings, known),
                    old,
                }),
                false if !new.is_empty() => steps.push(Step::Port {
                    port: ifname,
                    new,
                    old,
                }),
                _ => {}
            }
        }

        // Nothing can be the home of a bucket before it is there.
        let missing = |home: &str| trunk.ports.iter().any(|p| p.missing && p.ifname == home);
        trunk.table = wanted.table.clone();
        trunk.table.retain(|_, home| !missing(home));
        if trunk.table != now.table {
            steps.push(Step::Table {
                trunk: name.clone(),
                new: trunk.table.clone(),
                old: now.table,
            });
        }
        trunk.ports.extend(kept_by_rule);
        self.trunks.insert(name.clone(), trunk);
        Ok(())
    }

    /// Returns the ports whose devices are not there, each after its trunk.
    pub fn missing(&self) -> Vec<(&str, &str)> {
        let trunks = self.trunks.values();
        let missing = trunks.flat_map(|trunk| {
            let ports = trunk.ports.iter().filter(|port| port.missing);
            ports.map(|port| (trunk.ifname.as_str(), port.ifname.as_str()))
        });
        missing.collect()
    }

    fn release(&mut self, port: &str, steps: &mut Vec<Step>) {
        steps.push(Step::Release(port.to_string()));
        for trunk in self.trunks.values_mut() {
            trunk.ports.retain(|other| other.ifname != port);
        }
        if let Some(device) = self.devices.get_mut(port) {
            (device.master, device.up) = (None, false); // The kernel sets it down.
        }
    }

    fn join(
        &mut self,
        port: &str,
        trunk: &str,
        manner: Manner,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        let device = self.devices.get(port);
        let device = device.ok_or_else(|| Error::NoSuchDevice(port.to_string()))?;
        if let Some(master) = &device.master {
            let may = self.trunks.contains_key(master) && manner.moves;
            if !may {
                return Err(usage(format!("{port} is a port of {master} already")));
            }
            self.release(port, steps);
        }
        if self.devices.get(port).is_some_and(|device| device.up) {
            if !manner.sets_down {
                return Err(usage(format!(
                    "{port} is up: set it down first, or give --down"
                )));
            }
            steps.push(Step::Down(port.to_string()));
        }
        steps.push(Step::Enslave {
            port: port.to_string(),
            trunk: trunk.to_string(),
        });
        if let Some(device) = self.devices.get_mut(port) {
            (device.master, device.up) = (Some(trunk.to_string()), true);
        }
        Ok(())
    }
}

/// Returns the wanted settings that differ from the present ones, and the present values of them.
fn changed_trunk(wanted: &TrunkSettings, now: &TrunkSettings) -> (TrunkSettings, TrunkSettings) {
    let (mut new, mut old) = (wanted.clone(), now.clone());
    keep_changed(&mut new.bits, &mut old.bits);
    keep_changed(&mut new.selector, &mut old.selector);
    keep_changed(&mut new.far_end, &mut old.far_end);
    keep_changed(&mut new.min_links, &mut old.min_links);
    keep_changed(&mut new.probe, &mut old.probe);
    keep_changed(&mut new.interval, &mut old.interval);
    keep_changed(&mut new.reply_timeout, &mut old.reply_timeout);
    keep_changed(&mut new.misses, &mut old.misses);
    keep_changed(&mut new.hits, &mut old.hits);
    keep_changed(&mut new.hold_down, &mut old.hold_down);
    keep_changed(&mut new.peers, &mut old.peers);
    keep_changed(&mut new.probe_ethertype, &mut old.probe_ethertype);
    keep_changed(&mut new.probe_address, &mut old.probe_address);
    keep_changed(&mut new.auto_join, &mut old.auto_join);
    (new.key, old.key) = (None, None); // A step of its own.
                                       // A delay belongs to its policy.
    let same = wanted.failback.is_none()
        || (wanted.failback, wanted.failback_delay) == (now.failback, now.failback_delay);
    if same {
        (new.failback, new.failback_delay) = (None, None);
        (old.failback, old.failback_delay) = (None, None);
    }
    if let Some(role) = wanted.role {
        let selector = role.selector();
        let group = role.far_end();
        if (now.selector, now.far_end) == (Some(selector), Some(group)) {
            new.role = None;
        } else {
            (old.selector, old.far_end) = (now.selector, now.far_end);
        }
    }
    (new, old)
}

fn changed_link(wanted: &LinkSettings, now: &LinkSettings) -> (LinkSettings, LinkSettings) {
    let (mut new, mut old) = (wanted.clone(), now.clone());
    keep_changed(&mut new.address, &mut old.address);
    keep_changed(&mut new.mtu, &mut old.mtu);
    (new, old)
}

fn changed_port(wanted: &PortSettings, now: &PortSettings) -> (PortSettings, PortSettings) {
    let (mut new, mut old) = (wanted.clone(), now.clone());
    keep_changed(&mut new.priority, &mut old.priority);
    keep_changed(&mut new.weight, &mut old.weight);
    keep_changed(&mut new.enabled, &mut old.enabled);
    (new, old)
}

/// Returns settings, and where they say nothing, those of the port that was known.
fn merged(settings: &PortSettings, known: Option<&PortConfig>) -> PortSettings {
    let old = known
        .map(|known| known.settings.clone())
        .unwrap_or_default();
    PortSettings {
        priority: settings.priority.or(old.priority),
        weight: settings.weight.or(old.weight),
        enabled: settings.enabled.or(old.enabled),
    }
}

/// Removes both values unless there is a new one that differs.
fn keep_changed<T: PartialEq>(new: &mut Option<T>, old: &mut Option<T>) {
    if new.is_none() || new == old {
        (*new, *old) = (None, None);
    }
}

impl Step {
    fn take(&self, session: &mut Session) -> Result<()> {
        match self {
            Self::Create(trunk) => session.links.create(trunk).map(|_| ())?,
            Self::Link { trunk, new, .. } => {
                let trunk = session.trunk(trunk)?;
                session.links.set(trunk, new)?;
            }
            Self::Set { trunk, new, .. } => {
                let trunk = session.trunk(trunk)?;
                session.connection()?.trunk_set(trunk, new)?;
            }
            Self::Release(port) => {
                let port = session.links.by_name(port)?.ifindex;
                session.links.set_master(port, None)?;
            }
            Self::Down(port) => {
                let port = session.links.by_name(port)?.ifindex;
                session.links.set_up(port, false)?;
            }
            Self::Enslave { port, trunk } => {
                let trunk = session.trunk(trunk)?;
                let port = session.links.by_name(port)?.ifindex;
                session.links.set_master(port, Some(trunk))?;
            }
            Self::Port { port, new, .. } => {
                let port = session.links.by_name(port)?.ifindex;
                session.connection()?.port_set(port, new)?;
            }
            Self::Await {
                port, trunk, new, ..
            } => {
                let trunk = session.trunk(trunk)?;
                session.connection()?.missing_add(trunk, port, new)?;
            }
            Self::Forget { port, trunk } => {
                let trunk = session.trunk(trunk)?;
                session.connection()?.missing_del(trunk, port)?;
            }
            Self::Table { trunk, new, .. } => {
                let trunk = session.trunk(trunk)?;
                let new = new
                    .iter()
                    .map(|(bucket, port)| (*bucket, Some(port.as_str())));
                let homes = homes(session, new)?;
                session.connection()?.table_set(trunk, true, &homes)?;
            }
            Self::Key { trunk, new } => {
                let trunk = session.trunk(trunk)?;
                let settings = TrunkSettings {
                    key: Some(*new),
                    ..TrunkSettings::default()
                };
                session.connection()?.trunk_set(trunk, &settings)?;
            }
        }
        Ok(())
    }
}

/// Returns homes by interface index.
pub fn homes<'a>(
    session: &mut Session,
    homes: impl Iterator<Item = (u32, Option<&'a str>)>,
) -> Result<Vec<BucketHome>> {
    let mut known = BTreeMap::new();
    let mut all = Vec::new();
    for (index, name) in homes {
        let home = match name {
            None => None,
            Some(name) => Some(match known.get(name) {
                Some(ifindex) => *ifindex,
                None => {
                    let ifindex = session.links.by_name(name)?.ifindex;
                    known.insert(name, ifindex);
                    ifindex
                }
            }),
        };
        all.push(BucketHome { index, home });
    }
    Ok(all)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let was = |old: String| match old.is_empty() {
            true => old,
            false => format!("  # was {old}"),
        };
        match self {
            Self::Create(trunk) => write!(f, "add {trunk}"),
            Self::Link { trunk, new, old } => {
                let old = was(words::of_link(old));
                write!(f, "# ip link set {trunk} {}{old}", words::of_link(new))
            }
            Self::Set { trunk, new, old } => {
                let old = was(words::of_trunk(old));
                write!(f, "set {trunk} {}{old}", words::of_trunk(new))
            }
            Self::Release(port) => write!(f, "port del {port}"),
            Self::Down(port) => write!(f, "# ip link set {port} down"),
            Self::Enslave { port, trunk } => write!(f, "port add {port} dev {trunk}"),
            Self::Port { port, new, old } => {
                let old = was(words::of_port(old));
                write!(f, "port set {port} {}{old}", words::of_port(new))
            }
            Self::Await {
                port,
                trunk,
                new,
                old,
            } => {
                let new = words::of_port(new);
                let blank = if new.is_empty() { "" } else { " " };
                let old = was(words::of_port(old));
                write!(f, "port add {port} dev {trunk}{blank}{new} --later{old}")
            }
            Self::Forget { port, .. } => write!(f, "port del {port}"),
            Self::Table { trunk, new, old } => {
                if !old.is_empty() {
                    let old = was(table(old));
                    write!(f, "table reset {trunk}{old}")?;
                }
                if !old.is_empty() && !new.is_empty() {
                    writeln!(f)?;
                }
                if !new.is_empty() {
                    write!(f, "table set {trunk} {}", table(new))?;
                }
                Ok(())
            }
            Self::Key {
                trunk,
                new: Key::None,
            } => write!(f, "set {trunk} key none"),
            Self::Key { trunk, .. } => write!(f, "# set {trunk} key, which is not shown"),
        }
    }
}

/// Returns the commands of steps, one on each line.
pub fn text(steps: &[Step]) -> String {
    steps.iter().map(|step| step.to_string() + "\n").collect()
}

fn table(homes: &BTreeMap<u32, String>) -> String {
    let runs = words::runs(homes);
    let words = runs
        .into_iter()
        .map(|(first, last, port)| format!("{} {port}", words::range(first, last)));
    words.collect::<Vec<_>>().join(" ")
}

/// Takes steps from `before`. If one fails, restores what there was.
pub fn carry_out(session: &mut Session, before: &World, steps: &[Step]) -> Result<()> {
    for (taken, step) in steps.iter().enumerate() {
        if let Err(error) = step.take(session) {
            // A step with several calls may have failed after some of them.
            return Err(match undo(session, before, &steps[..=taken]) {
                Ok(()) => error,
                Err(second) => Failure::Undo(Box::new(error), Box::new(second)),
            });
        }
    }
    Ok(())
}

/// Restores the trunks that steps changed.
fn undo(session: &mut Session, before: &World, steps: &[Step]) -> Result<()> {
    for step in steps {
        let Step::Create(trunk) = step else { continue };
        // This may be the step that failed.
        if !before.devices.contains_key(trunk) {
            match session.links.trunk_by_name(trunk) {
                Ok(link) => session.links.delete(link.ifindex)?,
                Err(Error::NoSuchDevice(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let names: Vec<_> = before.trunks.keys().map(String::as_str).collect();
    let mut now = World::read(session, &names)?;
    let mut wanted: Vec<_> = before.trunks.values().cloned().collect();
    for trunk in &mut wanted {
        // A trunk gets back the address that it had from a port, too.
        let changed = steps.iter().any(|step| match step {
            Step::Link {
                trunk: name, new, ..
            } => *name == trunk.ifname && new.address.is_some(),
            _ => false,
        });
        let device = before.devices.get(&trunk.ifname).filter(|_| changed);
        trunk.link.address = trunk
            .link
            .address
            .or(device.and_then(|device| device.address));
    }
    for step in now.plan(&wanted, UNDO)? {
        step.take(session)?;
    }
    for (name, device) in &before.devices {
        let touched = steps.iter().any(|step| match step {
            Step::Down(port) | Step::Release(port) | Step::Enslave { port, .. } => port == name,
            _ => false,
        });
        if touched && device.up && device.master.is_none() {
            let link = session.links.by_name(name)?;
            session.links.set_up(link.ifindex, true)?;
        }
    }
    Ok(())
}

/// Returns the configuration of a trunk with one more port. One that it has gets those settings.
pub fn with_port(world: &World, trunk: &str, port: PortConfig) -> TrunkConfig {
    let trunk = world.name(trunk);
    let mut wanted = world.trunks.get(trunk).cloned().unwrap_or_default();
    wanted.ifname = trunk.to_string();
    let name = world.name(&port.ifname);
    wanted.ports.retain(|other| other.ifname != name);
    wanted.ports.push(port);
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::fixtures;

    fn steps(world: &mut World, text: &str, manner: Manner) -> Vec<String> {
        let wanted = parse("f", text).unwrap();
        let steps = world.plan(&wanted, manner).unwrap();
        steps.iter().map(Step::to_string).collect()
    }

    fn refused(text: &str, manner: Manner) -> String {
        let wanted = parse("f", text).unwrap();
        let refused = fixtures::world().plan(&wanted, manner);
        refused.unwrap_err().to_string()
    }

    #[test]
    fn a_trunk_is_made_then_set_then_given_ports() {
        let text = "trunk t bits 6 role switch\nport eth5 prio 2\nport eth6\ntable 0-1 eth6 9 eth6";
        let want = [
            "add t",
            "set t bits 6 role switch",
            "# ip link set eth5 down",
            "port add eth5 dev t",
            "port set eth5 prio 2",
            "port add eth6 dev t",
            "table set t 0-1 eth6 9 eth6",
        ];
        assert_eq!(steps(&mut fixtures::world(), text, APPLY), want);
    }

    #[test]
    fn nothing_is_left_to_do_after_it_was_done() {
        let mut world = fixtures::world();
        let saved = crate::config::format(&[fixtures::config()]);
        assert!(steps(&mut world, &saved, APPLY).is_empty());
        let text = "trunk trunk0 bits 6 failback manual\nport eth5 prio 3\nport eth1 disable\n";
        assert!(!steps(&mut world, text, APPLY).is_empty());
        assert!(steps(&mut world, text, APPLY).is_empty());
    }

    #[test]
    fn only_what_differs_is_changed() {
        let text = "\
trunk trunk0 bits 4 selector dmac failback delay 500
port eth1 prio 1 weight 3
port eth2 enable
table 4 eth1 6 eth2
";
        let want = [
            "set trunk0 bits 4 failback delay 500  # was bits 3 failback delay 2000",
            "port del eth3",
            "port set eth1 weight 3  # was weight auto",
            "port set eth2 enable  # was disable",
            "table reset trunk0  # was 4-5 eth1\ntable set trunk0 4 eth1 6 eth2",
        ];
        assert_eq!(steps(&mut fixtures::world(), text, APPLY), want);
        let text = "trunk trunk0 role server\nport eth1\nport eth2\nport eth3";
        let want = ["table reset trunk0  # was 4-5 eth1"];
        assert_eq!(steps(&mut fixtures::world(), text, APPLY), want);
        let text = "trunk trunk0 role switch\nport eth1\nport eth2\nport eth3\ntable 4-5 eth1";
        let want = ["set trunk0 role switch  # was selector dmac far-end auto"];
        assert_eq!(steps(&mut fixtures::world(), text, APPLY), want);
    }

    #[test]
    fn ports_that_may_have_come_by_a_rule_stay() {
        let named = "\nport eth1\nport eth2\ntable 4-5 eth1";
        let text = format!("trunk trunk0 auto-join name eth* prio 2{named}");
        let mut world = fixtures::world();
        let want = ["set trunk0 auto-join name eth* prio 2  # was auto-join none"];
        assert_eq!(steps(&mut world, &text, APPLY), want);
        assert!(steps(&mut world, &text, APPLY).is_empty());
        // Without a new rule, the old one counts.
        let same = format!("trunk trunk0{named}");
        let mut ruled = fixtures::world();
        steps(&mut ruled, &text, APPLY);
        assert!(steps(&mut ruled, &same, APPLY).is_empty());
        let none = format!("trunk trunk0 auto-join none{named}");
        let want = [
            "set trunk0 auto-join none  # was auto-join name eth* prio 2",
            "port del eth3",
        ];
        let mut ruled = fixtures::world();
        steps(&mut ruled, &text, APPLY);
        assert_eq!(steps(&mut ruled, &none, APPLY), want);
        // An undo restores all exactly.
        let exactly = parse("f", &text).unwrap();
        let steps = fixtures::world().plan(&exactly, UNDO);
        assert_eq!(steps.unwrap()[1].to_string(), "port del eth3");
    }

    #[test]
    fn settings_of_probes_are_compared_and_a_key_comes_last() {
        let ports = "\nport eth1\nport eth2\nport eth3\ntable 4-5 eth1";
        let key = "key 000102030405060708090a0b0c0d0e0f";
        let text = format!(
            "trunk trunk0 probe auto interval 20ms hits 3 hold-down off {key}{ports}\ntrunk t {key}"
        );
        let want = [
            "set trunk0 interval 20ms hold-down off  # was interval 100ms hold-down 60s",
            "add t",
            "# set trunk0 key, which is not shown",
            "# set t key, which is not shown",
        ];
        let mut world = fixtures::world();
        assert_eq!(steps(&mut world, &text, APPLY), want);
        // It may be another key.
        assert_eq!(steps(&mut world, &text, APPLY), want[2..]);
        let none = format!("trunk trunk0 key none{ports}");
        let want = ["set trunk0 key none"];
        assert_eq!(steps(&mut world, &none, APPLY), want);
        assert!(steps(&mut world, &none, APPLY).is_empty());
    }

    #[test]
    fn ports_whose_devices_are_not_there_join_later() {
        let text = "trunk t\nport eth6\nport eth8 prio 2\nport eth9\ntable 1 eth8 2 eth6";
        let want = [
            "add t",
            "port add eth6 dev t",
            "port add eth8 dev t prio 2 --later",
            "port add eth9 dev t --later",
            "table set t 2 eth6",
        ];
        let mut world = fixtures::world();
        assert_eq!(steps(&mut world, text, APPLY), want);
        assert_eq!(world.missing(), [("t", "eth8"), ("t", "eth9")]);
        // Nothing is left to do.
        assert!(steps(&mut world, text, APPLY).is_empty());
        // Its settings change, or it is not wanted any more, whatever the rule.
        let text = "trunk t auto-join name x*\nport eth6\nport eth8 weight 3\ntable 2 eth6";
        let want = [
            "set t auto-join name x*",
            "port del eth9",
            "port add eth8 dev t prio 2 weight 3 --later",
        ];
        assert_eq!(steps(&mut world, text, APPLY), want);
        // Whoever adds another port leaves it alone.
        let port = PortConfig {
            ifname: "eth5".into(),
            ..PortConfig::default()
        };
        let wanted = [with_port(&world, "t", port)];
        let told = Manner {
            sets_down: true,
            ..ADD
        };
        let added = world.clone().plan(&wanted, told).unwrap();
        let want = "# ip link set eth5 down\nport add eth5 dev t\n";
        assert_eq!(super::text(&added), want);
        // Its device has come, but has not joined.
        world.devices.insert("eth8".into(), Device::default());
        let want = ["port add eth8 dev t", "port set eth8 weight 3"];
        assert_eq!(steps(&mut world, text, APPLY), want);
        assert!(steps(&mut world, text, APPLY).is_empty());
    }

    #[test]
    fn alternative_names_are_those_of_the_device() {
        let mut world = fixtures::world();
        let altnames = [("enp1s0", "eth1"), ("up", "trunk0"), ("enp6s0", "eth6")];
        world.altnames = altnames.map(|(a, b)| (a.into(), b.into())).into();
        let text = "trunk up\nport enp1s0\nport eth2\nport eth3\nport enp6s0\ntable 4-5 enp1s0";
        let wanted = world.named(parse("f", text).unwrap()).unwrap();
        let steps = world.plan(&wanted, APPLY).unwrap();
        assert_eq!(super::text(&steps), "port add eth6 dev trunk0\n");
        assert!(world.plan(&wanted, APPLY).unwrap().is_empty());
        let twice = parse("f", "trunk trunk0\nport eth1\nport enp1s0").unwrap();
        let refused = world.named(twice).unwrap_err().to_string();
        assert_eq!(refused, "eth1 is named twice");
    }

    #[test]
    fn address_and_mtu_are_set_before_ports_join() {
        let text = "trunk trunk0 mtu 9000\nport eth1\nport eth2\nport eth3\ntable 4-5 eth1\n\
                    trunk t mtu 1500 address 02:00:00:00:12:34 bits 3\nport eth6";
        let want = [
            "# ip link set trunk0 mtu 9000  # was mtu 1500",
            "add t",
            "# ip link set t address 02:00:00:00:12:34",
            "set t bits 3",
            "port add eth6 dev t",
        ];
        let mut world = fixtures::world();
        assert_eq!(steps(&mut world, text, APPLY), want);
        assert!(steps(&mut world, text, APPLY).is_empty());
    }

    /// Tests all kinds of steps, as diff and a dry run print them.
    #[test]
    fn steps_as_text_and_json() {
        let key = "key 000102030405060708090a0b0c0d0e0f";
        let wanted = format!(
            "trunk trunk0 bits 4 failback manual {key}\nport eth1 weight 3\nport eth2\n\
             table 4 eth1 6-7 eth2\n\
             trunk t role switch key none\nport eth3\nport eth5 prio 2\nport eth9 prio 3\n"
        );
        let wanted = parse("f", &wanted).unwrap();
        let mut world = fixtures::world();
        let steps = world.plan(&wanted, APPLY);
        let text = text(&steps.unwrap());
        let lines: Vec<_> = text.lines().collect();
        fixtures::golden("steps.txt", &text);
        fixtures::golden("steps.json", &crate::view::json(&lines, false));
    }

    #[test]
    fn a_port_moves_from_trunk_to_trunk() {
        let text = "trunk t\nport eth3\n";
        let want = ["add t", "port del eth3", "port add eth3 dev t"];
        assert_eq!(steps(&mut fixtures::world(), text, APPLY), want);
        assert_eq!(refused(text, ADD), "eth3 is a port of trunk0 already");
    }

    #[test]
    fn what_cannot_be_is_refused_before_a_step_is_taken() {
        for (text, want) in [
            ("trunk eth5", "\"eth5\" is not a trunk"),
            (
                "trunk t\nport eth/9",
                "\"eth/9\" cannot be the name of a device",
            ),
            ("trunk t\nport eth7", "eth7 is a port of br0 already"),
            ("trunk a/b", "\"a/b\" cannot be the name of a device"),
        ] {
            assert_eq!(refused(text, APPLY), want);
        }
        let want = "there is no device \"eth9\"";
        assert_eq!(refused("trunk t\nport eth9", ADD), want);
    }

    #[test]
    fn devices_that_are_up_are_set_down_only_if_told() {
        let text = "trunk t\nport eth5";
        let want = "eth5 is up: set it down first, or give --down";
        assert_eq!(refused(text, ADD), want);
        let told = Manner {
            sets_down: true,
            ..ADD
        };
        let want = ["add t", "# ip link set eth5 down", "port add eth5 dev t"];
        assert_eq!(steps(&mut fixtures::world(), text, told), want);
    }
}
