// SPDX-License-Identifier: GPL-2.0

//! How the state of a trunk changes: [`step`] gathers the links as they are, has
//! [`State::step`](crate::pure::state::State::step) decide under the state's lock, and has frames
//! go by what it has decided.

use crate::{
    pure::{
        state::{
            self,
            Input,
            Replacement,
            State, //
        },
        table::Bucket,
    },
    table::Table,
    trunk::{
        Heap,
        Port,
        Takes,
        Trunk,
        Watch, //
    },
};
use core::sync::atomic::Ordering;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use netdev::{
    addr::MacAddr,
    device::Device,
    rcu::{
        read_lock,
        Rcu, //
    },
    rtnl::Rtnl,
    time, //
};

/// What comes in, and what is to be done.
pub(crate) type In<'a> = Input<'a, KBox<state::Port>>;
pub(crate) type Effects = state::Effects<KBox<state::Port>>;

/// Takes in what happens, and has frames go by what is decided. May be called with bottom halves
/// disabled.
///
/// Sends no probes: that is left to the caller.
pub(crate) fn step(dev: &Device<Trunk>, input: In<'_>, rcu: &Rcu) -> Effects {
    let trunk = dev.data();
    let mut state = trunk.state.lock();
    let table = trunk.table.get(rcu);
    let effects = take(dev, &mut state, table.buckets(), input, rcu);
    if effects.decided.is_some() {
        carry_out(dev, &state, table, rcu);
    }
    drop(state);
    if effects.work {
        dev.schedule_work(0);
    }
    effects
}

/// Takes in what happens, and leaves it to the device's work to send the probes that are due.
pub(crate) fn step_later(dev: &Device<Trunk>, input: In<'_>) -> Effects {
    let effects = step(dev, input, &read_lock());
    if effects.tests {
        dev.schedule_work(0);
    }
    effects
}

/// Returns the present table. RTNL keeps its size, selector and homes as they are.
pub(crate) fn table(trunk: &Trunk, _rtnl: &Rtnl) -> Arc<Table> {
    trunk.table.hold(&read_lock())
}

/// Puts `new` in the place of the present table.
pub(crate) fn replace(dev: &Device<Trunk>, new: Arc<Table>, why: Replacement<'_>, _rtnl: &Rtnl) {
    let trunk = dev.data();
    let rcu = read_lock();
    let mut state = trunk.state.lock();
    let input = Input::Table(trunk.table.get(&rcu).buckets(), why);
    let effects = take(dev, &mut state, new.buckets(), input, &rcu);
    carry_out(dev, &state, &new, &rcu);
    // Under the lock, so that nobody writes to the old table from here on.
    let retired = trunk.table.replace(new);
    drop(state);
    drop(rcu);
    if effects.work || effects.tests {
        dev.schedule_work(0);
    }
    // Frames may use the old table until here.
    drop(retired);
}

fn take(
    dev: &Device<Trunk>,
    state: &mut State<Heap>,
    buckets: &[Bucket],
    input: In<'_>,
    rcu: &Rcu,
) -> Effects {
    let trunk = dev.data();
    let links = trunk.links(rcu);
    trunk.live.set_links(links);
    state.step(buckets, links, input, time::monotonic_ns)
}

/// Has frames go by what has been decided. Under the state's lock, so that of two decisions the
/// newer one is carried out last.
fn carry_out(dev: &Device<Trunk>, state: &State<Heap>, table: &Table, rcu: &Rcu) {
    let trunk = dev.data();
    let decision = state.decision();
    trunk.live.set(&decision, state.claims());
    if trunk.live.watch() == Watch::Off {
        trunk.broadcasts.forget();
    }
    let ways = &decision.ways;
    for port in trunk.ports(rcu) {
        port.set_takes(match port.id {
            id if ways.takes.contains(id) => Takes::All,
            id if decision.lingering.contains(id) => Takes::ForHost,
            _ => Takes::None,
        });
    }
    let stacked = trunk.ports(rcu).any(|port| port.dev.is_stacked());
    let special = decision.marks || decision.echoes || stacked;
    table.set_way(special, ways.sends.is_some());
    dev.set_carrier(decision.carrier);
    #[cfg(CONFIG_TRUNK_DEBUG)]
    kernel::warn_on!(!state.is_sound(table.buckets()));
}

/// Has frames go by the links of the ports as they are now, if they have changed. Takes no lock if
/// they have not.
pub(crate) fn follow_links(dev: &Device<Trunk>, rcu: &Rcu) {
    let trunk = dev.data();
    if trunk.links(rcu) != trunk.live.links() {
        step_later(dev, Input::Links);
    }
}

/// Makes `mac` the trunk's own MAC address.
pub(crate) fn set_mac(dev: &Device<Trunk>, mac: MacAddr, _rtnl: &Rtnl) {
    dev.data().mac.store(mac.to_u64(), Ordering::Relaxed);
    step_later(dev, Input::Address(*mac.octets()));
}

/// Waits until a change of the table that is under way is done.
pub(crate) fn wait_for_change(trunk: &Trunk) {
    drop(trunk.state.lock());
}

/// Returns whether `port` is one from which the trunk accepts unicast, to the host or else to another
/// station. If it is not, the links are looked at first: perhaps another port has failed and nobody
/// has noticed.
pub(crate) fn takes_unicast_from(
    dev: &Device<Trunk>,
    port: &Port,
    for_host: bool,
    rcu: &Rcu,
) -> bool {
    if port.takes(for_host) {
        return true;
    }
    follow_links(dev, rcu);
    port.takes(for_host)
}

/// Returns whether `port` is one from which the trunk accepts group-addressed frames. If all such
/// ports have failed and nobody has noticed, other ports are elected first.
#[inline]
pub(crate) fn accepts_groups_from(dev: &Device<Trunk>, port: &Port, rcu: &Rcu) -> bool {
    let trunk = dev.data();
    let accepted = trunk.live.accepted();
    if accepted.contains(port.id) {
        return true;
    }
    let mut others = accepted.iter().filter_map(|id| trunk.port(id, rcu));
    if others.any(|other| other.dev.has_link(rcu)) {
        return false;
    }
    follow_links(dev, rcu);
    trunk.live.accepted().contains(port.id)
}

#[kunit_tests(trunk_state)]
mod tests {
    use super::*;
    use crate::{
        pure::{
            claims::{
                Claim,
                MAX_CLAIMS, //
            },
            history::{
                Event,
                EventKind, //
            },
            port::PortId,
            selector::Selector,
            state::{
                Desk,
                Links,
                Settings, //
            },
        },
        table::filled,
    };

    /// A trunk of two working ports and a spare, as the driver keeps it.
    fn trunk(table: &Table) -> Result<(KBox<State<Heap>>, Links)> {
        let events = filled(8, || Event::new(EventKind::Config, 0, 0))?;
        let claims = filled(MAX_CLAIMS, || Claim::NONE)?;
        let desk = KBox::new(Desk::default(), GFP_KERNEL)?;
        let state = State::new(Settings::default(), [2; 6], events, claims, desk);
        let mut state = KBox::new(state, GFP_KERNEL)?;
        let mut links = Links::default();
        for (id, priority) in PortId::all().zip([1, 1, 2]) {
            let port = state::Port::new(10, priority, None, 0);
            links.operational.insert(id);
            links.started.insert(id);
            let input = Input::Join(id, KBox::new(port, GFP_KERNEL)?);
            state.step(table.buckets(), links, input, || 1);
        }
        Ok((state, links))
    }

    #[test]
    fn a_failure_moves_the_buckets_of_its_port_and_its_return_brings_them_back() -> Result {
        let table = Table::new(3, Selector::Dmac)?;
        let (mut state, all) = trunk(&table)?;
        let slots = || table.buckets().iter().map(Bucket::slot);
        assert!(slots().eq([1, 0, 1, 0, 1, 0, 1, 0]));
        for id in PortId::all().take(1) {
            let mut links = all;
            links.operational.remove(id);
            let effects = state.step(table.buckets(), links, Input::Links, || 2);
            assert!(effects.work && effects.decided.is_some_and(|it| it.carrier));
            assert!(slots().eq([1, 2, 1, 2, 1, 2, 1, 2]) && state.is_sound(table.buckets()));
            state.step(table.buckets(), all, Input::Time, || 3);
            assert!(slots().eq([1, 0, 1, 0, 1, 0, 1, 0]) && state.is_sound(table.buckets()));
        }
        Ok(())
    }
}
