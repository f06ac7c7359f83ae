// SPDX-License-Identifier: GPL-2.0

//! Per-CPU variables of the C side.
//!
//! On x86-64, what runs for each frame is inline assembly: a call of a C function costs several times as
//! much as the instruction itself. On other architectures it is the C function.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

use core::ptr::NonNull;
use kernel::prelude::*;

/// Returns the place in the row of the CPU this runs on. CPU `n` has its row `n` times `stride` bytes
/// behind that of CPU 0, where the place is `first`.
#[inline(always)]
pub(crate) fn this_cpu_place<T>(first: NonNull<T>, stride: usize) -> *const T {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    {
        extern "C" {
            /// `include/asm/smp.h`, for `raw_smp_processor_id()`.
            static cpu_number: u32;
        }

        let mut place = first.as_ptr();
        // This is one piece of assembly, so that one register is kept over the call that follows. Else
        // the compiler computes the place after the call, and keeps several registers for that.
        //
        // SAFETY: On x86-64, each CPU finds its instance of a per-CPU variable by the GS segment.
        // The variable is read in one piece; that clears the upper half of the register.
        unsafe {
            core::arch::asm!(
                "mov {cpu:e}, dword ptr gs:[rip + {cpu_number}]",
                "imul {cpu}, {stride}",
                "add {place}, {cpu}",
                cpu = out(reg) _,
                cpu_number = sym cpu_number,
                stride = in(reg) stride,
                place = inout(reg) place,
                options(nostack, readonly),
            );
        }
        place
    }
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    {
        let cpu = kernel::cpu::CpuId::current().as_u32() as usize;
        first.as_ptr().wrapping_byte_add(cpu.wrapping_mul(stride))
    }
}

/// Adds 1 to the first and `n` to the second of this CPU's instance of two counters, each as
/// `this_cpu_add()` does: no other CPU, and no interrupt on this one, gets in between. The counters
/// are `OFFSET` bytes behind `base`.
///
/// `None` where there is no assembly for it; the caller uses the C helper then.
///
/// # Safety
///
/// `base` must be a per-CPU pointer with two `u64` at that offset, which stay allocated during the
/// call.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn this_cpu_count<const OFFSET: usize>(base: *mut c_void, n: u64) -> Option<()> {
    #[cfg(all(CONFIG_X86_64, not(CONFIG_UML)))]
    {
        // SAFETY: On x86-64, a per-CPU pointer is an offset from the GS segment. By the safety
        // requirement there are two counters at that offset from it.
        unsafe {
            core::arch::asm!(
                "inc qword ptr gs:[{base} + {first}]",
                "add qword ptr gs:[{base} + {first} + 8], {n}",
                base = in(reg) base,
                first = const OFFSET,
                n = in(reg) n,
                options(nostack),
            );
        }
        Some(())
    }
    #[cfg(not(all(CONFIG_X86_64, not(CONFIG_UML))))]
    {
        let _ = (base, n);
        None
    }
}
