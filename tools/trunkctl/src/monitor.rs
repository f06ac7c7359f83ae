// SPDX-License-Identifier: GPL-2.0

//! Events as they happen, one a line.

use std::io::Write;
use std::time::SystemTime;

use trunk_nl::uapi::EventKind;
use trunk_nl::{Clock, Event, Notification};

use crate::failure::{usage, Result};
use crate::session::Session;
use crate::text::{self, Look};
use crate::time;
use crate::view::{json, EventView, Group, LostView, PortView, ResyncView, TrunkView};
use crate::words::Words;

/// Which events are printed.
#[derive(Debug, Default, PartialEq)]
pub struct Filter {
    /// Events of these kinds; if there are none, of all.
    kinds: Vec<EventKind>,
    /// Events of this trunk.
    pub trunk: Option<String>,
}

impl Filter {
    pub fn parse(words: &mut Words<'_>) -> Result<Self> {
        let mut filter = Self::default();
        while let Some(word) = words.next() {
            let kinds: &[EventKind] = match word {
                "all" => &EventKind::ALL,
                "port" => &[
                    EventKind::PortState,
                    EventKind::Join,
                    EventKind::Leave,
                    EventKind::JoinRefused,
                    EventKind::Late,
                    EventKind::InTime,
                ],
                "failover" => &[EventKind::Failover],
                "failback" => &[EventKind::Failback],
                "table" => &[EventKind::Table],
                "config" => &[EventKind::Config],
                "peer" => &[
                    EventKind::PeerFound,
                    EventKind::PeerBye,
                    EventKind::PeerLost,
                    EventKind::PeerDiffers,
                ],
                "claim" => &[EventKind::Claim, EventKind::Release, EventKind::ClaimMoved],
                "dev" => {
                    filter.trunk = Some(words.value("dev")?.to_string());
                    continue;
                }
                _ => {
                    return Err(usage(format!(
                        "\"{word}\" is none of all, port, failover, failback, table, config, peer, \
                         claim, dev"
                    )))
                }
            };
            filter.kinds.extend(kinds);
        }
        Ok(filter)
    }

    /// Returns whether an event is printed. `trunk` is the interface index of the trunk asked for.
    fn passes(&self, event: &Event, trunk: Option<u32>) -> bool {
        let kind = event.kind.known();
        let all = self.kinds.is_empty() || self.kinds.len() >= EventKind::ALL.len();
        (all || kind.is_some_and(|kind| self.kinds.contains(&kind)))
            && trunk.is_none_or(|trunk| trunk == event.trunk)
    }
}

/// How it is printed.
#[derive(Debug)]
pub struct Format {
    pub json: bool,
    pub look: Look,
}

/// Prints events until the reader has ended.
pub fn run(
    session: &mut Session,
    filter: &Filter,
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    let trunk = match &filter.trunk {
        Some(name) => Some(session.trunk(name)?),
        None => None,
    };
    for notification in session.connection()?.subscribe()? {
        match notification? {
            Notification::Event { event, .. } if filter.passes(&event, trunk) => {
                out.write_all(told(&event, Clock::now(), format).as_bytes())?;
            }
            Notification::Event { .. } => continue,
            Notification::Lost { known } => {
                if let (Some((of, _)), Some(trunk)) = (known, trunk) {
                    if of != trunk {
                        continue;
                    }
                }
                let count = known.map(|(_, count)| count);
                out.write_all(lost(count, SystemTime::now(), format).as_bytes())?;
                let groups = session.groups(filter.trunk.as_deref())?;
                out.write_all(resync(&groups, Clock::now(), format).as_bytes())?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

fn told(event: &Event, clock: Clock, format: &Format) -> String {
    let view = EventView::new(event, clock);
    match format.json {
        true => json(&view, false),
        false => text::event(&view, &format.look),
    }
}

fn lost(count: Option<u64>, now: SystemTime, format: &Format) -> String {
    let time = time::utc(now);
    if format.json {
        let event = "lost";
        return json(&LostView { event, time, count }, false);
    }
    let stamp = match format.look.timestamp {
        true => format!("[{time}] "),
        false => String::new(),
    };
    let count = count.map_or_else(String::new, |count| format!("{count} "));
    format!("{stamp}{count}events lost; the present state:\n")
}

fn resync(groups: &[Group], clock: Clock, format: &Format) -> String {
    let ports = || {
        groups.iter().flat_map(|group| {
            let view = |port| PortView::new(port, &group.ports, &[], clock);
            group.ports.iter().map(view)
        })
    };
    if format.json {
        let view = ResyncView {
            event: "resync",
            time: time::utc(clock.wall(clock.monotonic())),
            trunks: groups
                .iter()
                .map(|group| TrunkView::new(group, &[]))
                .collect(),
            ports: ports().collect(),
        };
        return json(&view, false);
    }
    let ports: Vec<_> = ports().collect();
    let look = Look {
        oneline: true,
        ..format.look
    };
    text::trunks(groups, &[], &look) + &text::ports(&ports, &look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use trunk_nl::uapi::Reason;
    use trunk_nl::Named;

    const JSON: Format = Format {
        json: true,
        look: Look::PLAIN,
    };

    const TEXT: Format = Format {
        json: false,
        look: Look {
            timestamp: true,
            ..Look::PLAIN
        },
    };

    fn filter(line: &str) -> Result<Filter> {
        let words: Vec<_> = line.split_whitespace().map(str::to_string).collect();
        Filter::parse(&mut Words::new(&words))
    }

    #[test]
    fn filters() {
        let kinds = |line: &str| -> Vec<&str> {
            let filter = filter(line).unwrap();
            let all = EventKind::ALL.into_iter();
            all.filter(|kind| filter.passes(&fixtures::event(*kind), None))
                .map(EventKind::as_str)
                .collect()
        };
        assert_eq!(kinds("").len(), EventKind::ALL.len());
        assert_eq!(kinds("port all").len(), EventKind::ALL.len());
        assert_eq!(
            kinds("port"),
            [
                "port-state",
                "join",
                "leave",
                "join-refused",
                "late",
                "in-time"
            ]
        );
        assert_eq!(kinds("failover config"), ["failover", "config"]);
        assert_eq!(
            kinds("peer"),
            ["peer-found", "peer-bye", "peer-lost", "peer-differs"]
        );
        assert_eq!(kinds("claim"), ["claim", "release", "claim-moved"]);
        let of = filter("dev trunk0").unwrap();
        assert_eq!(of.trunk.as_deref(), Some("trunk0"));
        assert!(of.passes(&fixtures::failover(), Some(3)));
        assert!(!of.passes(&fixtures::failover(), Some(4)));
        assert!(filter("ports").is_err() && filter("dev").is_err());
    }

    #[test]
    fn an_event_is_a_line() {
        let event = fixtures::failover();
        assert_eq!(
            told(&event, fixtures::clock(), &JSON),
            concat!(
                r#"{"event":"failover","time":"2026-11-21T08:06:32.001234Z","#,
                r#""monotonic":993001234567,"trunk":"trunk0","seq":7,"port":"eth2","#,
                r#""other":"eth3","reason":"no-carrier","buckets":3,"switch_ns":1834}"#,
                "\n"
            )
        );
        assert_eq!(
            told(&event, fixtures::clock(), &TEXT),
            "[2026-11-21T08:06:32.001234Z] trunk0: failover of eth2 to eth3 \
             (no-carrier, 3 buckets, switched in 1.8us)\n"
        );
    }

    #[test]
    fn an_event_about_a_claim_tells_its_mark() {
        let event = Event {
            port: Some(4),
            port_name: Some("eth1".into()),
            other: Some(6),
            other_name: Some("eth3".into()),
            reason: Some(Named::Known(Reason::ProbeTimeout)),
            mark: Some(7),
            ..fixtures::event(EventKind::ClaimMoved)
        };
        assert_eq!(
            told(&event, fixtures::clock(), &JSON),
            concat!(
                r#"{"event":"claim-moved","time":"2026-11-21T08:06:32.001234Z","#,
                r#""monotonic":993001234567,"trunk":"trunk0","seq":7,"port":"eth1","#,
                r#""other":"eth3","reason":"probe-timeout","mark":7}"#,
                "\n"
            )
        );
        assert_eq!(
            told(&event, fixtures::clock(), &TEXT),
            "[2026-11-21T08:06:32.001234Z] trunk0: claim of eth1 moves to eth3 \
             (mark 7, probe-timeout)\n"
        );
    }

    #[test]
    fn a_loss_is_told_then_how_things_are() {
        let clock = fixtures::clock();
        let now = clock.wall(clock.monotonic());
        assert_eq!(
            lost(Some(5), now, &JSON),
            "{\"event\":\"lost\",\"time\":\"2026-11-21T08:06:39.000000Z\",\"count\":5}\n"
        );
        assert_eq!(
            lost(None, now, &TEXT),
            "[2026-11-21T08:06:39.000000Z] events lost; the present state:\n"
        );
        let groups = [fixtures::group()];
        let all = |format: &Format| -> String {
            let mut all = String::new();
            let events = fixtures::events();
            for event in &events[..3] {
                all += &told(event, clock, format);
            }
            all += &lost(Some(5), now, format);
            all += &resync(&groups, clock, format);
            all + &told(&events[3], clock, format)
        };
        let lines = all(&JSON);
        assert_eq!(lines.lines().count(), 6);
        fixtures::golden("monitor.json", &lines);
        fixtures::golden("monitor.txt", &all(&TEXT));
        let brief = Format {
            json: false,
            look: Look::PLAIN,
        };
        fixtures::golden("monitor-without-times.txt", &all(&brief));
    }
}
