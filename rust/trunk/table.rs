// SPDX-License-Identifier: GPL-2.0

//! The table in service: read for each frame without a lock, and switched over in place from
//! whatever context notices that a port has failed.
//!
//! What goes where is decided by [`pure`](crate::pure); here it is looked up, counted and stored.

use crate::{
    device::Trunk,
    port::Port,
    pure::{
        port::{
            from_slot,
            to_slot,
            LinkState,
            PortId,
            PortView,
            Ports,
            Slot,
            NO_PORT, //
        },
        receive,
        spares::StandIns,
        table::{
            assign_homes,
            resolve, //
        },
    },
    stats::History, //
};
use core::sync::atomic::{
    AtomicI8,
    Ordering, //
};
use kernel::{
    cpu::CpuId,
    new_spinlock_irq,
    prelude::*,
    sync::SpinLockIrq, //
};
use netdev::{
    device::Device,
    rcu::Rcu,
    stats::PerCpu, //
};

/// The table of a trunk.
#[pin_data]
pub(crate) struct Table {
    /// For each bucket, the port that carries it. Written under the lock, in place: a frame finds
    /// the old port or the new one.
    slots: KVVec<AtomicI8>,
    /// Frames and octets sent in each bucket.
    sent: PerCpu<2>,
    /// The port that group-addressed frames are accepted from. Written under the lock.
    elected: AtomicI8,
    /// What the slots are derived from. Taken in any context, hence with interrupts off.
    #[pin]
    decided: SpinLockIrq<Decided>,
}

/// What has been decided.
struct Decided {
    ports: Ports,
    homes: KVVec<Slot>,
    stand_ins: StandIns,
    history: History,
}

/// What is new about the ports.
enum Change {
    /// The state of their links, at most.
    Links,
    /// There is a port more, or another one, or with `None` one less.
    Member(PortId, Option<PortView>),
}

impl Table {
    /// A table of 2^`bits` buckets and no ports.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(bits: u32) -> impl PinInit<Self, Error> {
        let buckets = 1usize.wrapping_shl(bits);
        try_pin_init!(Self {
            slots: filled(buckets, || AtomicI8::new(NO_PORT))?,
            sent: PerCpu::new(buckets)?,
            elected: AtomicI8::new(NO_PORT),
            decided <- new_spinlock_irq!(Decided {
                ports: Ports::new(),
                homes: filled(buckets, || NO_PORT)?,
                stand_ins: StandIns::new(),
                history: History::default(),
            }),
        })
    }

    /// The bucket that `index` names: its low bits.
    #[inline(always)]
    pub(crate) fn bucket(&self, index: u32) -> usize {
        // The number of buckets is a power of two.
        index as usize & self.slots.len().wrapping_sub(1)
    }

    /// The port that carries `bucket` now.
    #[inline(always)]
    pub(crate) fn port(&self, bucket: usize) -> Option<PortId> {
        from_slot(self.slots.get(bucket)?.load(Ordering::Relaxed))
    }

    /// Counts a frame that is sent in `bucket` on `cpu`, which this runs on.
    #[inline(always)]
    pub(crate) fn count(&self, cpu: CpuId, bucket: usize, octets: u32) {
        if let Some([frames, sum]) = self.sent.of(cpu, bucket) {
            frames.add(1);
            sum.add(octets.into());
        }
    }

    /// Is `port` the one from which the trunk accepts group-addressed frames? Should the elected
    /// one have failed unnoticed, another is elected first.
    #[inline]
    pub(crate) fn accepts_groups_from(&self, port: &Port, dev: &Device<Trunk>, rcu: &Rcu) -> bool {
        let elected = || from_slot(self.elected.load(Ordering::Relaxed));

        if elected() == Some(port.id) {
            return true;
        }
        let alive = elected()
            .and_then(|id| dev.data().get_ref().port(id, rcu))
            .is_some_and(|elected| elected.dev.is_operational());
        if alive {
            return false;
        }
        self.follow_ports(dev, rcu);
        elected() == Some(port.id)
    }

    /// Brings the table into line with the links of the ports as they are now. In any context; does
    /// nothing, and takes no lock, if they are as they were.
    pub(crate) fn follow_ports(&self, dev: &Device<Trunk>, rcu: &Rcu) {
        let trunk = dev.data().get_ref();
        if trunk
            .ports(rcu)
            .any(|port| port.is_act() != port.dev.is_operational())
        {
            self.change(dev, Change::Links, rcu);
        }
    }

    /// Takes in a port that the trunk has, so that it is given its share.
    pub(crate) fn add(&self, dev: &Device<Trunk>, id: PortId, rcu: &Rcu) {
        let view = PortView {
            priority: 1,
            weight: 1,
            state: LinkState::Sby,
            carrier: false,
            held: false,
            held_back: false,
        };
        self.change(dev, Change::Member(id, Some(view)), rcu);
    }

    /// Takes out a port: no bucket names it any more.
    pub(crate) fn remove(&self, dev: &Device<Trunk>, id: PortId, rcu: &Rcu) {
        self.change(dev, Change::Member(id, None), rcu);
    }

    /// The lowest number that no port has.
    pub(crate) fn free_id(&self) -> Option<PortId> {
        let decided = self.decided.lock();
        PortId::all().find(|id| decided.ports.get(*id).is_none())
    }

    /// What has happened so far.
    pub(crate) fn history(&self) -> History {
        self.decided.lock().history
    }

    fn change(&self, dev: &Device<Trunk>, change: Change, rcu: &Rcu) {
        let trunk = dev.data().get_ref();
        let mut guard = self.decided.lock();
        let decided = &mut *guard;
        let history = &mut decided.history;

        let member = matches!(change, Change::Member(..));
        if let Change::Member(id, view) = change {
            decided.ports.set(id, view);
        }
        let (mut up, mut down) = (0u64, 0u64);
        for port in trunk.ports(rcu) {
            let Some(view) = decided.ports.get(port.id).copied() else {
                continue;
            };
            let act = port.note_link();
            match (view.is_act(), act) {
                (false, true) => up = up.wrapping_add(1),
                (true, false) => down = down.wrapping_add(1),
                _ => continue,
            }
            let state = if act { LinkState::Act } else { LinkState::Sby };
            let view = PortView {
                state,
                carrier: act,
                ..view
            };
            decided.ports.set(port.id, Some(view));
        }

        if member {
            assign_homes(&mut decided.homes, &decided.ports);
        }
        decided.stand_ins.update(&decided.ports);
        let moved = resolve(
            &decided.homes,
            &decided.stand_ins,
            &decided.ports,
            |bucket| {
                self.slot(bucket)
                    .map_or(NO_PORT, |slot| slot.load(Ordering::Relaxed))
            },
            |bucket, port| {
                if let Some(slot) = self.slot(bucket) {
                    slot.store(port, Ordering::Relaxed);
                }
            },
        );
        let elected = from_slot(self.elected.load(Ordering::Relaxed));
        let elected = receive::elect(&decided.ports, elected);
        self.elected.store(to_slot(elected), Ordering::Relaxed);

        history.port_up = history.port_up.wrapping_add(up);
        history.port_down = history.port_down.wrapping_add(down);
        history.buckets_moved = history.buckets_moved.wrapping_add(moved as u64);
        if moved != 0 && !member {
            if down != 0 {
                history.failovers = history.failovers.wrapping_add(1);
            } else {
                history.failbacks = history.failbacks.wrapping_add(1);
            }
        }
        // Under the lock, lest two changes tell the stack the wrong one last.
        dev.set_carrier(!decided.ports.usable().is_empty());
        #[cfg(CONFIG_TRUNK_DEBUG)]
        self.verify(decided);
    }

    fn slot(&self, bucket: usize) -> Option<&AtomicI8> {
        self.slots.get(bucket)
    }

    /// Warns if the table breaks a rule that frames rely on.
    #[cfg(CONFIG_TRUNK_DEBUG)]
    fn verify(&self, decided: &Decided) {
        let usable = decided.ports.usable();
        for (slot, home) in self.slots.iter().zip(decided.homes.iter()) {
            let port = from_slot(slot.load(Ordering::Relaxed));
            kernel::warn_on!(port.is_some() == usable.is_empty());
            kernel::warn_on!(port.is_some_and(|id| !usable.contains(id)));
            let home = from_slot(*home).filter(|id| usable.contains(*id));
            kernel::warn_on!(home.is_some() && home != port);
        }
    }
}

/// `len` values.
fn filled<T>(len: usize, value: impl Fn() -> T) -> Result<KVVec<T>> {
    let mut all = KVVec::with_capacity(len, GFP_KERNEL)?;
    for _ in 0..len {
        all.push(value(), GFP_KERNEL)?;
    }
    Ok(all)
}
