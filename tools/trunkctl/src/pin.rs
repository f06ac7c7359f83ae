// SPDX-License-Identifier: GPL-2.0

//! Pins the addresses behind trunks, in the bridges that the trunks are ports of.
//!
//! Frames of a server between two switches also arrive by the link between the switches. That is
//! not a move. So each switch pins the server's address to the trunk in its bridge while the trunk
//! has a usable link to the server. Otherwise it does not, and reaches the server by the other
//! switch.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level;
use trunk_nl::uapi::State;
use trunk_nl::{Error, Events, Link, LinkChanges, Mac, Port};

use crate::failure::{usage, Failure, Result};
use crate::monitor::Format;
use crate::session::Session;
use crate::time;
use crate::view::json;
use crate::words::Words;

/// Everything is read again at least this often. There are no events for entries that age, a bridge
/// that is flushed or gets another VLAN, and a peer that gets another address.
const TURN: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// What the user wants to be pinned.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    /// The trunks; all if there are none.
    trunks: Vec<String>,
    /// Addresses behind the only trunk, besides those of its peers.
    addresses: Vec<Mac>,
}

impl Wish {
    pub fn parse(words: &mut Words<'_>) -> Result<Self> {
        let mut wish = Self::default();
        while let Some(word) = words.next() {
            match word {
                "address" => {
                    let address: Mac = words
                        .value("address")?
                        .parse()
                        .map_err(|why| usage(format!("address: {why}")))?;
                    if !is_station(address) {
                        return Err(usage(format!(
                            "address: {address} is not the address of a station"
                        )));
                    }
                    wish.addresses.push(address);
                }
                "dev" => wish.trunks.push(words.value("dev")?.to_string()),
                name => wish.trunks.push(name.to_string()),
            }
        }
        match wish.addresses.is_empty() || wish.trunks.len() == 1 {
            true => Ok(wish),
            false => Err(usage("address: name the one trunk that it is behind")),
        }
    }

    fn names(&self, trunk: &Link) -> bool {
        self.trunks.is_empty() || self.trunks.iter().any(|name| trunk.has_name(name))
    }
}

/// Returns whether a single station may have the address.
fn is_station(address: Mac) -> bool {
    address.0[0] & 1 == 0 && address.0 != [0; 6]
}

/// An address at a trunk that is a port of a bridge: interface indices of both, and the bytes.
type Place = (u32, u32, [u8; 6]);

/// Returns what is to be pinned, for these devices and ports of trunks.
fn wanted(wish: &Wish, links: &[Link], ports: &[Port]) -> BTreeSet<Place> {
    // Without the bridge's own address, which it would not find any more.
    let own = |address: &Mac| links.iter().any(|link| link.address == address.0);
    let mut wanted = BTreeSet::new();
    let trunks = links.iter().filter(|link| link.is_trunk() && link.learning);
    for trunk in trunks.filter(|link| wish.names(link)) {
        let Some(bridge) = trunk.master else { continue };
        let usable = |port: &&Port| port.trunk == trunk.ifindex && port.state == State::Act;
        let usable: Vec<_> = ports.iter().filter(usable).collect();
        let peers = usable.iter().filter_map(|port| port.peer.as_ref()?.address);
        let others = wish.addresses.iter().filter(|_| !usable.is_empty());
        let addresses = peers.chain(others.copied());
        for address in addresses.filter(|address| is_station(*address) && !own(address)) {
            wanted.insert((bridge, trunk.ifindex, address.0));
        }
    }
    wanted
}

/// A line about a place.
#[derive(Debug, Serialize)]
pub struct PinView<'a> {
    /// `pin` or `unpin`.
    pub event: &'static str,
    /// UTC.
    pub time: String,
    pub bridge: &'a str,
    pub trunk: &'a str,
    pub address: Mac,
}

fn line(view: &PinView<'_>, format: &Format) -> String {
    if format.json {
        return json(view, false);
    }
    let stamp = match format.look.timestamp {
        true => format!("[{}] ", view.time),
        false => String::new(),
    };
    let not = if view.event == "pin" {
        ""
    } else {
        "no longer "
    };
    let PinView {
        bridge,
        trunk,
        address,
        ..
    } = view;
    format!("{stamp}{bridge}: {address} {not}pinned to {trunk}\n")
}

/// Pins addresses and follows changes until a signal ends it. Then no address is pinned any more.
pub fn run(
    session: &mut Session,
    wish: &Wish,
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    let mut pinned = BTreeMap::new();
    let done = follow(session, wish, format, &mut pinned, out);
    // Unpins them, also if this has failed.
    let mut ended = Ok(());
    for (place, names) in pinned {
        let undone = unpin(session, place, &names, format, out);
        ended = ended.and(undone);
    }
    done.and(ended)
}

/// Names of a bridge and a trunk, which may have gone when they are printed.
type Names = (String, String);

fn follow(
    session: &mut Session,
    wish: &Wish,
    format: &Format,
    pinned: &mut BTreeMap<Place, Names>,
    out: &mut impl Write,
) -> Result<()> {
    let failed = |error| Failure::File("signals".to_string(), error);
    let (ended, waker) = UnixStream::pair().map_err(failed)?;
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let waker = waker.try_clone().map_err(failed)?;
        low_level::pipe::register(signal, waker).map_err(failed)?;
    }
    let mut changes = LinkChanges::open(session.netns())?;
    let mut events: Option<Events> = None;
    let mut known = Vec::new();
    loop {
        // The state that is read next includes all changes so far.
        changes.take()?;
        if let Some(events) = &mut events {
            while events.next_within(Some(Duration::ZERO))?.is_some() {}
        }

        let links = session.links.list()?;
        let trunks = trunks(&links);
        if trunks != known {
            // The module may have been loaded again.
            session.reconnect();
            events = None;
            if !trunks.is_empty() {
                events = some_unless_gone(session, &trunks, |session| {
                    Ok(session.connection()?.subscribe()?)
                })?;
            }
            // Otherwise it tries again later.
            known = if events.is_some() {
                trunks.clone()
            } else {
                Vec::new()
            };
        }
        let ports = match events {
            Some(_) => some_unless_gone(session, &trunks, |session| {
                Ok(session.connection()?.port_dump(None)?)
            })?,
            None => None,
        };
        let wanted = wanted(wish, &links, &ports.unwrap_or_default());
        settle(session, &links, &wanted, format, pinned, out)?;

        let mut fds = vec![
            PollFd::new(&ended, PollFlags::IN),
            PollFd::new(&changes, PollFlags::IN),
        ];
        if let Some(events) = &events {
            fds.push(PollFd::from_borrowed_fd(events.as_fd(), PollFlags::IN));
        }
        match poll(&mut fds, Some(&TURN)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::from(std::io::Error::from(errno))),
        }
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
    }
}

/// Returns the trunks among devices, by interface index.
fn trunks(links: &[Link]) -> Vec<u32> {
    let trunks = links.iter().filter(|link| link.is_trunk());
    trunks.map(|link| link.ifindex).collect()
}

/// Returns what `ask` returns, or nothing if it failed because trunks have gone.
fn some_unless_gone<T>(
    session: &mut Session,
    before: &[u32],
    ask: impl FnOnce(&mut Session) -> Result<T>,
) -> Result<Option<T>> {
    match ask(session) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => match trunks(&session.links.list()?) == before {
            true => Err(error),
            false => Ok(None),
        },
    }
}

/// Pins what is `wanted`, and unpins the rest.
fn settle(
    session: &mut Session,
    links: &[Link],
    wanted: &BTreeSet<Place>,
    format: &Format,
    pinned: &mut BTreeMap<Place, Names>,
    out: &mut impl Write,
) -> Result<()> {
    let over = pinned.keys().filter(|place| !wanted.contains(*place));
    for place in over.copied().collect::<Vec<_>>() {
        if let Some(names) = pinned.remove(&place) {
            unpin(session, place, &names, format, out)?;
        }
    }
    for place in wanted {
        let (bridge, trunk, octets) = *place;
        match session.links.pin(trunk, Mac(octets)) {
            Ok(()) => {}
            // No error if the bridge has ceased to learn from the port: that is noticed next.
            Err(error) => match session.links.by_index(trunk) {
                Ok(link) if link.learning && link.master == Some(bridge) => {
                    return Err(error.into())
                }
                Ok(_) | Err(Error::NoSuchDevice(_)) => continue,
                Err(error) => return Err(error.into()),
            },
        }
        let name = |ifindex| {
            let link = links.iter().find(|link| link.ifindex == ifindex);
            link.map_or_else(|| format!("if{ifindex}"), |link| link.ifname.clone())
        };
        let names = (name(bridge), name(trunk));
        if pinned.insert(*place, names.clone()).is_none() {
            tell("pin", *place, &names, format, out)?;
        }
    }
    Ok(())
}

fn unpin(
    session: &mut Session,
    place: Place,
    names: &Names,
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    session.links.unpin(place.1, Mac(place.2))?;
    tell("unpin", place, names, format, out)
}

fn tell(
    event: &'static str,
    place: Place,
    names: &Names,
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    let view = PinView {
        event,
        time: time::utc(SystemTime::now()),
        bridge: &names.0,
        trunk: &names.1,
        address: Mac(place.2),
    };
    out.write_all(line(&view, format).as_bytes())?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::text::Look;
    use trunk_nl::uapi::Reason;
    use trunk_nl::Named;

    fn wish(line: &str) -> Result<Wish> {
        let words: Vec<_> = line.split_whitespace().map(str::to_string).collect();
        Wish::parse(&mut Words::new(&words))
    }

    /// Returns a bridge of index 9, and its port trunk0 of index 3.
    fn links(learning: bool) -> Vec<Link> {
        let bridge = Link {
            ifindex: 9,
            ifname: "br0".into(),
            kind: Some("bridge".into()),
            address: vec![2, 0, 0, 0, 0, 9],
            ..Link::default()
        };
        let trunk = Link {
            master: Some(9),
            learning,
            ..fixtures::link()
        };
        vec![bridge, trunk]
    }

    fn places(line: &str, links: &[Link], ports: &[Port]) -> Vec<Place> {
        let wish = wish(line).unwrap();
        wanted(&wish, links, ports).into_iter().collect()
    }

    #[test]
    fn words() {
        let named = wish("trunk0 dev trunk1").unwrap();
        assert_eq!(named.trunks, ["trunk0", "trunk1"]);
        let own = wish("trunk0 address 02:00:00:00:00:01 address 02:00:00:00:00:02").unwrap();
        let addresses = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];
        assert_eq!(own.addresses, addresses);
        for wrong in [
            "dev",
            "trunk0 address",
            "trunk0 address 1:2",
            "trunk0 address 01:00:5e:00:00:01",
            "trunk0 address 00:00:00:00:00:00",
            "address 02:00:00:00:00:01",
            "trunk0 trunk1 address 02:00:00:00:00:01",
        ] {
            assert!(wish(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pinned_is_what_a_usable_link_leads_to() {
        const PEER: [u8; 6] = [2, 0, 0, 0, 0, 4];
        const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 5];
        let mut ports = fixtures::group().ports;
        let peer = vec![(9, 3, PEER)];
        assert_eq!(places("", &links(true), &ports), peer);
        assert_eq!(places("trunk0", &links(true), &ports), peer);
        assert_eq!(places("trunk1", &links(true), &ports), []);
        // The bridge would refuse the entry.
        assert_eq!(places("", &links(false), &ports), []);
        let both = "trunk0 address 02:00:00:00:00:05";
        assert_eq!(
            places(both, &links(true), &ports),
            [(9, 3, PEER), (9, 3, OTHER)]
        );
        // The bridge's own address.
        let own = "trunk0 address 02:00:00:00:00:09";
        assert_eq!(places(own, &links(true), &ports), peer);

        for port in &mut ports {
            port.peer = None;
        }
        assert_eq!(places(both, &links(true), &ports), [(9, 3, OTHER)]);
        for port in &mut ports {
            (port.state, port.reason) =
                (Named::Known(State::Sby), Named::Known(Reason::ProbeTimeout));
        }
        assert_eq!(places(both, &links(true), &ports), []);
    }

    #[test]
    fn a_change_is_a_line() {
        let mut format = Format {
            json: false,
            look: Look::PLAIN,
        };
        let mut view = PinView {
            event: "pin",
            time: "2026-11-21T08:06:39.000000Z".into(),
            bridge: "br0",
            trunk: "trunk0",
            address: Mac([2, 0, 0, 0, 0, 4]),
        };
        let text = "br0: 02:00:00:00:00:04 pinned to trunk0\n";
        assert_eq!(line(&view, &format), text);
        view.event = "unpin";
        let text = "br0: 02:00:00:00:00:04 no longer pinned to trunk0\n";
        assert_eq!(line(&view, &format), text);
        format.json = true;
        assert_eq!(
            line(&view, &format),
            concat!(
                r#"{"event":"unpin","time":"2026-11-21T08:06:39.000000Z","bridge":"br0","#,
                r#""trunk":"trunk0","address":"02:00:00:00:00:04"}"#,
                "\n"
            )
        );
    }
}
