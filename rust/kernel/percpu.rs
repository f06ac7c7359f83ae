// SPDX-License-Identifier: GPL-2.0

//! Per-CPU counters of the C side.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

/// Adds 1 to the first and `n` to the second of this CPU's instance of two counters, each as
/// `this_cpu_add()` does: no other CPU, and no interrupt on this one, gets in between.
///
/// Worth its assembly since it runs for each frame: a call to a C helper and the return from it
/// cost several times as much. `None` where there is none of it; then there is the helper.
///
/// # Safety
///
/// `counters` must be a per-CPU pointer to two `u64` that stay allocated during the call.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn this_cpu_count(counters: *mut [u64; 2], n: u64) -> Option<()> {
    #[cfg(all(CONFIG_X86_64, not(CONFIG_UML)))]
    {
        // SAFETY: On x86-64, a per-CPU pointer is an offset from the GS segment. By the safety
        // requirement there are two counters at it.
        unsafe {
            core::arch::asm!(
                "inc qword ptr gs:[{counters}]",
                "add qword ptr gs:[{counters} + 8], {n}",
                counters = in(reg) counters,
                n = in(reg) n,
                options(nostack),
            );
        }
        Some(())
    }
    #[cfg(not(all(CONFIG_X86_64, not(CONFIG_UML))))]
    {
        let _ = (counters, n);
        None
    }
}
