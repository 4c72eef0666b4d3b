//! What the engine is measured with: a program for RISC-V with six ways to keep a processor busy. Its arguments are the name of one, and how often.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::hint::black_box;

// The stack begins with the number of arguments and their addresses, as under Linux.
global_asm!(
    ".globl _start",
    "_start:",
    "lw a0, 8(sp)",
    "lw a1, 12(sp)",
    "call {main}",
    // The result, as four bytes: write(1, sp, 4), and exit(0).
    "addi sp, sp, -16",
    "sw a0, 0(sp)",
    "li a0, 1",
    "mv a1, sp",
    "li a2, 4",
    "li a7, 64",
    "ecall",
    "li a0, 0",
    "li a7, 93",
    "ecall",
    main = sym main,
);

/// # Safety
///
/// Both end with a zero.
unsafe extern "C" fn main(name: *const u8, count: *const u8) -> u32 {
    // SAFETY: the caller's promise.
    let (name, count) = unsafe { (text(name), text(count)) };
    let count = count.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    match name {
        b"sieve" => sieve(count),
        b"matrices" => matrices(count),
        b"checksum" => checksum(count),
        b"fibonacci" => (0..count).fold(0, |sum: u32, _| sum.wrapping_add(fibonacci(black_box(20)))),
        b"sort" => sort(count),
        b"machine" => machine(count),
        _ => 0,
    }
}

/// # Safety
///
/// It ends with a zero.
unsafe fn text<'text>(start: *const u8) -> &'text [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        let length = (0..).find(|&index| *start.add(index) == 0).unwrap_or(0);
        core::slice::from_raw_parts(start, length)
    }
}

/// Numbers that look random.
fn next(state: &mut u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *state
}

/// Stores of bytes at growing distances.
fn sieve(count: u32) -> u32 {
    let mut is_composite = [false; 65536];
    let mut sum = 0_u32;
    for _ in 0..count {
        for flag in black_box(&mut is_composite).iter_mut() {
            // Byte by byte.
            *black_box(flag) = false;
        }
        for number in 2..is_composite.len() {
            if is_composite[number] {
                continue;
            }
            sum = sum.wrapping_add(number as u32);
            let mut multiple = 2 * number;
            while multiple < is_composite.len() {
                is_composite[multiple] = true;
                multiple += number;
            }
        }
    }
    sum
}

const SIDE: usize = 64;
type Matrix = [[u32; SIDE]; SIDE];

/// Loads and products.
fn matrices(count: u32) -> u32 {
    let (mut state, mut hash) = (7, 0_u32);
    let [mut left, mut right, mut product]: [Matrix; 3] = [[[0; SIDE]; SIDE]; 3];
    for number in left.iter_mut().chain(&mut right).flatten() {
        *number = next(&mut state) >> 8;
    }
    for turn in 0..count as usize {
        multiply(&left, &right, &mut product);
        hash = hash.wrapping_mul(31).wrapping_add(product[turn % SIDE][turn * 7 % SIDE]);
        left[turn % SIDE][0] += 1;
    }
    hash
}

#[inline(never)]
fn multiply(left: &Matrix, right: &Matrix, product: &mut Matrix) {
    for (line, results) in left.iter().zip(product) {
        for (column, result) in results.iter_mut().enumerate() {
            let products = line.iter().zip(right).map(|(a, line)| a.wrapping_mul(line[column]));
            *result = products.fold(0, u32::wrapping_add);
        }
    }
}

/// Copies words, and looks up bytes in a table.
fn checksum(count: u32) -> u32 {
    let (mut state, mut hash) = (1, 0);
    let mut table = [0_u32; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(index as u32, |bits, _| if bits & 1 == 1 { 0xedb8_8320 ^ bits >> 1 } else { bits >> 1 });
    }
    let (mut source, mut copy) = ([0_u32; 16384], [0_u32; 16384]);
    source.iter_mut().for_each(|word| *word = next(&mut state));
    for turn in 0..count as usize {
        for (to, from) in copy.iter_mut().zip(&source) {
            *to = black_box(*from);
        }
        let bytes = copy.iter().flat_map(|word| word.to_le_bytes());
        hash ^= !bytes.fold(!0, |sum, byte| table[(sum ^ u32::from(byte)) as usize % 256] ^ sum >> 8);
        source[turn % 1024] ^= hash;
    }
    hash
}

/// Calls and returns.
#[inline(never)]
fn fibonacci(number: u32) -> u32 {
    if number < 2 { number } else { black_box(fibonacci(number - 1)).wrapping_add(fibonacci(number - 2)) }
}

/// A heap, with comparisons that are called by pointers.
fn sort(count: u32) -> u32 {
    let comparisons: [fn(i32, i32) -> bool; 2] = [|a, b| a < b, |a, b| a > b];
    let (mut state, mut hash) = (3, 0_u32);
    let mut numbers = [0_i32; 8192];
    for turn in 0..count as usize {
        numbers.iter_mut().for_each(|number| *number = next(&mut state).cast_signed());
        heap_sort(&mut numbers, black_box(comparisons[turn % 2]));
        hash = numbers
            .iter()
            .step_by(97)
            .fold(hash, |hash, number| hash.wrapping_mul(31).wrapping_add(number.cast_unsigned()));
    }
    hash
}

#[inline(never)]
fn heap_sort(numbers: &mut [i32], is_less: fn(i32, i32) -> bool) {
    let (mut start, mut end) = (numbers.len() / 2, numbers.len());
    while end > 1 {
        if start > 0 {
            start -= 1;
        } else {
            end -= 1;
            numbers.swap(0, end);
        }
        let mut root = start;
        loop {
            let mut child = 2 * root + 1;
            if child >= end {
                break;
            }
            if child + 1 < end && is_less(numbers[child], numbers[child + 1]) {
                child += 1;
            }
            if !is_less(numbers[root], numbers[child]) {
                break;
            }
            numbers.swap(root, child);
            root = child;
        }
    }
}

/// What a machine with a stack does.
#[derive(Clone, Copy)]
enum Step {
    Push(u32),
    Add,
    Subtract,
    Xor,
    And,
    ShiftRight,
    Double,
    Swap,
    Store(usize),
    Load(usize),
    JumpUnlessZero(usize),
    Stop,
}

/// An interpreter: an indirect jump for each of its steps.
fn machine(count: u32) -> u32 {
    use Step::*;
    #[rustfmt::skip]
    let steps = [
        Push(200), Store(0), Push(1), Store(1),
        // The loop.
        Load(1), Double, Push(7), Add, Xor, Load(0), Add, Store(1), Load(1), Push(3), ShiftRight, Load(1), Xor, Store(1),
        Load(1), Load(0), Swap, Subtract, Store(2), Load(2), Push(127), And, Load(1), Add, Store(1),
        Load(0), Push(1), Subtract, Double, Store(0), JumpUnlessZero(4), Stop,
    ];
    (0..count).fold(0, |hash: u32, _| hash.wrapping_mul(31).wrapping_add(interpret(black_box(&steps), hash)))
}

#[inline(never)]
fn interpret(steps: &[Step], seed: u32) -> u32 {
    let (mut stack, mut top, mut variables, mut at) = ([0_u32; 32], 0, [0_u32; 8], 0);
    variables[3] = seed;
    loop {
        let step = steps[at];
        at += 1;
        match step {
            Step::Push(number) => {
                stack[top % 32] = number;
                top += 1;
            }
            Step::Double => {
                stack[top % 32] = stack[(top - 1) % 32];
                top += 1;
            }
            Step::Swap => stack.swap((top - 1) % 32, (top - 2) % 32),
            Step::Load(index) => {
                stack[top % 32] = variables[index % 8];
                top += 1;
            }
            Step::Store(index) => {
                top -= 1;
                variables[index % 8] = stack[top % 32];
            }
            Step::JumpUnlessZero(target) => {
                top -= 1;
                if stack[top % 32] != 0 {
                    at = target;
                }
            }
            Step::Stop => return variables[1] ^ variables[3],
            _ => {
                top -= 1;
                let operand = stack[top % 32];
                let place = &mut stack[(top - 1) % 32];
                *place = match step {
                    Step::Add => place.wrapping_add(operand),
                    Step::Subtract => place.wrapping_sub(operand),
                    Step::Xor => *place ^ operand,
                    Step::And => *place & operand,
                    _ => *place >> (operand % 32),
                };
            }
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
