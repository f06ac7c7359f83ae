// SPDX-License-Identifier: GPL-2.0

//! What the ports lead to, and what follows for frames besides the table.
//!
//! ```text
//!   trunk                     switch                      aggregate
//!   answers tests             does not know of the trunk  knows that all ports belong together
//!
//!   trunk ═══╤═══ trunk       trunk ═══╤═══ switch        trunk ═══╤═══ bond, team, static LAG
//!            │                         │                           │
//!   A group leaves and        A group leaves by one port  A group leaves and comes by any port.
//!   comes by any link.        and is taken from it. The   So does unicast, also by idle spares.
//!   So does unicast.          other ports bring copies.
//! ```
//!
//! Tests find a trunk. [`copies`](super::copies) tells an aggregate from a switch.

use super::port::{
    PortId,
    PortSet,
    Ports, //
};
use super::uapi::{
    FarEnd,
    FarEndReason, //
};

/// What tests have found out of the link of a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight<P> {
    /// The trunk at its other end, if one answers.
    pub peer: Option<P>,
    /// A trunk has answered on it.
    pub found: bool,
    /// Its tests reach other ports, too.
    pub shared: bool,
}

/// What the ports lead to, and how frames go because of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ways {
    /// What the ports lead to. Never [`FarEnd::Auto`].
    pub far_end: FarEnd,
    /// How that is known.
    pub reason: FarEndReason,
    /// The port by which groups leave. `None`: by that of their bucket.
    pub sends: Option<PortId>,
    /// The ports from which groups are accepted.
    pub accepts: PortSet,
    /// The ports from which unicast is accepted.
    pub takes: PortSet,
}

impl Ways {
    /// The ways of a trunk without ports.
    pub const NONE: Self = Self {
        far_end: FarEnd::Switch,
        reason: FarEndReason::NoAnswer,
        sends: None,
        accepts: PortSet::EMPTY,
        takes: PortSet::EMPTY,
    };
}

/// Returns what `ports` lead to, as the user has `set` it or as it is seen by `sight`.
///
/// Frames leave by the ports `in_use`, and all of the trunk's own by `own` if their source decides.
/// One of these ports is elected: one that leads to a trunk before others, then the best by priority
/// and rank. A trunk that was accepted `previously` stays as long as one of its links is in use, so
/// that no group is taken twice or missed without need.
///
/// - The elected port leads to a trunk: that trunk sends one copy of a group, on any of its links,
///   so groups are accepted from all of these. Groups leave by their buckets if all ports in use
///   lead to that trunk, else by the elected port.
/// - It does not: that is a switch. Groups leave by the elected port, and are accepted from it: a
///   switch sends no frame back by the port from which it came, and a switch that snoops sends
///   groups where it has heard of members. The elected port is `own` if there is one, so that the
///   switch does not see the trunk's address move with each broadcast. Unicast is accepted from the
///   ports in use, by which the switch has heard of the trunk. It comes by others only if the switch
///   floods it. From a link on which a trunk has answered it is accepted, too, since that trunk may
///   use it.
/// - There is `one_copy` of each broadcast: that is an aggregate, or a switch at each port, and there
///   are no copies to be dropped. So frames are accepted from all ports. Groups leave by the elected
///   port all the same, since a port by which nothing has come may lead nowhere.
pub fn ways<P: PartialEq>(
    set: FarEnd,
    ports: &Ports,
    in_use: PortSet,
    own: Option<PortId>,
    sight: impl Fn(PortId) -> Sight<P>,
    previously: PortSet,
    one_copy: bool,
) -> Ways {
    let all = !PortSet::EMPTY;
    let open = Ways {
        far_end: set,
        reason: FarEndReason::Set,
        sends: None,
        accepts: all,
        takes: all,
    };
    if matches!(set, FarEnd::Trunk | FarEnd::Aggregate) {
        return open;
    }
    let there = || ports.iter().map(|(id, _)| id);
    let peer = |id| {
        let sight = sight(id);
        sight.peer.filter(|_| set == FarEnd::Auto && !sight.shared)
    };
    let proven: PortSet = in_use.iter().filter(|id| peer(*id).is_some()).collect();
    let elected = ports
        .best(proven & previously)
        .or_else(|| ports.best(proven));
    if let Some((elected, trunk)) = elected.and_then(|id| Some((id, peer(id)?))) {
        let leads = |id: &PortId| peer(*id).as_ref() == Some(&trunk);
        let links: PortSet = there().filter(leads).collect();
        let several = !(in_use & !links).is_empty();
        return Ways {
            far_end: FarEnd::Trunk,
            reason: match several {
                true => FarEndReason::Several,
                false => FarEndReason::Answers,
            },
            sends: several.then_some(elected),
            accepts: links,
            ..open
        };
    }
    let elected = own.filter(|id| in_use.contains(*id));
    let elected = elected.or_else(|| ports.best(in_use));
    let found = |id: &PortId| {
        let sight = sight(*id);
        sight.found && !sight.shared
    };
    let shared = elected.is_some_and(|id| sight(id).shared);
    if set == FarEnd::Auto && one_copy && !shared && elected.is_some() {
        return Ways {
            far_end: FarEnd::Aggregate,
            reason: FarEndReason::OneCopy,
            sends: elected,
            ..open
        };
    }
    Ways {
        far_end: FarEnd::Switch,
        reason: match set {
            FarEnd::Switch => FarEndReason::Set,
            _ if shared => FarEndReason::Shared,
            _ => FarEndReason::NoAnswer,
        },
        sends: elected,
        accepts: elected.into_iter().collect(),
        takes: in_use | there().filter(found).collect(),
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_far_end))]
mod tests {
    use super::super::testing::{
        id,
        ports, //
    };
    use super::*;

    /// The ways of the ports of that line. Each port's sight is a letter: `A`, `B`, `C` for the
    /// trunk that answers, the same in small letters if its tests reach other ports, `f` for one
    /// that has answered before, `.` for nothing. Frames leave by the ports of `in_use`.
    fn seen(set: FarEnd, line: &str, sights: &str, in_use: u64, previously: u64) -> Ways {
        let sight = |id: PortId| {
            let letter = sights.chars().nth(id.index()).unwrap_or('.');
            Sight {
                peer: Some(letter.to_ascii_uppercase()).filter(|_| !".f".contains(letter)),
                found: letter != '.',
                shared: "abc".contains(letter),
            }
        };
        let set_of = PortSet::from_bits;
        let previously = set_of(previously);
        let in_use = set_of(in_use);
        ways(set, &ports(line), in_use, None, sight, previously, false)
    }

    fn only(id: Option<PortId>) -> u64 {
        id.into_iter().collect::<PortSet>().bits()
    }

    #[test]
    fn a_switch_has_groups_by_the_best_port_in_use() {
        for (line, in_use, elected) in [
            // A working port before a spare, then by number.
            ("1a 1a 2a", 0b011, 0b001),
            ("1a 1a 2a", 0b110, 0b010),
            ("2a 1a 1a", 0b111, 0b010),
            ("1s 2a", 0b10, 0b10),
            // Without previous ones: a port that returns is elected again.
            ("1a 2a", 0b01, 0b01),
            ("1ab 2a", 0b10, 0b10),
            ("- - -", 0, 0),
        ] {
            for set in [FarEnd::Auto, FarEnd::Switch] {
                let got = seen(set, line, "...", in_use, 0b110);
                let reason = match set {
                    FarEnd::Switch => FarEndReason::Set,
                    _ => FarEndReason::NoAnswer,
                };
                assert_eq!((got.far_end, got.reason), (FarEnd::Switch, reason));
                assert_eq!((only(got.sends), got.accepts.bits()), (elected, elected));
                assert_eq!(got.takes.bits(), in_use);
            }
        }
    }

    #[test]
    fn groups_go_by_the_port_of_the_trunks_own_frames() {
        let none = |_| Sight {
            peer: None::<u8>,
            found: false,
            shared: false,
        };
        let in_use = PortSet::from_bits(0b0110);
        for (own, elected) in [(1, 0b010), (2, 0b100), (0, 0b010), (-1, 0b010)] {
            let ports = ports("1s 1a 1a");
            let before = PortSet::EMPTY;
            let got = ways(FarEnd::Auto, &ports, in_use, id(own), none, before, false);
            assert_eq!((only(got.sends), got.accepts.bits()), (elected, elected));
        }
    }

    #[test]
    fn a_switch_floods_unicast_to_idle_ports() {
        for (sights, takes) in [
            ("....", 0b0001),
            // A trunk has answered on a link that is not used: it may use it.
            ("...f", 0b1001),
            ("f.f.", 0b0101),
            ("aaf.", 0b0101),
        ] {
            let got = seen(FarEnd::Switch, "1a 1s 2a 2a", sights, 0b0001, 0);
            assert_eq!(got.takes.bits(), takes);
        }
    }

    #[test]
    fn tests_that_reach_several_ports_show_a_switch() {
        for (sights, reason, accepts) in [
            ("aa..", FarEndReason::Shared, 0b0001),
            (".aa.", FarEndReason::NoAnswer, 0b0001),
            ("....", FarEndReason::NoAnswer, 0b0001),
        ] {
            let got = seen(FarEnd::Auto, "1a 1a 1a 1a", sights, 0b1111, 0);
            assert_eq!((got.far_end, got.reason), (FarEnd::Switch, reason));
            assert_eq!((only(got.sends), got.accepts.bits()), (1, accepts));
        }
        // A link to a trunk beside them counts more.
        let got = seen(FarEnd::Auto, "1a 1a 1a", "aaB", 0b111, 0);
        assert_eq!(
            (got.far_end, got.reason),
            (FarEnd::Trunk, FarEndReason::Several)
        );
        assert_eq!((only(got.sends), got.accepts.bits()), (0b100, 0b100));
    }

    #[test]
    fn one_copy_of_each_broadcast_shows_an_aggregate() {
        let seen = |set, shared, peer: Option<u8>, in_use| {
            let sight = |_| Sight {
                peer,
                found: peer.is_some(),
                shared,
            };
            let in_use = PortSet::from_bits(in_use);
            let before = PortSet::EMPTY;
            ways(set, &ports("1a 1a 2a"), in_use, None, sight, before, true)
        };
        let got = seen(FarEnd::Auto, false, None, 0b010);
        assert_eq!(
            (got.far_end, got.reason),
            (FarEnd::Aggregate, FarEndReason::OneCopy)
        );
        assert_eq!((got.accepts, got.takes), (!PortSet::EMPTY, !PortSet::EMPTY));
        assert_eq!(only(got.sends), 0b010);
        // What is known counts more.
        for (set, shared, peer, in_use, reason) in [
            (FarEnd::Switch, false, None, 0b010, FarEndReason::Set),
            (FarEnd::Auto, true, None, 0b010, FarEndReason::Shared),
            (FarEnd::Auto, false, Some(1), 0b010, FarEndReason::Answers),
            (FarEnd::Auto, false, None, 0, FarEndReason::NoAnswer),
        ] {
            assert_eq!(seen(set, shared, peer, in_use).reason, reason);
        }
    }

    #[test]
    fn groups_of_a_trunk_come_by_all_its_links() {
        for (line, sights, in_use, previously, accepts) in [
            ("1a 1a 1a 2a", "AAAA", 0b0111, 0, 0b1111),
            ("1a 1a 1a 1a", "AABB", 0b1111, 0, 0b0011),
            ("1a 1a 1a 1a", "ABAB", 0b1111, 0, 0b0101),
            // The trunk stays while one of its links is in use.
            ("1a 1a 1a 1a", "AABB", 0b1111, 0b1100, 0b1100),
            ("1a 1a 1a 1s", "AABB", 0b0111, 0b1100, 0b1100),
            ("1a 1a 1s 1s", "AABB", 0b0011, 0b1100, 0b0011),
            ("1a 1a 1s 1s", "AA..", 0b0011, 0b1100, 0b0011),
            ("1s 1s 1a 1a", "AABB", 0b1100, 0b0011, 0b1100),
            // A trunk comes before what does not answer.
            ("1a 1a 1a 1a", ".AAB", 0b1111, 0, 0b0110),
            ("1a 1a 1a 1a", ".ABB", 0b1111, 0b1100, 0b1100),
            // What one of its links was before does not count.
            ("1a 1a 1a 1a", "AA.B", 0b1111, 0b0100, 0b0011),
            // It may still use what this end has given up: it sends one copy all the same.
            ("1a 1s 2a -", "AAAA", 0b0001, 0b0001, 0b0111),
            // Another trunk at the other end of a cable.
            ("1a 1a 1a 1a", "CABB", 0b1111, 0b0011, 0b0001),
        ] {
            let got = seen(FarEnd::Auto, line, sights, in_use, previously);
            assert_eq!(got.far_end, FarEnd::Trunk);
            assert_eq!((got.accepts.bits(), got.takes), (accepts, !PortSet::EMPTY));
            // By the buckets, if they lead there.
            let several = in_use & !accepts != 0;
            let reason = match several {
                true => FarEndReason::Several,
                false => FarEndReason::Answers,
            };
            assert_eq!((got.reason, got.sends.is_some()), (reason, several));
            assert!(only(got.sends) & !(accepts & in_use) == 0);
        }
    }

    #[test]
    fn what_the_user_sets_holds() {
        for set in [FarEnd::Trunk, FarEnd::Aggregate] {
            for sights in ["....", "AABB", "aabb"] {
                let got = seen(set, "1a 1a 1s 2a", sights, 0b0011, 0b0001);
                assert_eq!((got.far_end, got.reason), (set, FarEndReason::Set));
                assert_eq!(got.sends, None);
                assert_eq!((got.accepts, got.takes), (!PortSet::EMPTY, !PortSet::EMPTY));
            }
        }
        let got = seen(FarEnd::Switch, "1a 1a", "AA", 0b11, 0);
        assert_eq!((got.reason, got.accepts.bits()), (FarEndReason::Set, 1));
    }
}
