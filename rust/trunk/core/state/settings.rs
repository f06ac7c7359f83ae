// SPDX-License-Identifier: GPL-2.0

//! The settings of a trunk, besides the size of the table and its selector.

use super::super::{
    health,
    join::Rule,
    spares::Failback,
    uapi::RxGroup, //
};

/// The group address that no bridge forwards, IEEE 802.1Q 8.6.3.
pub const NEAREST_BRIDGE: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];

/// The first EtherType for local experiments, IEEE 802 9.2.4.
pub const LOCAL_EXPERIMENTAL: u16 = 0x88b5;

/// The settings of a trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// When a working port that returns gets its buckets back.
    pub failback: Failback,
    /// How long it waits with [`Failback::Delay`], in ms.
    pub failback_delay: u32,
    /// From which ports broadcast and multicast is accepted.
    pub rx_group: RxGroup,
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
    /// Returns the rule by which broadcast and multicast is accepted. A trunk at the other end of
    /// the cables sends one copy. A switch in between sends several.
    pub(super) fn group_rule(&self) -> RxGroup {
        // 01:80:c2:00:00:0x, IEEE 802.1Q table 8-1.
        let direct = match self.probe_address {
            [0x01, 0x80, 0xc2, 0, 0, last] => last < 0x10,
            _ => false,
        };
        match self.rx_group {
            RxGroup::Auto if !direct => RxGroup::One,
            rule => rule,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failback: Failback::Immediate,
            failback_delay: 0,
            rx_group: RxGroup::Auto,
            probes: health::Settings::default(),
            probe_address: NEAREST_BRIDGE,
            probe_ethertype: LOCAL_EXPERIMENTAL,
            keyed: false,
            keys: 0,
            join: None,
        }
    }
}
