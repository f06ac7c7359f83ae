// SPDX-License-Identifier: GPL-2.0

//! Timers of a device, for what its driver does at exact moments and without waiting for a process.
//!
//! A timer begins when it is made, and ends when it is dropped. In between, the driver's function
//! says each time when it is due next, as a moment of `CLOCK_MONOTONIC`; so what it takes to get
//! there does not add up.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use crate::{
    device::Device,
    driver::Driver,
    rcu::RcuBh,
    rtnl::Rtnl, //
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        aref::ARef,
        rcu,
        Arc,
        ArcBorrow, //
    },
    time::{
        hrtimer::{
            AbsoluteSoftMode,
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart, //
        },
        Delta,
        Instant,
        Monotonic, //
    },
};

/// A timer of a device: [`Driver::timer`] is called for as long as this exists, and not any more
/// once it has been dropped.
///
/// It refers to the device, and nobody else ends it: a driver that keeps it in the device's data
/// must drop it in [`Driver::stop`] or [`Driver::uninit`], or whoever removes the device waits for
/// ever.
///
/// Dropping it waits for a call at work. So it must not be done in the call itself, under a lock
/// that the call takes, or where sleeping is not allowed.
pub struct Timer<T: Driver> {
    _handle: ArcHrTimerHandle<Inner<T>>,
}

/// A timer that does not run yet. So what can fail about it may come before anything is changed.
pub struct IdleTimer<T: Driver>(Arc<Inner<T>>);

impl<T: Driver> IdleTimer<T> {
    /// Makes a timer of `dev`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(dev: &Device<T>, _rtnl: &Rtnl) -> Result<Self> {
        const { assert!(T::HAS_TIMER, "the driver has no timer") };

        let inner = pin_init!(Inner {
            timer <- HrTimer::new(),
            dev: dev.into(),
        });
        Ok(Self(Arc::pin_init(inner, GFP_KERNEL)?))
    }

    /// Starts it. The first call comes at once, perhaps before this returns, but not from in here.
    pub fn start(self, _rtnl: &Rtnl) -> Timer<T> {
        Timer {
            _handle: self.0.start(Instant::now()),
        }
    }
}

#[pin_data]
struct Inner<T: Driver> {
    #[pin]
    timer: HrTimer<Self>,
    dev: ARef<Device<T>>,
}

impl_has_hr_timer! {
    impl{T: Driver} HasHrTimer<Self> for Inner<T> {
        mode: AbsoluteSoftMode<Monotonic>, field: self.timer
    }
}

impl<T: Driver> HrTimerCallback for Inner<T> {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        mut timer: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        let next = {
            let _guard = rcu::read_lock();
            // SAFETY: RCU was locked just now, for all of this block; and a timer of a soft mode
            // expires with bottom halves disabled.
            let context = unsafe { RcuBh::assume() };
            T::timer(&this.dev, context)
        };
        let Some(next) = next else {
            return HrTimerRestart::NoRestart;
        };
        let due = this.timer.expires();
        // All timers that are due when they are looked at are handled before anything else. With a
        // moment that is over by now, this one would be among them again and again.
        let soonest = nanoseconds(Instant::now()).saturating_add(1);
        let next = i64::try_from(next).unwrap_or(i64::MAX).max(soonest);
        // From the moment it was due, so that it is due at `next` exactly.
        let interval = next.saturating_sub(nanoseconds(due));
        timer.forward(due, Delta::from_nanos(interval));
        HrTimerRestart::Restart
    }
}

/// Nanoseconds from the beginning of the clock to `moment`.
fn nanoseconds(moment: Instant<Monotonic>) -> i64 {
    // SAFETY: An `Instant` is a number of nanoseconds not less than 0, which has all bits 0.
    let beginning: Instant<Monotonic> = unsafe { core::mem::zeroed() };
    (moment - beginning).as_nanos()
}
