// SPDX-License-Identifier: GPL-2.0

//! Errors of steps that undo something.

use kernel::prelude::*;

/// Logs a warning if something cannot be undone: the error cannot be returned to anybody.
pub(crate) fn undo(what: &str, result: Result) {
    if let Err(err) = result {
        pr_warn!(
            "a port does not give back its {what}: error {}\n",
            err.to_errno()
        );
    }
}
