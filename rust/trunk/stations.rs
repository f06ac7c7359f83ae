// SPDX-License-Identifier: GPL-2.0

//! Stations that live behind a trunk.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};
use netdev::{
    addr::MacAddr,
    device::NetDevice, //
};

/// A station that is yet to be announced.
pub(crate) struct Station {
    pub(crate) mac: MacAddr,
    /// The VLAN whose tag its frames have, if they have one.
    pub(crate) vlan: Option<u16>,
    /// The device by which its frames leave: the trunk, or one that is stacked on it.
    pub(crate) by: ARef<NetDevice>,
}

/// The stations that are yet to be announced.
pub(crate) type Stations = KVVec<Station>;
