// SPDX-License-Identifier: GPL-2.0

//! Carries out the commands.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use trunk_nl::{Clock, Error, PortSettings, Statistics};

use crate::cli::{
    ClaimCommand, Cli, Command, Options, PortCommand, TableCommand, TrunkCommand, When,
};
use crate::config::{self, PortConfig, TrunkConfig};
use crate::doctor;
use crate::failure::{usage, Failure, Result};
use crate::monitor::{self, Filter, Format};
use crate::plan::{self, Manner, World};
use crate::session::Session;
use crate::text::{self, Look};
use crate::view::{
    json, ClaimView, EventView, Group, PortView, StatisticsView, TableView, TrunkView,
};
use crate::words::Words;
use crate::{claim, complete, man, pin, prometheus};

/// The exit status if a comparison found something.
const FOUND: u8 = 1;

/// The exit status if all was done but what needs a device that is not there.
const MISSING: u8 = 3;

/// A command, its output and the kernel.
pub struct Run<'a, W> {
    pub session: &'a mut Session,
    pub options: Options,
    pub out: &'a mut W,
}

impl Options {
    pub fn look(&self) -> Look {
        let environment = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let terminal = || {
            environment("NO_COLOR").is_none()
                && environment("TERM").is_none_or(|term| term != "dumb")
                && io::stdout().is_terminal()
        };
        Look {
            color: match self.color {
                When::Always => true,
                When::Never => false,
                When::Auto => terminal(),
            },
            details: self.details,
            statistics: self.statistics,
            brief: self.brief,
            oneline: self.oneline,
            timestamp: self.timestamp,
            human: self.human,
        }
    }
}

/// Carries out a command line. Returns the exit status.
pub fn run(cli: Cli, out: &mut impl Write) -> Result<u8> {
    match (&cli.batch, cli.command) {
        (Some(_), Some(_)) => Err(usage("--batch takes its commands from a file")),
        (Some(file), None) => batch(file, cli.force, &cli.options, out),
        // These need no kernel.
        (None, Some(Command::Completion { shell })) => {
            out.write_all(complete::script(shell).as_bytes())?;
            Ok(0)
        }
        (None, Some(Command::Man { directory })) => {
            write_pages(&directory)?;
            Ok(0)
        }
        (None, command) => {
            let mut session = Session::open(cli.options.netns.as_deref())?;
            let mut run = Run {
                session: &mut session,
                options: cli.options,
                out,
            };
            run.command(command)
        }
    }
}

fn write_pages(directory: &Path) -> Result<()> {
    let failed = |error| Failure::File(directory.display().to_string(), error);
    fs::create_dir_all(directory).map_err(failed)?;
    for (name, page) in man::pages().map_err(failed)? {
        fs::write(directory.join(name), page).map_err(failed)?;
    }
    Ok(())
}

/// Returns the name of a file for messages, and its contents.
fn read(file: &Path) -> Result<(String, String)> {
    let name = file.display().to_string();
    let mut text = String::new();
    let done = match name.as_str() {
        "-" => io::stdin().read_to_string(&mut text).map(|_| text),
        _ => fs::read_to_string(file),
    };
    match done {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Failure::File(name, error)),
    }
}

/// Carries out a command for each line. Stops at the first one that fails, unless `force`. Fails if
/// one of them failed.
fn batch(file: &Path, force: bool, options: &Options, out: &mut impl Write) -> Result<u8> {
    use clap::Parser;
    let (name, text) = read(file)?;
    let mut session = Session::open(options.netns.as_deref())?;
    let mut status = 0;
    for (number, line) in text.lines().enumerate() {
        let words = config::split(line);
        if words.is_empty() {
            continue;
        }
        let words = ["trunkctl".to_string()].into_iter().chain(words);
        let done = match Cli::try_parse_from(crate::cli::normalized(words)) {
            Ok(cli) if cli.batch.is_some() || cli.options.netns.is_some() => {
                Err(usage("neither --batch nor --netns within a batch"))
            }
            Ok(Cli {
                command: Some(Command::Claim { command: None, .. }),
                ..
            }) => Err(usage(
                "claim needs a process of its own, so it cannot be in a batch",
            )),
            Ok(Cli {
                command: Some(Command::Pin { .. }),
                ..
            }) => Err(usage(
                "pin needs a process of its own, so it cannot be in a batch",
            )),
            Ok(cli) => {
                let mut run = Run {
                    session: &mut session,
                    options: options.clone().with(&cli.options),
                    out,
                };
                run.command(cli.command)
            }
            Err(error) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                Err(usage(first.strip_prefix("error: ").unwrap_or(first)))
            }
        };
        match done {
            Ok(0) => {}
            Ok(_) => status = 1,
            Err(Failure::Pipe) => return Err(Failure::Pipe),
            Err(failure) => {
                out.flush()?;
                let place = format!("Command failed {name}:{}", number + 1);
                let lines = failure.line().into_iter().chain([place]);
                eprintln!("{}", lines.collect::<Vec<_>>().join("\n"));
                status = 1;
                if !force {
                    return Err(Failure::Said(status));
                }
            }
        }
    }
    Ok(status)
}

impl Options {
    /// Returns these options together with those of a line of a batch.
    fn with(mut self, line: &Self) -> Self {
        self.json |= line.json;
        self.pretty |= line.pretty;
        self.details |= line.details;
        self.brief |= line.brief;
        self.oneline |= line.oneline;
        self.timestamp |= line.timestamp;
        self.human |= line.human;
        self.statistics = self.statistics.max(line.statistics);
        self
    }
}

impl<W: Write> Run<'_, W> {
    pub fn command(&mut self, command: Option<Command>) -> Result<u8> {
        let show = || TrunkCommand::Show {
            words: Vec::new(),
            config: false,
        };
        match command {
            None => self.trunk(show()),
            Some(Command::Trunk(command)) => self.trunk(command),
            Some(Command::TrunkObject { command }) => self.trunk(command.unwrap_or_else(show)),
            Some(Command::Port { command }) => {
                self.port(command.unwrap_or(PortCommand::Show { words: Vec::new() }))
            }
            Some(Command::Table { command }) => {
                self.table(command.unwrap_or(TableCommand::Show { words: Vec::new() }))
            }
            Some(Command::Stats { words, prometheus }) => self.stats(&words, prometheus),
            Some(Command::Monitor { words }) => {
                let filter = Filter::parse(&mut Words::new(&words))?;
                let format = self.format();
                monitor::run(self.session, &filter, &format, self.out)?;
                Ok(0)
            }
            Some(Command::Pin { words }) => {
                let wish = pin::Wish::parse(&mut Words::new(&words))?;
                let format = self.format();
                pin::run(self.session, &wish, &format, self.out)?;
                Ok(0)
            }
            Some(Command::Watch { words }) => self.watch(optional(&words)?),
            Some(Command::Claim {
                command: Some(ClaimCommand::Show { words }),
                ..
            }) => self.claim_show(optional(&words)?),
            Some(Command::Claim { words, program, .. }) => {
                let wish = Words::new(&words).claim()?;
                let format = self.format();
                claim::hold(self.session, &wish, &program, &format, self.out)
            }
            Some(Command::History { words }) => self.history(optional(&words)?),
            Some(Command::Save { words }) => self.save(optional(&words)?),
            Some(Command::Apply { file, dry_run }) => self.apply(&file, dry_run),
            Some(Command::Diff { file }) => self.diff(&file),
            Some(Command::Doctor { words }) => self.doctor(optional(&words)?),
            Some(Command::Completion { .. } | Command::Man { .. }) => {
                Err(usage("not within a batch"))
            }
        }
    }

    fn format(&self) -> Format {
        Format {
            json: self.options.json,
            look: self.look(),
        }
    }

    fn look(&self) -> Look {
        let mut look = self.options.look();
        look.color &= !self.options.json;
        look
    }

    /// Prints JSON or text.
    fn print<T: serde::Serialize>(
        &mut self,
        views: &T,
        text: impl FnOnce(&Look) -> String,
    ) -> Result<u8> {
        let text = match self.options.json {
            true => json(views, self.options.pretty),
            false => text(&self.look()),
        };
        self.out.write_all(text.as_bytes())?;
        Ok(0)
    }

    fn trunk(&mut self, command: TrunkCommand) -> Result<u8> {
        match command {
            TrunkCommand::Show {
                words,
                config: true,
            } => self.save(optional(&words)?),
            TrunkCommand::Show { words, .. } => {
                let groups = self.session.groups(optional(&words)?.as_deref())?;
                let statistics = self.statistics_of(&groups)?;
                let views: Vec<_> = groups
                    .iter()
                    .map(|group| TrunkView::new(group, &statistics))
                    .collect();
                self.print(&views, |look| text::trunks(&groups, &statistics, look))
            }
            TrunkCommand::Set { words } => {
                let mut words = Words::new(&words);
                let name = words.device()?;
                let settings = words.trunk_settings()?;
                words.end()?;
                if settings.is_empty() {
                    return Err(usage("there is nothing to be set"));
                }
                let trunk = self.session.trunk(name)?;
                self.session.connection()?.trunk_set(trunk, &settings)?;
                Ok(0)
            }
            TrunkCommand::Add { words, down } => {
                let mut words = Words::new(&words);
                let name = words.device()?;
                let wanted = TrunkConfig::parse(name, &mut words)?;
                let before = World::read(self.session, &[])?;
                if before.devices.contains_key(before.name(name)) {
                    return Err(usage(format!("there is a device {name} already")));
                }
                let wanted = before.named(vec![wanted])?;
                let manner = Manner {
                    sets_down: down,
                    ..plan::ADD
                };
                let steps = before.clone().plan(&wanted, manner)?;
                plan::carry_out(self.session, &before, &steps)?;
                self.warn_of_ports(&[name])?;
                Ok(0)
            }
            TrunkCommand::Del { words } => {
                let trunk = self.session.trunk(&only(&words)?)?;
                self.session.links.delete(trunk)?;
                Ok(0)
            }
            TrunkCommand::Failback { words } => self.failback(&words),
        }
    }

    fn failback(&mut self, words: &[String]) -> Result<u8> {
        let mut words = Words::new(words);
        let name = words.device()?;
        let link = self.session.links.by_name(name)?;
        let (trunk, port) = match link.is_trunk() {
            true if words.skip("port") => {
                let port = words.value("port")?;
                (link.ifindex, Some(self.session.port_link(port)?.ifindex))
            }
            true => (link.ifindex, None),
            false => {
                let link = self.session.port_link(name)?;
                let not = || Error::NotAPort(name.to_string());
                (link.master.ok_or_else(not)?, Some(link.ifindex))
            }
        };
        words.end()?;
        self.session.connection()?.failback(trunk, port)?;
        Ok(0)
    }

    /// Returns the counters of trunks and their ports, if they are to be shown.
    fn statistics_of(&mut self, groups: &[Group]) -> Result<Vec<Statistics>> {
        if self.options.statistics == 0 || groups.is_empty() {
            return Ok(Vec::new());
        }
        let trunk = match groups {
            [group] => Some(group.trunk.ifindex),
            _ => None,
        };
        Ok(self.session.connection()?.stats_dump(trunk)?)
    }

    fn port(&mut self, command: PortCommand) -> Result<u8> {
        match command {
            PortCommand::Show { words } => self.port_show(&words),
            PortCommand::Set { words } => {
                let mut words = Words::new(&words);
                let name = words.device()?;
                let settings = words.port_settings()?;
                words.end()?;
                if settings.is_empty() {
                    return Err(usage("there is nothing to be set"));
                }
                let port = self.session.port_link(name)?.ifindex;
                self.session.connection()?.port_set(port, &settings)?;
                if settings.weight.is_some() || settings.priority.is_some() {
                    let port = self.session.connection()?.port_get(port)?;
                    self.warn_of_ports(&[&port.trunk_name])?;
                }
                Ok(0)
            }
            PortCommand::Add { words, down, later } => self.port_add(&words, down, later),
            PortCommand::Del { name } => self.port_del(&name),
        }
    }

    fn port_show(&mut self, words: &[String]) -> Result<u8> {
        let name = optional(words)?;
        let port = match &name {
            None => None,
            Some(name) => Some(self.session.links.by_name(name)?).filter(|link| !link.is_trunk()),
        };
        let groups = match &port {
            None => self.session.groups(name.as_deref())?,
            Some(port) => {
                let port = self.session.port_link(&port.ifname)?;
                let not = || Error::NotAPort(port.ifname.clone());
                let trunk = self.session.links.by_index(port.master.ok_or_else(not)?)?;
                self.session.groups(Some(&trunk.ifname))?
            }
        };
        let statistics = self.statistics_of(&groups)?;
        let clock = Clock::now();
        let views: Vec<_> = groups
            .iter()
            .flat_map(|group| group.ports.iter().map(move |port| (group, port)))
            .filter(|(_, other)| {
                port.as_ref()
                    .is_none_or(|port| port.ifindex == other.ifindex)
            })
            .map(|(group, port)| PortView::new(port, &group.ports, &statistics, clock))
            .collect();
        self.print(&views, |look| text::ports(&views, look))
    }

    /// Releases a port, or forgets a missing one.
    fn port_del(&mut self, name: &str) -> Result<u8> {
        match self.session.port_link(name) {
            Ok(port) => self.session.links.set_master(port.ifindex, None)?,
            Err(error) => {
                let trunks = self.session.links.trunks()?;
                let missing = match trunks.is_empty() {
                    true => Vec::new(),
                    false => self.session.connection()?.missing_dump(None)?,
                };
                let port = missing.iter().find(|port| port.ifname == name);
                let trunk = port.ok_or(error)?.trunk;
                self.session.connection()?.missing_del(trunk, name)?;
            }
        }
        Ok(0)
    }

    fn port_add(&mut self, words: &[String], down: bool, later: bool) -> Result<u8> {
        let mut words = Words::new(words);
        let ifname = words.device()?.to_string();
        if !words.skip("dev") && !words.skip("master") {
            return Err(usage(format!(
                "port add {ifname}: dev and a trunk are missing"
            )));
        }
        let trunk = words.value("dev")?;
        let settings: PortSettings = words.port_settings()?;
        words.end()?;
        self.session.trunk(trunk)?;
        let before = World::read(self.session, &[trunk])?;
        let port = PortConfig {
            ifname,
            settings,
            missing: false,
        };
        let wanted = plan::with_port(&before, trunk, port);
        let manner = Manner {
            sets_down: down,
            awaits: later,
            ..plan::ADD
        };
        let wanted = before.named(vec![wanted])?;
        let steps = before.clone().plan(&wanted, manner)?;
        plan::carry_out(self.session, &before, &steps)?;
        self.warn_of_ports(&[trunk])?;
        Ok(0)
    }

    /// Warns of what was left on the ports of trunks, and of what does not fit together there.
    fn warn_of_ports(&mut self, trunks: &[&str]) -> Result<()> {
        for trunk in trunks {
            for group in self.session.groups(Some(trunk))? {
                for finding in doctor::ports::of(self.session, &group)? {
                    warn(&finding.to_string());
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, command: TableCommand) -> Result<u8> {
        match command {
            TableCommand::Show { words } => {
                let groups = self.session.groups(optional(&words)?.as_deref())?;
                let mut views = Vec::new();
                for group in &groups {
                    let table = self.session.connection()?.table_get(group.trunk.ifindex)?;
                    views.push(TableView::new(group, &table));
                }
                self.print(&views, |look| {
                    let all = groups.iter().zip(&views);
                    all.map(|(group, view)| text::table(group, view, look))
                        .collect()
                })
            }
            TableCommand::Set { words } => {
                let mut words = Words::new(&words);
                let trunk = words.device()?;
                let homes = words.homes()?;
                if homes.is_empty() {
                    return Err(usage("there is nothing to be set"));
                }
                let trunk = self.session.trunk(trunk)?;
                let homes = homes
                    .iter()
                    .map(|(bucket, home)| (*bucket, home.as_deref()));
                let homes = plan::homes(self.session, homes)?;
                self.session.connection()?.table_set(trunk, false, &homes)?;
                Ok(0)
            }
            TableCommand::Reset { words } => {
                let trunk = self.session.trunk(&only(&words)?)?;
                self.session.connection()?.table_set(trunk, true, &[])?;
                Ok(0)
            }
        }
    }

    fn stats(&mut self, words: &[String], prometheus: bool) -> Result<u8> {
        let (resets, names): (Vec<_>, Vec<_>) =
            words.iter().cloned().partition(|word| word == "reset");
        let name = optional(&names)?;
        let groups = self.session.groups(name.as_deref())?;
        if !resets.is_empty() {
            if prometheus {
                return Err(usage(
                    "reset prints nothing, so it cannot have --prometheus",
                ));
            }
            for group in &groups {
                self.session
                    .connection()?
                    .stats_reset(group.trunk.ifindex)?;
            }
            return Ok(0);
        }
        let trunk = name.and(groups.first()).map(|group| group.trunk.ifindex);
        let statistics = self.session.connection()?.stats_dump(trunk)?;
        if prometheus {
            let text = prometheus::text(&groups, &statistics);
            self.out.write_all(text.as_bytes())?;
            return Ok(0);
        }
        let views = StatisticsView::all(&statistics);
        self.print(&views, |look| text::statistics(&statistics, look))
    }

    fn history(&mut self, name: Option<String>) -> Result<u8> {
        let trunks = match name {
            Some(name) => vec![self.session.trunk(&name)?],
            None => self
                .session
                .links
                .trunks()?
                .iter()
                .map(|link| link.ifindex)
                .collect(),
        };
        let mut events = Vec::new();
        for trunk in trunks {
            events.extend(self.session.connection()?.history_get(trunk)?);
        }
        events.sort_by_key(|event| event.time);
        let clock = Clock::now();
        let views: Vec<_> = events
            .iter()
            .map(|event| EventView::new(event, clock))
            .collect();
        self.print(&views, |look| text::history(&views, look))
    }

    fn claim_show(&mut self, name: Option<String>) -> Result<u8> {
        let trunk = match name {
            Some(name) => Some(self.session.trunk(&name)?),
            None => None,
        };
        let claims = self.session.connection()?.claim_dump(trunk)?;
        let links = self.session.links.list()?;
        let name = |ifindex| {
            let link = links.iter().find(|link| link.ifindex == ifindex);
            link.map_or_else(|| format!("if{ifindex}"), |link| link.ifname.clone())
        };
        let views: Vec<_> = claims
            .iter()
            .map(|claim| ClaimView::new(claim, name))
            .collect();
        self.print(&views, |look| text::claims(&views, look))
    }

    fn save(&mut self, name: Option<String>) -> Result<u8> {
        let mut configs = Vec::new();
        for group in self.session.groups(name.as_deref())? {
            let table = self.session.connection()?.table_get(group.trunk.ifindex)?;
            let Group {
                link,
                trunk,
                ports,
                missing,
            } = &group;
            configs.push(TrunkConfig::of(trunk, link.mtu, ports, missing, &table));
        }
        self.print(&configs, |_| config::format(&configs))
    }

    /// Returns what there is, the steps to what a file describes, and what will be there.
    fn plan(&mut self, file: &Path) -> Result<(World, Vec<plan::Step>, World)> {
        let (name, text) = read(file)?;
        let wanted = config::parse(&name, &text)?;
        let names: Vec<_> = wanted.iter().map(|trunk| trunk.ifname.as_str()).collect();
        let mut before = World::read(self.session, &names)?;
        let wanted = before.named(wanted)?;
        let mut names: Vec<_> = wanted.iter().map(|trunk| trunk.ifname.as_str()).collect();
        // A trunk that loses a port may lose homes too. To undo that takes its table.
        let losing: Vec<_> = wanted
            .iter()
            .flat_map(|trunk| &trunk.ports)
            .filter_map(|port| before.devices.get(&port.ifname)?.master.clone())
            .collect();
        if losing.iter().any(|trunk| !names.contains(&trunk.as_str())) {
            names.extend(losing.iter().map(String::as_str));
            before = World::read(self.session, &names)?;
        }
        let mut after = before.clone();
        let steps = after.plan(&wanted, plan::APPLY)?;
        after
            .trunks
            .retain(|name, _| wanted.iter().any(|trunk| trunk.ifname == *name));
        Ok((before, steps, after))
    }

    /// Warns of devices that are not there. Returns the exit status.
    fn missing(&mut self, after: &World) -> Result<u8> {
        // After what is on standard output.
        self.out.flush()?;
        let missing = after.missing();
        for (trunk, port) in &missing {
            warn(&format!(
                "{trunk}: there is no device \"{port}\"; it joins when it appears"
            ));
        }
        Ok(if missing.is_empty() { 0 } else { MISSING })
    }

    fn print_steps(&mut self, steps: &[plan::Step]) -> Result<()> {
        let text = plan::text(steps);
        let views: Vec<_> = text.lines().collect();
        self.print(&views, |_| text.clone())?;
        Ok(())
    }

    fn apply(&mut self, file: &Path, dry_run: bool) -> Result<u8> {
        let (before, steps, after) = self.plan(file)?;
        match dry_run {
            true => self.print_steps(&steps)?,
            false => {
                plan::carry_out(self.session, &before, &steps)?;
                let trunks: Vec<_> = after.trunks.keys().map(String::as_str).collect();
                self.warn_of_ports(&trunks)?;
            }
        }
        self.missing(&after)
    }

    fn diff(&mut self, file: &Path) -> Result<u8> {
        let (_, steps, after) = self.plan(file)?;
        self.print_steps(&steps)?;
        let missing = self.missing(&after)?;
        Ok(if steps.is_empty() { missing } else { FOUND })
    }

    fn doctor(&mut self, name: Option<String>) -> Result<u8> {
        let findings = doctor::examine(self.session, name.as_deref())?;
        self.print(&findings, |_| doctor::text(&findings))?;
        Ok(if doctor::is_ill(&findings) { FOUND } else { 0 })
    }

    #[cfg(feature = "watch")]
    fn watch(&mut self, trunk: Option<String>) -> Result<u8> {
        crate::watch::run(&crate::watch::Options {
            netns: self.options.netns.clone(),
            trunk,
            look: self.look(),
        })?;
        Ok(0)
    }

    #[cfg(not(feature = "watch"))]
    fn watch(&mut self, _: Option<String>) -> Result<u8> {
        Err(usage("this program was built without the live screen"))
    }
}

/// Tells the user of something that does not keep a command from succeeding.
fn warn(text: &str) {
    eprintln!("Warning: {text}.");
}

/// Returns the device that words name. Fails if there are other words.
fn only(words: &[String]) -> Result<String> {
    let mut words = Words::new(words);
    let name = words.device()?.to_string();
    words.end()?;
    Ok(name)
}

/// Returns the device that words name, or none if there are no words.
fn optional(words: &[String]) -> Result<Option<String>> {
    match words {
        [] => Ok(None),
        words => only(words).map(Some),
    }
}
