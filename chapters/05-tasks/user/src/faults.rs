//! A thread that faults stops, whatever the fault; every other thread, and the kernel, goes on.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots;
use flatmk_runtime::object::Task;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{
    at, end_thread, idle, make_thread, stack_top, start_thread, thread_slot, with_scratch, yield_once,
};

pub(crate) const TESTS: &[Test] = tests![
    memory_that_is_not_the_programs_is_out_of_reach,
    privileged_instructions_stop_the_thread,
    other_exceptions_stop_the_thread,
    floating_point_instructions_stop_the_thread,
    every_software_interrupt_stops_the_thread,
];

/// How many threads have come to the instruction that faults, and behind it.
static BEFORE: AtomicU64 = AtomicU64::new(0);
static BEHIND: AtomicU64 = AtomicU64::new(0);
/// Counts on while others fault.
static WITNESS: AtomicU64 = AtomicU64::new(0);

const STACK_SIZE: usize = 4096;

/// For a thread that has survived with a stack pointer that leads nowhere.
static mut SURVIVORS_STACK: [u128; STACK_SIZE / 16] = [0; STACK_SIZE / 16];

/// Where a thread goes that survived its fault.
extern "C" fn survive() -> ! {
    BEHIND.fetch_add(1, Relaxed);
    idle(Task(at(thread_slot(0))))
}

extern "C" fn witness(_: u64) {
    loop {
        WITNESS.fetch_add(1, Relaxed);
        Task(at(thread_slot(1))).yield_now().expect("a thread may yield");
    }
}

/// Runs a thread at this address, which must fault, beside one that must go on.
fn must_stop(name: &str, entry: u64) {
    let (before, witnessed) = (BEFORE.load(Relaxed), WITNESS.load(Relaxed));
    let task = make_thread(0, stack_top(0));
    task.start(entry, 0).expect("a configured task can be started");
    for _ in 0..3 {
        yield_once();
    }
    assert_eq!(BEFORE.load(Relaxed), before + 1, "{name}: the thread has begun");
    assert_eq!(BEHIND.load(Relaxed), 0, "{name}: the thread has not survived");
    // Once more where the time slice is over: that the kernel reports the fault on the serial line takes long.
    assert!(WITNESS.load(Relaxed) >= witnessed + 3, "{name}: the other thread goes on");
    end_thread(0);
}

fn all_must_stop(threads: &[(&str, extern "C" fn())]) {
    with_scratch(|| {
        start_thread(1, witness, 0);
        for &(name, entry) in threads {
            must_stop(name, entry as usize as u64);
        }
        end_thread(1);
    });
}

/// Makes threads of instructions: count, do it, and report survival.
macro_rules! threads {
    ($($name:ident: $($line:literal),+;)+) => {
        &[$((stringify!($name), {
            #[unsafe(naked)]
            extern "C" fn $name() {
                naked_asm!(
                    "inc qword ptr [rip + {before}]",
                    $($line,)+
                    "lea rsp, [rip + {stack} + {stack_size}]",
                    "push 2",
                    "popfq",
                    "call {survive}",
                    before = sym BEFORE,
                    survive = sym survive,
                    stack = sym SURVIVORS_STACK,
                    stack_size = const STACK_SIZE,
                )
            }
            $name
        }),)+]
    };
}

fn memory_that_is_not_the_programs_is_out_of_reach() {
    all_must_stop(threads! {
        read_null: "xor eax, eax", "mov rax, [rax]";
        write_null: "xor eax, eax", "mov [rax], rax";
        execute_null: "xor eax, eax", "jmp rax";
        read_kernel_code: "mov rax, 0xffffffff80000000", "mov rax, [rax]";
        write_kernel_code: "mov rax, 0xffffffff80000000", "mov [rax], rax";
        execute_kernel_code: "mov rax, 0xffffffff80000000", "jmp rax";
        read_physical_memory: "mov rax, 0xffff800000000000", "mov rax, [rax]";
        write_physical_memory: "mov rax, 0xffff800000100000", "mov [rax], rax";
        read_the_last_byte: "mov rax, -1", "mov al, [rax]";
        read_above_user_space: "mov rax, 0x7ffffffff000", "mov rax, [rax]";
        execute_above_user_space: "mov rax, 0x7ffffffffffe", "jmp rax";
        read_a_non_canonical_address: "mov rax, 0x800000000000", "mov rax, [rax]";
        write_a_non_canonical_address: "mov rax, 0x800000000000", "mov [rax], rax";
        execute_a_non_canonical_address: "mov rax, 0x800000000000", "jmp rax";
        push_to_a_non_canonical_stack: "mov rsp, 0x800000000000", "push rax";
        push_to_the_kernel_stack: "mov rsp, 0xffff900000001000", "push rax";
        write_own_code: "lea rax, [rip]", "mov [rax], rax";
        execute_the_stack: "lea rax, [rsp - 16]", "jmp rax";
        read_where_nothing_is_mapped: "mov rax, 0x123456789000", "mov rax, [rax]";
        write_where_nothing_is_mapped: "mov rax, 0x123456789000", "mov [rax], rax";
        write_the_ramdisk: "mov rax, 0x100000000000", "mov [rax], rax";
        execute_the_ramdisk: "mov rax, 0x100000000000", "jmp rax";
        fault_with_a_wild_stack_pointer: "mov rsp, 0x8000000000000000", "ud2";
        fault_with_the_kernels_stack_pointer: "mov rsp, 0xffff900000021000", "int3";
    });
}

fn privileged_instructions_stop_the_thread() {
    all_must_stop(threads! {
        clear_interrupts: "cli";
        set_interrupts: "sti";
        halt: "hlt";
        read_a_port: "mov edx, 0x3f8", "in al, dx";
        write_a_port: "mov edx, 0xf4", "out dx, eax";
        write_a_port_in_a_row: "mov edx, 0x3f8", "lea rsi, [rip]", "outsb";
        read_the_page_table_base: "mov rax, cr3";
        write_the_page_table_base: "xor eax, eax", "mov cr3, rax";
        write_the_protections: "xor eax, eax", "mov cr4, rax";
        read_the_mode: "mov rax, cr0";
        write_the_task_priority: "mov cr8, rax";
        write_a_debug_register: "mov dr7, rax";
        read_a_model_specific_register: "mov ecx, 0xc0000082", "rdmsr";
        write_a_model_specific_register: "mov ecx, 0xc0000082", "wrmsr";
        read_a_performance_counter: "xor ecx, ecx", "rdpmc";
        load_the_global_descriptor_table: "lgdt [rsp - 16]";
        load_the_interrupt_descriptor_table: "lidt [rsp - 16]";
        load_a_local_descriptor_table: "xor eax, eax", "lldt ax";
        load_a_task_register: "mov eax, 0x28", "ltr ax";
        invalidate_a_page: "invlpg [rax]";
        write_back_caches: "wbinvd";
        invalidate_caches: "invd";
        read_a_segment_base: "rdfsbase rax";
        write_a_segment_base: "xor eax, eax", "wrgsbase rax";
        swap_segment_bases: "swapgs";
        clear_the_task_switched_flag: "clts";
        load_the_mode: "xor eax, eax", "lmsw ax";
        return_from_a_system_call: "sysretq";
        leave_by_the_old_way: "sysexit";
        enter_by_the_old_way: "sysenter";
        load_the_kernels_data_segment: "mov eax, 0x10", "mov ds, eax";
        load_the_kernels_stack_segment: "mov eax, 0x10", "mov ss, eax";
        load_a_null_stack_segment: "xor eax, eax", "mov ss, eax";
        load_a_segment_beyond_the_table: "mov eax, 0xfff3", "mov fs, eax";
        far_return_to_the_kernels_code: "push 8", "lea rax, [rip]", "push rax", "retfq";
        interrupt_return_to_the_kernels_code:
            "mov rcx, rsp", "push 0x10", "push rcx", "push 2", "push 8", "lea rax, [rip]", "push rax", "iretq";
        interrupt_return_to_a_non_canonical_address:
            "mov rcx, rsp", "mov rax, ss", "push rax", "push rcx", "push 2", "mov rax, cs", "push rax",
            "mov rax, 0x800000000000", "push rax", "iretq";
    });
}

fn other_exceptions_stop_the_thread() {
    all_must_stop(threads! {
        divide_by_zero: "xor ecx, ecx", "div ecx";
        divide_with_overflow: "mov edx, 5", "mov ecx, 1", "div ecx";
        undefined_instruction: "ud2";
        breakpoint: "int3";
        debug_breakpoint: ".byte 0xf1";
        single_step: "pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop";
        single_step_into_a_system_call:
            "pushfq", "or dword ptr [rsp], 0x100", "mov edi, 1", "mov esi, 16", "popfq", "syscall";
        single_step_into_a_switch:
            "pushfq", "or dword ptr [rsp], 0x100", "mov edi, 2856", "mov esi, 2", "popfq", "syscall";
        single_step_over_a_stack_segment_load:
            "mov rax, ss", "pushfq", "or dword ptr [rsp], 0x100", "mov esi, 16", "popfq", "mov ss, eax", "syscall";
        interrupt_return_with_nested_task:
            "pushfq", "or dword ptr [rsp], 0x4000", "popfq", "iretq";
        undefined_instruction_with_every_flag:
            "push 0x244ed7", "popfq", "ud2";
        overflow_of_old: ".byte 0xce";
        an_instruction_too_long: ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90";
        virtual_machine_call: "vmcall";
        resume_from_management_mode: "rsm";
    });
}

fn floating_point_instructions_stop_the_thread() {
    all_must_stop(threads! {
        load_one: "fld1";
        initialize: "fninit";
        wait: "fld1", "fwait";
        multimedia: "pxor mm0, mm0";
        move_packed: "movaps xmm0, xmm1";
        add_packed: "addps xmm0, xmm1";
        load_control_word: "push 0x1f80", "ldmxcsr [rsp]";
        store_state: "fxsave64 [rsp - 1024]";
        convert: "cvttsd2si rax, xmm0";
        wide: ".byte 0xc5, 0xfc, 0x58, 0xc1";
    });
}

/// `int n` for each vector, 16 bytes apart.
#[unsafe(naked)]
extern "C" fn interrupts() {
    naked_asm!(
        ".balign 16",
        ".set interrupt_vector, 0",
        ".rept 256",
        "inc qword ptr [rip + {before}]",
        ".byte 0xcd, interrupt_vector",
        "jmp 3f",
        ".balign 16",
        ".set interrupt_vector, interrupt_vector + 1",
        ".endr",
        "3: call {survive}",
        before = sym BEFORE,
        survive = sym survive,
    )
}

fn every_software_interrupt_stops_the_thread() {
    // Padding may precede the first of them.
    let first = (interrupts as *const () as u64).next_multiple_of(16);
    with_scratch(|| {
        start_thread(1, witness, 0);
        for vector in 0..256 {
            must_stop("a software interrupt", first + vector * 16);
        }
        end_thread(1);
    });
    assert!(flatmk_runtime::object::identify(slots::SELF).is_ok());
}
