// SPDX-License-Identifier: GPL-2.0

//! Errors of what undoes something.

use kernel::prelude::*;

/// Warns if something cannot be undone: there is nobody to return the error to.
pub(crate) fn undo(what: &str, result: Result) {
    if let Err(err) = result {
        pr_warn!(
            "a port does not give back its {what}: error {}\n",
            err.to_errno()
        );
    }
}
