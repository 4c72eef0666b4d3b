//! Six ways to keep a processor busy. The program `workloads` does them in the kernel, and the example `measure` of the engine on the host.
//!
//! Each is repeated as often as its last parameter says; its result is a number that depends on everything it has done. Twice as many repeats less
//! the single one are the work without its preparations.
#![expect(clippy::indexing_slicing, reason = "an index that is checked is part of the work")]

use core::hint::black_box;

/// Numbers that look random.
fn next(state: &mut u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *state
}

/// Stores of bytes at growing distances: the sum of the primes below the number of flags, `count` times.
#[inline(never)]
pub(crate) fn sieve(is_composite: &mut [bool], count: u32) -> u32 {
    let mut sum = 0_u32;
    for _ in 0..count {
        for flag in is_composite.iter_mut() {
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

/// Loads and products: `count` products of square matrices, two factors and their product one behind the other.
#[inline(never)]
pub(crate) fn matrices(matrices: &mut [u32], side: usize, count: u32) -> u32 {
    let (mut state, mut hash) = (7, 0_u32);
    let (left, others) = matrices.split_at_mut(side * side);
    let (right, product) = others.split_at_mut(side * side);
    for number in left.iter_mut().chain(right.iter_mut()) {
        *number = next(&mut state) >> 8;
    }
    for turn in 0..count as usize {
        multiply(left, right, product, side);
        let line = turn % side;
        hash = hash.wrapping_mul(31).wrapping_add(product[line * side + turn * 7 % side]);
        left[line * side] += 1;
    }
    hash
}

#[inline(never)]
fn multiply(left: &[u32], right: &[u32], product: &mut [u32], side: usize) {
    for (line, results) in left.chunks_exact(side).zip(product.chunks_exact_mut(side)) {
        for (column, result) in results.iter_mut().enumerate() {
            let products = line.iter().zip(right.chunks_exact(side)).map(|(a, line)| a.wrapping_mul(line[column]));
            *result = products.fold(0, u32::wrapping_add);
        }
    }
}

const CHECKSUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let (mut bits, mut bit) = (index as u32, 0);
        while bit < 8 {
            bits = if bits & 1 == 1 { 0xedb8_8320 ^ bits >> 1 } else { bits >> 1 };
            bit += 1;
        }
        table[index] = bits;
        index += 1;
    }
    table
};

/// Copies words, and looks up bytes in a table: cyclic redundancy checks, `count` times. Source and copy have one length.
#[inline(never)]
pub(crate) fn checksum(source: &mut [u32], copy: &mut [u32], count: u32) -> u32 {
    let (mut state, mut hash) = (1, 0);
    let table = black_box(&CHECKSUMS);
    source.iter_mut().for_each(|word| *word = next(&mut state));
    for turn in 0..count as usize {
        for (to, from) in copy.iter_mut().zip(&*source) {
            *to = black_box(*from);
        }
        let bytes = copy.iter().flat_map(|word| word.to_le_bytes());
        hash ^= !bytes.fold(!0, |sum, byte| table[(sum ^ u32::from(byte)) as usize % 256] ^ sum >> 8);
        let changed = turn % source.len();
        source[changed] ^= hash;
    }
    hash
}

/// Calls and returns: a Fibonacci number, `count` times.
pub(crate) fn fibonacci(number: u32, count: u32) -> u32 {
    (0..count).fold(0, |sum: u32, _| sum.wrapping_add(fibonacci_number(black_box(number))))
}

#[inline(never)]
fn fibonacci_number(number: u32) -> u32 {
    if number < 2 { number } else { black_box(fibonacci_number(number - 1)).wrapping_add(fibonacci_number(number - 2)) }
}

/// A heap, with comparisons that are called by pointers: sorts other numbers `count` times.
#[inline(never)]
pub(crate) fn sort(numbers: &mut [i32], count: u32) -> u32 {
    let comparisons: [fn(i32, i32) -> bool; 2] = [|a, b| a < b, |a, b| a > b];
    let (mut state, mut hash) = (3, 0_u32);
    for turn in 0..count as usize {
        numbers.iter_mut().for_each(|number| *number = next(&mut state).cast_signed());
        heap_sort(numbers, black_box(comparisons[turn % 2]));
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

/// An interpreter: an indirect jump for each of its steps. Its program has a loop, which is repeated so often.
#[inline(never)]
pub(crate) fn machine(repeats: u32, count: u32) -> u32 {
    use Step::*;
    #[rustfmt::skip]
    let steps = [
        Push(repeats), Store(0), Push(1), Store(1),
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
