//! Faults of this process that are the program's.

use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use flatmk_softuser::engine::{Hart, recover};

/// The hart that runs.
static RUNNING: AtomicPtr<Hart> = AtomicPtr::new(ptr::null_mut());

/// The address of the last fault.
static ADDRESS: AtomicU64 = AtomicU64::new(0);

/// Which address the program has named, after it was stopped at an access.
pub(super) fn address() -> u64 {
    ADDRESS.load(Relaxed)
}

/// Lets a hart run, by this function, with its faults recovered from.
pub(super) fn recovered<R>(hart: &mut Hart, run: impl FnOnce(&mut Hart) -> R) -> R {
    static ONCE: Once = Once::new();
    ONCE.call_once(install);
    let hart: *mut Hart = hart;
    RUNNING.store(hart, Relaxed);
    // SAFETY: the caller's own; the handler uses it only where the engine has faulted, which does not use it then.
    let result = run(unsafe { &mut *hart });
    RUNNING.store(ptr::null_mut(), Relaxed);
    result
}

fn install() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: of all zeros this is a valid value; the handler does nothing but read and write memory.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
}

extern "C" fn on_fault(signal: i32, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: Linux has put both there.
    let (address, registers) = unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        ((*information).si_addr() as u64, &mut context.uc_mcontext.gregs)
    };
    let register = |index: i32| registers.get(index as usize).copied().unwrap_or(0).cast_unsigned();
    let (rip, rdi) = (register(libc::REG_RIP), register(libc::REG_RDI));
    // SAFETY: it is there as long as it runs, and does not use itself at a fault.
    let hart = unsafe { RUNNING.load(Relaxed).as_mut() };
    let Some(recovery) = hart.and_then(|hart| recover(hart, rip, rdi)) else {
        // A mistake in this process: on return it faults again, and that is its end.
        // SAFETY: changes nothing but what this signal does.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    };
    ADDRESS.store(address, Relaxed);
    let new = [(libc::REG_RIP, recovery.rip), (libc::REG_RSP, recovery.rsp), (libc::REG_RAX, recovery.rax)];
    for (index, value) in new {
        if let Some(register) = registers.get_mut(index as usize) {
            *register = value.cast_signed();
        }
    }
}
