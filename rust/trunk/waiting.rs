// SPDX-License-Identifier: GPL-2.0

//! The devices that wait to join a trunk by themselves.

use kernel::{
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::Mutex, //
};

/// The devices that are to join a trunk, by interface index, which is the order they appeared in.
#[pin_data]
pub(crate) struct Waiting {
    /// The value says whether a device waits for no more than its new name.
    #[pin]
    devices: Mutex<RBTree<u32, bool>>,
}

impl Waiting {
    /// Makes an empty set.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            devices <- new_mutex!(RBTree::new()),
        })
    }

    /// Adds a device, which waits for no more than its new name if it is `renamed`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add(&self, ifindex: u32, renamed: bool) -> Result {
        let mut devices = self.devices.lock();
        let renamed = renamed && devices.get(&ifindex).is_none_or(|old| *old);
        devices.try_create_and_insert(ifindex, renamed, GFP_KERNEL)?;
        Ok(())
    }

    /// Removes the first device, and returns it.
    pub(crate) fn take(&self) -> Option<(u32, bool)> {
        let mut devices = self.devices.lock();
        let (_, first) = devices.cursor_front_mut()?.remove_current();
        Some(first.to_key_value())
    }

    /// Returns whether no device waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.devices.lock().is_empty()
    }
}
