// SPDX-License-Identifier: GPL-2.0

//! The settings of a trunk, besides the size of the table.

use super::super::{
    health,
    join::Rule,
    selector::Selector,
    spares::Failback,
    uapi::FarEnd, //
};

/// The group address that no bridge forwards, IEEE 802.1Q 8.6.3.
pub const NEAREST_BRIDGE: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];

/// The first EtherType for local experiments, IEEE 802 9.2.4.
pub const LOCAL_EXPERIMENTAL: u16 = 0x88b5;

/// The settings of a trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What the buckets of the table are selected by.
    pub selector: Selector,
    /// When a working port that returns gets its buckets back.
    pub failback: Failback,
    /// How long it waits with [`Failback::Delay`], in ms.
    pub failback_delay: u32,
    /// What the ports lead to.
    pub far_end: FarEnd,
    /// The number of ports that have to be `act` for the trunk to have carrier.
    pub min_links: u8,
    /// How links are tested.
    pub probes: health::Settings,
    /// Where probes are sent to.
    pub probe_address: [u8; 6],
    /// Their EtherType.
    pub probe_ethertype: u16,
    /// Probes have a key.
    pub keyed: bool,
    /// The number of keys there have been. It stands for the key, which is secret.
    pub keys: u32,
    /// The rule for devices that join by themselves.
    pub join: Option<Rule>,
}

impl Settings {
    /// Returns whether no bridge forwards probes (IEEE 802.1Q-2018, 8.6.3).
    pub(super) fn probes_stay_on_link(&self) -> bool {
        matches!(self.probe_address, [0x01, 0x80, 0xc2, 0, 0, 0..=0x0f])
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            selector: Selector::Dmac,
            failback: Failback::Immediate,
            failback_delay: 0,
            far_end: FarEnd::Auto,
            min_links: 0,
            probes: health::Settings::default(),
            probe_address: NEAREST_BRIDGE,
            probe_ethertype: LOCAL_EXPERIMENTAL,
            keyed: false,
            keys: 0,
            join: None,
        }
    }
}
