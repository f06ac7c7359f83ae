// SPDX-License-Identifier: GPL-2.0

//! Names of attributes, for the texts of refusals.

use crate::uapi::{attr, bucket, claim, event, peer, port, statistics};

/// Names of a set of attributes, by number, and the sets within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set {
    names: &'static [&'static str],
    nests: &'static [(u16, Set)],
}

impl Set {
    /// Messages of the family `trunk`.
    pub const TRUNK: Self = Self {
        names: &attr::NAMES,
        nests: &[
            (attr::PORT, Self::PORT),
            (attr::BUCKET, Self::leaf(&bucket::NAMES)),
            (attr::STATISTICS, Self::leaf(&statistics::NAMES)),
            (attr::EVENT, Self::leaf(&event::NAMES)),
            (attr::CLAIM, Self::leaf(&claim::NAMES)),
        ],
    };

    const PORT: Self = Self {
        names: &port::NAMES,
        nests: &[(port::PEER, Self::leaf(&peer::NAMES))],
    };

    /// Messages whose attributes have no names for the user.
    pub const NONE: Self = Self::leaf(&[]);

    const fn leaf(names: &'static [&'static str]) -> Self {
        Self { names, nests: &[] }
    }

    /// Returns the name of an attribute, or its number.
    pub fn name(self, kind: u16) -> String {
        match self.names.get(usize::from(kind)) {
            Some(name) if !name.is_empty() => name.to_string(),
            _ => kind.to_string(),
        }
    }

    /// Returns the set within an attribute.
    pub fn nested(self, kind: u16) -> Option<Self> {
        let found = self.nests.iter().find(|(nest, _)| *nest == kind);
        found.map(|(_, set)| *set)
    }
}
