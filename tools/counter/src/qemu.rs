//! What QEMU calls: its plugin interface in version 1, `docs/devel/tcg-plugins.rst` and `include/qemu/qemu-plugin.h` of QEMU 7.2.
//!
//! QEMU translates each piece of a program before it runs it, and again whenever it likes. At each translation it is asked to add one
//! to the counters of each instruction whenever that is executed.

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use flatmk_abi::marks;
use iced_x86::Mnemonic;

use crate::kinds::{self, KIND_COUNT};
use crate::recorder::{Counts, Recorder};

/// A piece of a program that is being translated.
#[repr(C)]
struct Block([u8; 0]);

/// An instruction of a block.
#[repr(C)]
struct BlockInstruction([u8; 0]);

/// `QEMU_PLUGIN_INLINE_ADD_U64`
const ADD: c_int = 0;

/// `QEMU_PLUGIN_CB_NO_REGS`
const NO_REGISTERS: c_int = 0;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: extern "C" fn(u64, *mut Block));
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut BlockInstruction;
    fn qemu_plugin_insn_data(instruction: *const BlockInstruction) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const BlockInstruction) -> usize;
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut BlockInstruction,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_insn_exec_inline(
        instruction: *mut BlockInstruction,
        operation: c_int,
        counter: *mut c_void,
        number: u64,
    );
}

/// The version of the interface that is used here.
#[unsafe(no_mangle)]
static qemu_plugin_version: c_int = 1;

/// How often each kind was executed since the machine started. The translated code adds to them; the machine has one processor, and
/// the callbacks run on its thread, so a callback sees them exact.
static EXECUTED: [AtomicU64; KIND_COUNT] = [const { AtomicU64::new(0) }; KIND_COUNT];

/// What the program has said so far, and where the lines go.
static RECORDER: Mutex<(Recorder, Option<File>)> = Mutex::new((Recorder::new(), None));

/// Starts the plugin. Its one argument is `out=FILE`.
///
/// # Safety
///
/// `arguments` points to `count` strings that end with a 0.
#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _information: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    if count != 1 {
        eprintln!("flatmk-counter: needs the argument out=FILE");
        return 1;
    }
    // SAFETY: the caller promises that there is one string.
    let argument = unsafe { CStr::from_ptr(*arguments) }.to_bytes();
    let path = OsStr::from_bytes(argument.strip_prefix(b"out=").unwrap_or(argument));
    match File::create(path) {
        Ok(file) => RECORDER.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(file),
        Err(error) => {
            eprintln!("flatmk-counter: cannot write {}: {error}", path.display());
            return 1;
        }
    }
    // SAFETY: the function has the form that QEMU expects.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translate) };
    0
}

extern "C" fn translate(_id: u64, block: *mut Block) {
    // SAFETY: QEMU gives a block that exists during this call.
    let count = unsafe { qemu_plugin_tb_n_insns(block) };
    for index in 0..count {
        // SAFETY: the block has so many instructions, and each its bytes, as long as it exists.
        let (instruction, bytes) = unsafe {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let (start, size) = (qemu_plugin_insn_data(instruction), qemu_plugin_insn_size(instruction));
            (instruction, std::slice::from_raw_parts(start, size))
        };
        count_executions(instruction, bytes);
    }
}

fn count_executions(instruction: *mut BlockInstruction, bytes: &[u8]) {
    let decoded = kinds::decode(bytes);
    for counter in kinds::kinds_of(&decoded).filter_map(|kind| EXECUTED.get(kind)) {
        // SAFETY: the instruction exists during the translation, the counter for ever.
        unsafe { qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, counter.as_ptr().cast(), 1) };
    }
    let callback = |function, data: usize| {
        // SAFETY: the function has the form that QEMU expects, and makes no pointer of its data.
        unsafe {
            qemu_plugin_register_vcpu_insn_exec_cb(
                instruction,
                function,
                NO_REGISTERS,
                std::ptr::without_provenance_mut(data),
            );
        }
    };
    if decoded.mnemonic() == Mnemonic::Rdtsc {
        callback(read_time_stamp, 0);
    }
    let distance = bytes.strip_prefix(&marks::INSTRUCTION).and_then(<[u8]>::first_chunk);
    if let Some(mark) = distance.map(|bytes| u32::from_le_bytes(*bytes)).filter(|mark| marks::is_mark(*mark)) {
        callback(meet_mark, mark as usize);
    }
}

/// Called before the instruction itself is counted.
extern "C" fn read_time_stamp(_processor: c_uint, _data: *mut c_void) {
    let counts: Counts =
        std::array::from_fn(|kind| EXECUTED.get(kind).map_or(0, |count| count.load(Ordering::Relaxed)));
    RECORDER.lock().unwrap_or_else(PoisonError::into_inner).0.read_time_stamp(counts);
}

extern "C" fn meet_mark(_processor: c_uint, mark: *mut c_void) {
    let Ok(mark) = u32::try_from(mark.addr()) else { return };
    let (recorder, file) = &mut *RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(line), Some(file)) = (recorder.mark(mark), file)
        // QEMU ends at any time, so nothing may wait in this process.
        && let Err(error) = file.write_all(format!("{line}\n").as_bytes())
    {
        eprintln!("flatmk-counter: cannot write: {error}");
    }
}
