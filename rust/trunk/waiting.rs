// SPDX-License-Identifier: GPL-2.0

//! The devices that wait to join a trunk by themselves.

use kernel::{
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::Mutex, //
};

/// What of a trunk a device may fit by what has happened to it. Each includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// A missing port: it is up.
    Missing,
    /// A rule about names: it has a new name.
    Name,
    /// Any rule: it is new, or the rule is.
    Any,
}

/// The devices that are to join a trunk, by interface index, which is the order they appeared in.
#[pin_data]
pub(crate) struct Waiting {
    #[pin]
    devices: Mutex<RBTree<u32, Wish>>,
}

impl Waiting {
    /// Makes an empty set.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            devices <- new_mutex!(RBTree::new()),
        })
    }

    /// Adds a device, which may fit `wish`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add(&self, ifindex: u32, wish: Wish) -> Result {
        let mut devices = self.devices.lock();
        let wish = devices.get(&ifindex).map_or(wish, |old| wish.max(*old));
        devices.try_create_and_insert(ifindex, wish, GFP_KERNEL)?;
        Ok(())
    }

    /// Removes the first device, and returns it.
    pub(crate) fn take(&self) -> Option<(u32, Wish)> {
        let mut devices = self.devices.lock();
        let (_, first) = devices.cursor_front_mut()?.remove_current();
        Some(first.to_key_value())
    }

    /// Returns whether no device waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.devices.lock().is_empty()
    }
}
