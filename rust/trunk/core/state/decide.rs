// SPDX-License-Identifier: GPL-2.0

//! The decision: which port carries which bucket, which spares stand in, which links claims have.

use super::{
    super::{
        claims::{
            held,
            Answer,
            Claim,
            Stage, //
        },
        far_end::{
            ways,
            Sight, //
        },
        health::Verdict,
        history::Event,
        port::{
            from_slot,
            PortId,
            PortSet,
            PortView,
            Ports, //
        },
        selector::Selector,
        switch::switch,
        table::{
            assign_homes,
            Bucket, //
        },
        uapi::{
            FarEnd,
            FarEndReason, //
        }, //
    },
    events::Outcome,
    Decision,
    Memory,
    Port,
    State, //
};

impl<M: Memory> State<M> {
    /// Brings all into line with the ports as they are: their states, homes if there is a
    /// `cause`, stand-ins, claims, the slots of `table`, and what probes say to the peers.
    ///
    /// `cause` is the event of a change of ports, shares or settings, to which the number of
    /// buckets that it moves is added. With `old`, `table` takes its place: its slots begin as they are there.
    pub(super) fn decide(
        &mut self,
        table: &[Bucket],
        old: Option<&[Bucket]>,
        cause: Option<Event>,
        now: u64,
        clock: impl Fn() -> u64,
    ) {
        let before = self.decision;
        let act = before.act;
        let away = self.away();
        self.note_ports(now);
        if cause.is_some() {
            assign_homes(table, &self.desk.ports);
        }
        if let Some(old) = old {
            let old = old.iter().cycle();
            for (bucket, old) in table.iter().zip(old) {
                bucket.set_slot(old.slot());
            }
        }
        let moved = self.switch(table);
        self.answer_claims();
        self.tell_peers();
        self.publish(table);

        self.generation = self.generation.wrapping_add(2);
        let outcome = Outcome {
            now,
            took: clock().saturating_sub(now),
            act,
            back: away & serving(&self.desk.ports),
            moved,
        };
        self.record(cause, &outcome);
        // A switch has yet to learn of the port by which groups leave now.
        let other = before.ways.sends != self.decision.ways.sends;
        let moves = moved != 0 || other && self.decision.ways.sends.is_some();
        // What was announced without carrier has not left.
        let announce = moves || !before.carrier && self.decision.carrier;
        let carrier = before.carrier != self.decision.carrier;
        self.unsettled.any |= act != self.decision.act || carrier || moves;
        self.to_announce |= announce;
    }

    /// Notes the ports as they are. A port that has waited long enough for its buckets is not held
    /// back any more.
    fn note_ports(&mut self, now: u64) {
        let due = self.waiting(now).filter(|(_, wait)| *wait == Some(0));
        let due: PortSet = due.map(|(id, _)| id).collect();
        let policy = &self.settings;
        let waits = policy.failback.wait(policy.failback_delay, now, now) != Some(0);
        let mut any_act = false;
        for id in PortId::all() {
            let Some(port) = self.health.get_mut(id) else {
                self.desk.ports.set(id, None);
                continue;
            };
            port.held_back &= !due.contains(id);
            if port.note(now, waits) {
                let count = match port.condition.is_act() {
                    true => &mut self.totals.ups,
                    false => &mut self.totals.downs,
                };
                *count = count.wrapping_add(1);
                if !port.condition.is_act() {
                    // It is known to have failed, so it is not in doubt.
                    self.doubts.remove(id);
                }
            }
            any_act |= port.condition.is_act();
            self.desk.ports.set(id, Some(port.view()));
        }
        if any_act {
            return;
        }
        // When all ports have failed, no port is held back when it returns.
        for id in PortId::all() {
            if let Some(port) = self.health.get_mut(id) {
                port.was_act = false;
            }
        }
    }

    /// Gives the buckets to the ports that are to carry them, and returns the number of moves.
    fn switch(&mut self, table: &[Bucket]) -> usize {
        let theirs = self.select(|port| port.condition.verdict.held);
        let Self {
            desk,
            stand_ins,
            claims,
            doubts,
            health,
            ..
        } = self;
        let desk = &mut **desk;
        let moves = &mut desk.moves;
        moves.clear();
        let moved = switch(
            table,
            &mut desk.ports,
            stand_ins,
            claims.all_mut(),
            theirs,
            *doubts,
            |home, from, to| moves.note(home, from, to),
        );
        // A port that had to take its buckets back is not held back any more.
        for id in PortId::all() {
            if let (Some(port), Some(view)) = (health.get_mut(id), desk.ports.get(id)) {
                port.held_back = view.held_back;
            }
        }
        moved
    }

    /// Refuses the claims for which there is no link.
    fn answer_claims(&mut self) {
        for claim in self.claims.all_mut() {
            if claim.is_served() && claim.answer == Answer::None && claim.link.is_none() {
                claim.stage = Stage::Refused;
                claim.answer = Answer::Due;
            }
        }
    }

    /// Sets what probes say to the peers. Where that has changed, a test is due.
    fn tell_peers(&mut self) {
        let before = self.view;
        self.view.usable = self.select(|port| port.condition.is_usable_here());
        self.view.in_use = self.in_use();
        self.view.held = held(self.claims.all(), &self.desk.ports);
        for (set, old) in [
            (self.view.usable, before.usable),
            (self.view.in_use, before.in_use),
            (self.view.held, before.held),
        ] {
            self.due = self.due | PortSet::from_bits(set.bits() ^ old.bits());
        }
    }

    /// Returns the port by which the trunk's own frames leave, if their source says it.
    fn own(&self, table: &[Bucket]) -> Option<PortId> {
        if self.settings.selector != Selector::Smac {
            return None;
        }
        let address = self.view.address?;
        let index = Selector::Smac.index(&address, &address, || None)?;
        let last = table.len().checked_sub(1)?;
        from_slot(table.get(index as usize & last)?.slot())
    }

    /// Sets what frames go by besides `table`.
    fn publish(&mut self, table: &[Bucket]) {
        let ports = &self.desk.ports;
        let sight = |id| {
            let verdict = self.health.get(id).map(|port| port.condition.verdict);
            let verdict = verdict.unwrap_or(Verdict::NONE);
            Sight {
                peer: verdict.proven,
                found: verdict.found,
                shared: verdict.shared,
            }
        };
        let previously = self.decision.ways.accepts;
        let in_use = self.in_use();
        let mut ways = ways(
            self.settings.far_end,
            ports,
            self.carrying(),
            self.own(table),
            sight,
            previously,
            self.one_copy,
        );
        self.one_copy &= ways.reason == FarEndReason::OneCopy;
        ways.takes = ways.takes | in_use;
        let there = ports.select(|_| true);
        let left = self.decision.ways.takes & there & !ways.takes;
        let lingering = (self.decision.lingering | left) & !ways.takes;
        if !left.is_empty() {
            (self.lingering_until, self.again) = (None, true);
        }
        self.held_back = ports.select(PortView::is_held_back);
        let act = ports.select(PortView::is_act);
        let least = u32::from(self.settings.min_links);
        self.decision = Decision {
            ways,
            lingering,
            act,
            in_use,
            echoes: self.promiscuous && ways.far_end == FarEnd::Switch && in_use.len() > 1,
            carrier: !ports.usable().is_empty() && act.len() >= least,
            marks: self.claims.all().iter().any(Claim::is_served),
        };
    }

    /// Returns the ports for which `test` holds.
    pub(super) fn select(&self, test: impl Fn(&Port) -> bool) -> PortSet {
        let chosen = |id: &PortId| self.health.get(*id).is_some_and(&test);
        PortId::all().filter(chosen).collect()
    }

    /// Returns the ports that serve buckets or claims.
    fn in_use(&self) -> PortSet {
        let claims = self.claims.all().iter();
        self.carrying() | claims.filter_map(|claim| claim.link).collect()
    }

    /// Returns the ports that serve buckets.
    fn carrying(&self) -> PortSet {
        let ports = &self.desk.ports;
        let usable = ports.usable();
        let waiting = ports.select(PortView::is_held_back);
        let working = usable & ports.select(PortView::is_working) & !waiting;
        let buckets = working | self.stand_ins.in_use();
        let best = ports.best(usable).filter(|_| buckets.is_empty());
        buckets | best.into_iter().collect()
    }

    /// Returns the working ports that have been `act`, and do not carry their own buckets now.
    fn away(&self) -> PortSet {
        let ports = &self.desk.ports;
        let away = ports.select(PortView::is_working) & !serving(ports);
        away & self.select(|port| port.ups > 0)
    }

    /// Returns whether `table` keeps the rules that frames rely on: a bucket has a usable port if
    /// there is one, and a home that is usable and not held back carries its own buckets.
    pub fn is_sound(&self, table: &[Bucket]) -> bool {
        let ports = &self.desk.ports;
        let usable = ports.usable();
        let carries = usable & !ports.select(PortView::is_held_back);
        table.iter().all(|bucket| {
            let port = from_slot(bucket.slot());
            let home = from_slot(bucket.home()).filter(|id| carries.contains(*id));
            port.is_some() != usable.is_empty()
                && port.is_none_or(|id| usable.contains(id))
                && (home.is_none() || home == port)
        })
    }
}

/// Returns the working ports that carry their own buckets.
fn serving(ports: &Ports) -> PortSet {
    ports.select(|view| view.is_working() && view.is_act() && !view.held_back)
}
