// SPDX-License-Identifier: GPL-2.0

//! The table in service: read for each frame without a lock, and switched over in place from
//! whatever context notices that a port has failed.
//!
//! What goes where is decided by [`pure`](crate::pure); here it is looked up, counted and stored.

use crate::{
    claims::{
        ClaimRoom,
        Holder,
        MAX_CLAIMS, //
    },
    decided::{
        Cause,
        Decided,
        Outcome,
        Record,
        Settings, //
    },
    device::Trunk,
    layout::{
        Layout,
        Marks,
        Next, //
    },
    port::Port,
    pure::{
        health::{
            Health,
            News,
            View, //
        },
        history::{
            Event,
            EventKind, //
        },
        port::{
            from_slot,
            to_slot,
            PortId,
            PortSet,
            PortView,
            NO_PORT, //
        },
        receive,
        selector::Selector,
        uapi::Redundancy, //
    }, //
};
use core::{
    mem,
    ops::DerefMut,
    sync::atomic::{
        AtomicBool,
        AtomicU64,
        Ordering, //
    }, //
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        rcu,
        Arc,
        SpinLockIrq, //
    }, //
};
use netdev::{
    addr::MacAddr,
    device::Device,
    rcu::{
        Rcu,
        Retired,
        Slot as RcuSlot, //
    },
    rtnl::Rtnl,
    time, //
};

const NSEC_PER_MSEC: u64 = 1_000_000;

/// The table of a trunk.
#[pin_data]
pub(crate) struct Table {
    /// Never empty. Replaced under the lock.
    layout: RcuSlot<Layout>,
    /// The ports that group-addressed frames are accepted from. Written under the lock.
    accepted: AtomicU64,
    /// The links of claims. Replaced under RTNL, written under the lock.
    marks: RcuSlot<Marks>,
    /// What peers are told of the ports, as [`View`]. Written under the lock.
    view: [AtomicU64; 3],
    /// Ports of which the peer is to be told something else than before.
    news: AtomicU64,
    /// Whether a port is sby for another reason than was told. Written under the lock.
    vague: AtomicBool,
    /// What the slots are derived from. Taken in any context, hence with interrupts off.
    #[pin]
    decided: SpinLockIrq<Decided>,
}

impl Table {
    /// A table of 2^`bits` buckets and no ports.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(bits: u32, selector: Selector) -> Result<impl PinInit<Self>> {
        let Next { layout, homes, set } = Next::new(bits, selector, None)?;
        let first = RcuSlot::new();
        drop(first.replace(Some(layout)));
        let decided = Decided::new(homes, set)?;

        Ok(pin_init!(Self {
            layout: first,
            accepted: AtomicU64::new(0),
            marks: RcuSlot::new(),
            view: [const { AtomicU64::new(0) }; 3],
            news: AtomicU64::new(0),
            vague: AtomicBool::new(false),
            decided <- new_spinlock_irq!(decided),
        }))
    }

    /// What frames go by now.
    #[inline(always)]
    pub(crate) fn layout<'a>(&'a self, rcu: &'a Rcu) -> Option<&'a Layout> {
        self.layout.get(rcu)
    }

    /// The port of the claim to which frames of that mark belong.
    pub(crate) fn claimed(&self, mark: u32, rcu: &Rcu) -> Option<PortId> {
        self.marks.get(rcu)?.link(mark)
    }

    /// What peers are told of the ports, and of the trunk.
    pub(crate) fn view(&self, address: MacAddr) -> View {
        let [usable, in_use, held] = self
            .view
            .each_ref()
            .map(|set| PortSet::from_bits(set.load(Ordering::Relaxed)));
        View {
            usable,
            in_use,
            held,
            address: Some(*address.octets()),
        }
    }

    /// The ports of which the peer is to be told something else than before; from now on it has been.
    pub(crate) fn take_news(&self) -> PortSet {
        PortSet::from_bits(self.news.swap(0, Ordering::Relaxed))
    }

    /// Is `port` one from which the trunk accepts group-addressed frames? Should all of these have
    /// failed unnoticed, others are elected first.
    #[inline]
    pub(crate) fn accepts_groups_from(&self, port: &Port, dev: &Device<Trunk>, rcu: &Rcu) -> bool {
        let accepted = || PortSet::from_bits(self.accepted.load(Ordering::Relaxed));
        if accepted().contains(port.id) {
            return true;
        }
        let trunk = dev.data().get_ref();
        let mut others = accepted().iter().filter_map(|id| trunk.port(id, rcu));
        if others.any(|other| other.dev.is_operational()) {
            return false;
        }
        self.follow_ports(dev, rcu);
        accepted().contains(port.id)
    }

    /// Brings the table into line with the links of the ports as they are now. In any context; does
    /// nothing, and takes no lock, if they are as they were.
    pub(crate) fn follow_ports(&self, dev: &Device<Trunk>, rcu: &Rcu) {
        let trunk = dev.data().get_ref();
        let news = || trunk.ports(rcu).any(Port::has_changed);
        if news() {
            let decided = self.decided.lock();
            // Whoever had the lock before may have seen to it.
            if news() {
                self.switch(dev, decided, None, None, |_| {}, rcu);
            }
        }
    }

    /// Waits until a change of the table that is under way is done. In any context.
    pub(crate) fn wait_for_change(&self) {
        drop(self.decided.lock());
    }

    /// The same as [`follow_ports`](Self::follow_ports), and records what else the health check has
    /// found.
    pub(crate) fn follow_health(&self, dev: &Device<Trunk>, news: &News, rcu: &Rcu) {
        let now = time::monotonic_ns();
        let events = [
            (EventKind::PeerFound, news.found),
            (EventKind::PeerDiffers, news.differs),
            (EventKind::PeerBye, news.bye),
        ];
        if news.lost || events.iter().any(|(_, ports)| !ports.is_empty()) {
            let trunk = dev.data().get_ref();
            let mut decided = self.decided.lock();
            for (kind, ports) in events {
                for port in ports.iter().filter_map(|id| trunk.port(id, rcu)) {
                    let port = port.dev.ifindex();
                    let event = Event {
                        port,
                        ..Event::new(kind, now)
                    };
                    decided.events.record(event);
                }
            }
            if news.lost {
                let event = Event::new(EventKind::PeerLost, now);
                decided.events.record(event);
            }
            drop(decided);
            dev.schedule_work(0);
        }
        self.follow_ports(dev, rcu);
    }

    /// Tells why ports are sby, if that has been another reason than was told for `lasting` ns: links
    /// that return, or are about to fail, have some for a moment.
    pub(crate) fn tell_reasons(&self, dev: &Device<Trunk>, lasting: u64, rcu: &Rcu) {
        if !self.vague.load(Ordering::Relaxed) {
            return;
        }
        let now = time::monotonic_ns();
        let told = self.look(|decided| {
            let ports = dev.data().get_ref().ports(rcu);
            decided.tell_reasons(ports, now, now.saturating_sub(lasting));
            self.vague
                .store(decided.has_other_reasons(), Ordering::Relaxed);
            decided.has_to_tell()
        });
        if told {
            dev.schedule_work(0);
        }
    }

    /// Takes in a port that the trunk has, so that it is given its share.
    pub(crate) fn add(
        &self,
        dev: &Device<Trunk>,
        port: &Port,
        priority: u16,
        record: KBox<Record>,
        rcu: &Rcu,
    ) {
        let cause = Cause::of(EventKind::Join, port);
        let add = |decided: &mut Decided| decided.set_member(port.id, Some((priority, record)));
        drop(self.change(dev, Some(cause), add, rcu));
    }

    /// Takes out a port: no bucket names it any more.
    pub(crate) fn remove(&self, dev: &Device<Trunk>, port: &Port, rcu: &Rcu) {
        let cause = Cause::of(EventKind::Leave, port);
        let remove = |decided: &mut Decided| decided.set_member(port.id, None);
        drop(self.change(dev, Some(cause), remove, rcu));
    }

    /// Records that the device of that index was to join, and could not for that error.
    pub(crate) fn note_refusal(&self, dev: &Device<Trunk>, port: u32, error: Error) {
        let event = Event {
            port,
            error: error.to_errno().unsigned_abs() as u16,
            ..Event::new(EventKind::JoinRefused, time::monotonic_ns())
        };
        self.look(|decided| decided.events.record(event));
        dev.schedule_work(0);
    }

    /// The lowest number that no port has.
    pub(crate) fn free_id(&self) -> Option<PortId> {
        let decided = self.decided.lock();
        PortId::all().find(|id| decided.ports.get(*id).is_none())
    }

    /// What has been decided so far, as seen by `look`, which is not to take long.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut Decided) -> R) -> R {
        look(&mut self.decided.lock())
    }

    /// Makes these the trunk's settings. Nothing happens if they are.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; nothing is changed then.
    pub(crate) fn configure(
        &self,
        dev: &Device<Trunk>,
        bits: Option<u32>,
        selector: Option<Selector>,
        settings: Settings,
        rtnl: &Rtnl,
    ) -> Result {
        let (old_bits, old_selector) = {
            let guard = rcu::read_lock();
            let layout = self.layout((&guard).into()).ok_or(EINVAL)?;
            (layout.bits(), layout.selector)
        };
        let bits = bits.filter(|bits| *bits != old_bits);
        let selector = selector.filter(|selector| *selector != old_selector);
        let cause = Some(Cause {
            kind: EventKind::Config,
            port: 0,
            homes: bits.is_some(),
        });
        let edit = |decided: &mut Decided| decided.settings = settings;

        if bits.is_some() || selector.is_some() {
            let next = self.next(bits, selector, false, rtnl)?;
            self.replace(dev, next, cause, edit, rtnl);
        } else if settings != self.look(|decided| decided.settings) {
            self.change(dev, cause, edit, (&rcu::read_lock()).into());
        }
        Ok(())
    }

    /// Makes these the settings of a port. Nothing happens if they are.
    pub(crate) fn configure_port(
        &self,
        dev: &Device<Trunk>,
        port: &Port,
        priority: Option<u16>,
        weight: Option<u16>,
        enabled: Option<bool>,
        rtnl: &Rtnl,
    ) {
        let state = |decided: &mut Decided| {
            let priority = decided.ports.get(port.id)?.priority;
            Some((priority, decided.record(port.id)?.weight))
        };
        let Some((old_priority, old_weight)) = self.look(state) else {
            return;
        };
        let priority = priority.unwrap_or(old_priority);
        let weight = weight.unwrap_or(old_weight);
        let enabled = enabled.unwrap_or(port.is_enabled());
        if (priority, weight, enabled) == (old_priority, old_weight, port.is_enabled()) {
            return;
        }

        let speed = port.dev.link_speed(rtnl).map(|(speed, _)| speed);
        let edit = |decided: &mut Decided| {
            let record = decided.record_mut(port.id)?;
            record.weight = weight;
            record.speed = speed.or(record.speed);
            // Whoever enables a port wants it used.
            record.was_act &= enabled && port.is_enabled();
            port.set_enabled(enabled);
            let view = *decided.ports.get(port.id)?;
            let view = PortView {
                priority,
                held_back: view.held_back && priority == 1,
                ..view
            };
            decided.ports.set(port.id, Some(view));
            decided.share(port.id);
            Some(())
        };
        let cause = Cause::of(EventKind::Config, port);
        let health = |health: &mut Health<_>| health.set_priority(port.id, priority);
        dev.data().prober.look(health);
        self.change(dev, Some(cause), edit, (&rcu::read_lock()).into());
    }

    /// Makes `next`, which differs in the homes the user has set, the layout. Nothing happens if it
    /// does not differ.
    pub(crate) fn set_homes(&self, dev: &Device<Trunk>, next: Next, rtnl: &Rtnl) {
        if self.look(|decided| *decided.set == *next.set) {
            return;
        }
        let cause = Cause {
            kind: EventKind::Table,
            port: 0,
            homes: true,
        };
        self.replace(dev, next, Some(cause), |_| {}, rtnl);
    }

    /// A layout to be put in place of the present one: as it, but for these. It begins to count
    /// anew if `anew` says so, or if there is another number of buckets.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn next(
        &self,
        bits: Option<u32>,
        selector: Option<Selector>,
        anew: bool,
        _rtnl: &Rtnl,
    ) -> Result<Next> {
        let (now, selector, sent) = {
            let guard = rcu::read_lock();
            let layout = self.layout((&guard).into()).ok_or(EINVAL)?;
            let selector = selector.unwrap_or(layout.selector);
            (layout.bits(), selector, layout.sent.clone())
        };
        let bits = bits.unwrap_or(now);
        let sent = (bits == now && !anew).then_some(sent);
        let mut next = Next::new(bits, selector, sent)?;
        // RTNL keeps these as they are.
        self.look(|decided| next.inherit(&decided.homes, &decided.set));
        Ok(next)
    }

    /// Puts `next` in place of the present layout, and changes with `edit` what else is decided. A
    /// frame finds all of it or nothing.
    pub(crate) fn replace<R>(
        &self,
        dev: &Device<Trunk>,
        next: Next,
        cause: Option<Cause>,
        edit: impl FnOnce(&mut Decided) -> R,
        _rtnl: &Rtnl,
    ) -> R {
        let Next { layout, homes, set } = next;
        let mut rest = (homes, set);
        let (result, old) = {
            let guard = rcu::read_lock();
            let swap = |decided: &mut Decided| {
                mem::swap(&mut decided.homes, &mut rest.0);
                mem::swap(&mut decided.set, &mut rest.1);
                edit(decided)
            };
            self.switch(
                dev,
                self.decided.lock(),
                Some(layout),
                cause,
                swap,
                (&guard).into(),
            )
        };
        // Frames may use the old one until here.
        drop(old);
        result
    }

    /// Changes with `edit` what has been decided, and brings the table into line with it, and with
    /// the links of the ports as they are now. In any context.
    pub(crate) fn change<R>(
        &self,
        dev: &Device<Trunk>,
        cause: Option<Cause>,
        edit: impl FnOnce(&mut Decided) -> R,
        rcu: &Rcu,
    ) -> R {
        self.switch(dev, self.decided.lock(), None, cause, edit, rcu)
            .0
    }

    fn switch<R>(
        &self,
        dev: &Device<Trunk>,
        mut guard: impl DerefMut<Target = Decided>,
        next: Option<Arc<Layout>>,
        cause: Option<Cause>,
        edit: impl FnOnce(&mut Decided) -> R,
        rcu: &Rcu,
    ) -> (R, Option<Retired<Layout>>) {
        let trunk = dev.data().get_ref();
        let decided = &mut *guard;
        let now = time::monotonic_ns();

        let act = decided.ports.select(PortView::is_act);
        let away = decided.away();
        let result = edit(decided);
        decided.note_links(trunk.ports(rcu), now);
        if cause.is_some_and(|cause| cause.homes) {
            decided.assign();
        }

        let old = self.layout.get(rcu);
        if let (Some(next), Some(old)) = (&next, old) {
            for bucket in 0..next.buckets() {
                next.set_slot(bucket, old.slot(bucket & old.buckets().wrapping_sub(1)));
            }
        }
        let layout = next.as_deref().or(old);
        let moved = layout.map_or(0, |layout| decided.fill(layout));
        if let Some(layout) = layout {
            layout.set_special(!decided.claims.is_empty());
        }
        if let Some(marks) = self.marks.get(rcu) {
            for (claim, holder) in decided.claims() {
                marks.set_link(holder.mark, to_slot(claim.link()));
            }
        }
        let retired = next.map(|next| self.layout.replace(Some(next)));

        let view = [decided.usable_here(), decided.in_use(), decided.held()];
        let mut news = 0;
        for (told, set) in self.view.iter().zip(view) {
            news |= told.swap(set.bits(), Ordering::Relaxed) ^ set.bits();
        }
        self.news.fetch_or(news, Ordering::Relaxed);
        let peer = |id| trunk.port(id, rcu).and_then(Port::proven_peer);
        let accepted = PortSet::from_bits(self.accepted.load(Ordering::Relaxed));
        let accepted = receive::accept(decided.group_rule(), &decided.ports, peer, accepted);
        self.accepted.store(accepted.bits(), Ordering::Relaxed);

        self.vague
            .store(decided.has_other_reasons(), Ordering::Relaxed);

        let outcome = Outcome {
            now,
            took: time::monotonic_ns().saturating_sub(now),
            act,
            back: away & decided.serving(),
            moved,
        };
        decided.remember(trunk, cause, &outcome, rcu);
        let act_now = decided.ports.select(PortView::is_act);
        decided.unsettled |= act != act_now || moved != 0;
        decided.announce |= moved != 0;
        // Under the lock, lest two changes tell the stack the wrong one last.
        dev.set_carrier(!decided.ports.usable().is_empty());
        #[cfg(CONFIG_TRUNK_DEBUG)]
        self.verify(decided, rcu);
        let due = decided.has_to_tell() || news != 0;
        drop(guard);
        if due {
            dev.schedule_work(0);
        }
        (result, retired)
    }

    /// Makes room for one more claim, of that mark.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one of that mark, `ENOSPC` if there are [`MAX_CLAIMS`]; `ENOMEM`.
    pub(crate) fn expect_claim(&self, mark: u32, _rtnl: &Rtnl) -> Result {
        if self.look(|decided| decided.claims().any(|(_, holder)| holder.mark == mark)) {
            return Err(EEXIST);
        }
        if self.look(|decided| decided.claims().count()) >= MAX_CLAIMS {
            return Err(ENOSPC);
        }
        let mut marks = KVec::with_capacity(MAX_CLAIMS, GFP_KERNEL)?;
        marks.push(mark, GFP_KERNEL)?;
        let mut room = None;
        if self.look(|decided| decided.claims.capacity() < MAX_CLAIMS) {
            room = Some(ClaimRoom::new()?);
        }
        // Others may end meanwhile, but none begins, since that takes RTNL.
        self.look(|decided| {
            room = room.take().map(|room| decided.make_room(room));
            for (_, holder) in decided.claims() {
                // There is room: the new one and these are at most as many as there can be.
                let _ = marks.push_within_capacity(holder.mark);
            }
        });
        let marks = Arc::new(Marks::new(&marks)?, GFP_KERNEL)?;
        let retired = {
            let mut decided = self.decided.lock();
            let decided = &mut *decided;
            for (claim, holder) in decided.claims() {
                marks.set_link(holder.mark, to_slot(claim.link()));
            }
            self.marks.replace(Some(marks))
        };
        drop(retired);
        Ok(())
    }

    /// Ends the claims for whose holder `test` holds. In any context.
    pub(crate) fn end_claims(
        &self,
        dev: &Device<Trunk>,
        test: impl Fn(&Holder) -> bool,
        rcu: &Rcu,
    ) -> usize {
        if !self.look(|decided| decided.claims().any(|(_, holder)| test(holder))) {
            return 0;
        }
        let end = |decided: &mut Decided| {
            if let Some(marks) = self.marks.get(rcu) {
                for (_, holder) in decided.claims().filter(|(_, holder)| test(holder)) {
                    marks.set_link(holder.mark, NO_PORT);
                }
            }
            decided.end_claims(&test)
        };
        self.change(dev, None, end, rcu)
    }

    /// What is set for the trunk, and what it has in reserve.
    pub(crate) fn trunk(&self, rcu: &Rcu) -> Option<TrunkState> {
        let decided = self.decided.lock();
        let layout = self.layout(rcu)?;
        Some(TrunkState {
            bits: layout.bits(),
            selector: layout.selector,
            settings: decided.settings,
            redundancy: decided.ports.redundancy(),
        })
    }

    /// What is known of a port.
    pub(crate) fn port(&self, id: PortId, rcu: &Rcu) -> Option<PortState> {
        let (layout, mut state) = {
            let decided = self.decided.lock();
            let record = decided.record(id)?;
            let state = PortState {
                view: *decided.ports.get(id)?,
                weight: record.weight,
                since: record.since,
                homes: decided.homes_of(id),
                buckets: 0,
                stands_in_for: decided.stand_ins.home_of(id),
                stand_in: decided.stand_ins.of(id),
                in_use: decided.in_use().contains(id),
                claims: decided.served_by(id),
            };
            (self.layout(rcu)?, state)
        };
        // Those who switch over are not kept waiting for this.
        let carried = |bucket: &usize| layout.port(*bucket) == Some(id);
        state.buckets = (0..layout.buckets()).filter(carried).count();
        Some(state)
    }

    /// What is known of a bucket; `None` if there are not so many.
    pub(crate) fn bucket(&self, bucket: usize, rcu: &Rcu) -> Option<BucketState> {
        let (layout, home, set) = {
            let decided = self.decided.lock();
            let (home, set) = (decided.homes.get(bucket)?, decided.set.get(bucket)?);
            (self.layout(rcu)?, from_slot(*home), from_slot(*set))
        };
        Some(BucketState {
            home,
            user_set: set.is_some() && set == home,
            port: layout.port(bucket),
            sent: layout.sent(bucket),
        })
    }

    /// Takes note of the speed of a port's link, in Mbit/s, which its share may go by.
    pub(crate) fn note_speed(&self, dev: &Device<Trunk>, port: &Port, speed: u32, _rtnl: &Rtnl) {
        let share_differs = {
            let mut decided = self.decided.lock();
            let weight = decided.ports.get(port.id).map(|view| view.weight);
            decided.record_mut(port.id).is_some_and(|record| {
                record.speed = Some(speed);
                weight != Some(record.share())
            })
        };
        if share_differs {
            let guard = rcu::read_lock();
            let cause = Cause::of(EventKind::Config, port);
            self.change(
                dev,
                Some(cause),
                |decided| decided.share(port.id),
                (&guard).into(),
            );
        }
    }

    /// Gives those ports their buckets back that have waited long enough, and returns how long, in
    /// ms, the next one has to wait.
    pub(crate) fn fail_back(&self, dev: &Device<Trunk>) -> Option<u32> {
        let next = |now| self.look(|decided| decided.held_back(now).filter_map(|(_, w)| w).min());
        if self.look(|decided| decided.is_due(time::monotonic_ns())) {
            self.change(dev, None, |_| {}, (&rcu::read_lock()).into());
        }
        let ms = next(time::monotonic_ns())?.div_ceil(NSEC_PER_MSEC);
        Some(u32::try_from(ms).unwrap_or(u32::MAX).max(1))
    }

    /// Warns if the table breaks a rule that frames rely on.
    #[cfg(CONFIG_TRUNK_DEBUG)]
    fn verify(&self, decided: &Decided, rcu: &Rcu) {
        let usable = decided.ports.usable();
        let Some(layout) = self.layout(rcu) else {
            kernel::warn_on!(true);
            return;
        };
        kernel::warn_on!(layout.buckets() != decided.homes.len());
        kernel::warn_on!(layout.buckets() != decided.set.len());
        for (bucket, home) in (0..layout.buckets()).zip(decided.homes.iter()) {
            let port = layout.port(bucket);
            kernel::warn_on!(port.is_some() == usable.is_empty());
            kernel::warn_on!(port.is_some_and(|id| !usable.contains(id)));
            let held_back = |id| decided.ports.get(id).is_some_and(PortView::is_held_back);
            let home = from_slot(*home).filter(|id| usable.contains(*id) && !held_back(*id));
            kernel::warn_on!(home.is_some() && home != port);
        }
    }
}

/// What is known of a trunk.
pub(crate) struct TrunkState {
    pub(crate) bits: u32,
    pub(crate) selector: Selector,
    pub(crate) settings: Settings,
    pub(crate) redundancy: Redundancy,
}

/// What is known of a port.
pub(crate) struct PortState {
    pub(crate) view: PortView,
    /// As set by the user; 0 is by speed.
    pub(crate) weight: u16,
    /// When its link became what it is, in ns.
    pub(crate) since: u64,
    /// The buckets whose home it is, and those it carries.
    pub(crate) homes: u32,
    pub(crate) buckets: usize,
    pub(crate) stands_in_for: Option<PortId>,
    pub(crate) stand_in: Option<PortId>,
    /// Does it serve buckets or claims? And how many of these?
    pub(crate) in_use: bool,
    pub(crate) claims: u32,
}

/// What is known of a bucket.
pub(crate) struct BucketState {
    pub(crate) home: Option<PortId>,
    /// Is its home as the user has set it?
    pub(crate) user_set: bool,
    pub(crate) port: Option<PortId>,
    /// Frames and octets.
    pub(crate) sent: [u64; 2],
}
