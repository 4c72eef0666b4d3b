//! A guest whose memory is in the lowest 4 GiB of this process. Its code is somewhere else: no access of the guest finds it.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use flatmk_softuser::engine::{Code, Hart, Stop, recover};
use flatmk_softuser::{Instruction, Length, Operation};

/// Where the guest's code is.
pub(crate) const CODE: u32 = 0x1000_0000;
/// Its data: two pages, and nothing before and behind them.
pub(crate) const DATA: u32 = 0x2000_0000;
pub(crate) const DATA_BYTES: u32 = 2 * PAGE;
pub(crate) const PAGE: u32 = 4096;
/// Where the hart is. Only tests that mean to access it know.
const HART: u32 = 0x6bcd_e000;

thread_local! {
    /// The hart that runs.
    static RUNNING: Cell<*mut Hart> = const { Cell::new(ptr::null_mut()) };
    /// The address of the last fault.
    static FAULT: Cell<u64> = const { Cell::new(0) };
}

extern "C" fn on_fault(_: i32, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the host's kernel has put it there.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let [rip, rdi] = [libc::REG_RIP, libc::REG_RDI].map(|index| registers[index as usize] as u64);
    // SAFETY: the hart lives as long as it runs.
    let hart = unsafe { RUNNING.get().as_mut() };
    let recovery = hart.and_then(|hart| recover(hart, rip, rdi)).unwrap_or_else(|| std::process::abort());
    // SAFETY: as above.
    FAULT.set(unsafe { (*information).si_addr() } as u64);
    registers[libc::REG_RIP as usize] = recovery.rip as i64;
    registers[libc::REG_RSP as usize] = recovery.rsp as i64;
    registers[libc::REG_RAX as usize] = recovery.rax as i64;
}

/// Once a process: memory, the handler of faults, and the watchdog.
fn set_up() {
    // SAFETY: nothing is there: it would be refused. The handler does what one may do.
    unsafe {
        for (address, bytes) in [(DATA, DATA_BYTES), (HART, PAGE)] {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
            let place = ptr::without_provenance_mut(address as usize);
            let at = libc::mmap(place, bytes as usize, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            assert_eq!(at as usize, address as usize, "guest memory");
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()), 0);
    }
    std::thread::spawn(watch);
}

/// The run that goes on, by number, and what stops it.
struct Watched {
    run: u64,
    pending: *const AtomicU32,
}

// SAFETY: the pointer is only used while the run goes on, with the lock held.
unsafe impl Send for Watched {}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { run: 0, pending: ptr::null() });

/// A run that takes longer than this does not end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stops a run that does not end, so that its test fails. If not even that stops it, so does the process.
fn watch() {
    let mut last = (0, 0);
    loop {
        std::thread::sleep(PATIENCE);
        let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = !watched.pending.is_null() && watched.run == last.0;
        last = (watched.run, if is_same { last.1 + 1 } else { 0 });
        if last.1 >= 1 {
            // SAFETY: the run goes on, so its hart lives.
            unsafe { (*watched.pending).store(1, Ordering::Relaxed) };
        }
        if last.1 >= 3 {
            eprintln!("the engine does not stop although it was asked to");
            std::process::abort();
        }
    }
}

/// There is one guest at a time.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Guest {
    /// In the lowest 4 GiB, too, where a guest can find what stops it.
    pub(crate) hart: &'static mut Hart,
    pub(crate) code: Program,
    _one: MutexGuard<'static, ()>,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self::with_cache(vec![0; 8192].leak())
    }

    pub(crate) fn with_cache(cache: &'static mut [u64]) -> Self {
        static SET_UP: Once = Once::new();
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        SET_UP.call_once(set_up);
        fill_data(&[0]);
        // SAFETY: the place is big enough, and whoever had it before is gone.
        let hart = unsafe {
            let place = ptr::with_exposed_provenance_mut::<Hart>(HART as usize);
            place.write(Hart::new(cache));
            &mut *place
        };
        Self { hart, code: Program::default(), _one: one }
    }

    /// With this program, at whose beginning it is.
    pub(crate) fn of(words: &[u32]) -> Self {
        let mut guest = Self::new();
        guest.load(&bytes(words));
        guest
    }

    /// From now on it is at the beginning of another program.
    pub(crate) fn load(&mut self, program: &[u8]) {
        self.code.load(program);
        self.hart.forget_code();
        self.hart.set_pc(CODE);
    }

    pub(crate) fn run(&mut self) -> Stop {
        run(self.hart, &mut self.code)
    }

    pub(crate) fn registers(&self) -> [u32; 32] {
        std::array::from_fn(|index| self.hart.register(index))
    }
}

/// Runs a hart with the watchdog awake.
pub(crate) fn run(hart: &mut Hart, code: &mut impl Code) -> Stop {
    let hart: *mut Hart = hart;
    RUNNING.set(hart);
    // SAFETY: a place in a hart.
    let pending = unsafe { ptr::from_ref((*hart).pending()) };
    set_watched(pending);
    // SAFETY: what the guest can reach is its own memory; the handler recovers. Others use no more of the hart than the atomic number.
    let stop = unsafe { (*hart).run(code) };
    set_watched(ptr::null());
    RUNNING.set(ptr::null_mut());
    stop
}

fn set_watched(pending: *const AtomicU32) {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    *watched = Watched { run: watched.run + 1, pending };
}

/// The address of the last access that was not allowed.
pub(crate) fn fault_address() -> u64 {
    FAULT.get()
}

/// A program in pages of its own, the rest of which is zeros.
#[derive(Default)]
pub(crate) struct Program {
    bytes: Vec<u8>,
}

impl Program {
    pub(crate) fn load(&mut self, program: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(program);
        self.bytes.resize(program.len().next_multiple_of(PAGE as usize), 0);
    }

    fn half(&self, pc: u32) -> Option<u32> {
        let start = pc.wrapping_sub(CODE) as usize;
        let half = self.bytes.get(start..start.checked_add(2)?)?;
        Some(half.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte)))
    }

    /// The bits at an address; none if not all of the instruction can be executed.
    pub(crate) fn instruction(&self, pc: u32) -> Option<u32> {
        let low = self.half(pc)?;
        if low & 0b11 == 0b11 { Some(low | self.half(pc.wrapping_add(2))? << 16) } else { Some(low) }
    }
}

impl Code for Program {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        // What stands in place of a half that cannot be executed makes many words an instruction.
        Some(self.half(pc)? | self.half(pc.wrapping_add(2)).unwrap_or(0) << 16)
    }
}

/// Code of which a test says what is there.
pub(crate) struct Fetch<F>(pub(crate) F);

impl<F: FnMut(u32) -> Option<u32>> Code for Fetch<F> {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        (self.0)(pc)
    }
}

/// Code that is in the guest's data, so that the guest can change it.
pub(crate) struct InData;

impl Code for InData {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        let half = |pc: u32| {
            let index = pc.wrapping_sub(DATA);
            (index < DATA_BYTES).then(|| u32::from(u16::from_le_bytes([0, 1].map(|byte| data_byte(index + byte)))))
        };
        Some(half(pc)? | half(pc.wrapping_add(2)).unwrap_or(0) << 16)
    }
}

fn data_byte(index: u32) -> u8 {
    // SAFETY: guest memory.
    unsafe { ptr::with_exposed_provenance::<u8>((DATA + index) as usize).read_volatile() }
}

/// The guest's data as it is.
pub(crate) fn data() -> Vec<u8> {
    // SAFETY: guest memory, which nobody changes now.
    unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(DATA as usize), DATA_BYTES as usize) }.to_vec()
}

/// Fills the data with these bytes, again and again.
pub(crate) fn fill_data(pattern: &[u8]) {
    let mut bytes = pattern.repeat(DATA_BYTES as usize / pattern.len() + 1);
    bytes.truncate(DATA_BYTES as usize);
    write_data(0, &bytes);
}

pub(crate) fn write_data(at: u32, bytes: &[u8]) {
    assert!(at as usize + bytes.len() <= DATA_BYTES as usize, "guest memory");
    // SAFETY: guest memory.
    unsafe {
        let start = ptr::with_exposed_provenance_mut::<u8>((DATA + at) as usize);
        start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
    }
}

pub(crate) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(crate) fn word(operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> u32 {
    Instruction { operation, rd, rs1, rs2, immediate, length: Length::Four }.encode()
}

pub(crate) const ECALL: u32 = 0x73;
