//! The programs for RISC-V: each is loaded, called, and ended. Nobody can tell by its answers which processor it is for.

use flatmk_abi::{Error, Words, slots};
use flatmk_runtime::object::{Endpoint, Memory};
use flatmk_runtime::println;
use flatmk_runtime::program::{Program, SERVICE};
use tar_no_std::TarArchiveRef;

use crate::demonstration::HELLO_PAGES;
use crate::{FIRST_FREE_SLOT, find, load, wait_for_service};

/// The slot of the program that runs.
const PROGRAM: u64 = FIRST_FREE_SLOT + 4;

/// The slot of the program that the benchmark measures.
const WORKLOADS_PROGRAM: u64 = FIRST_FREE_SLOT + 5;

const WORKLOADS: &str = "softuser-workloads";
const ECHO: &str = "softuser-echo";
const HELLO: &str = "softuser-hello-c";
const FILTER: &str = "softuser-packet-filter";
const FORTH: &str = "softuser-forth";
const KEYS: &str = "softuser-key-decoder";

/// A question to the name server 8.8.8.8 from 10.0.0.7, and the same from the net of the guests.
const PACKET: [u8; 32] = [
    0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 17, 0x20, 0xae, 10, 0, 0, 7, 8, 8, 8, 8, 0x0f, 0xa0, 0, 53, 0, 20, 0, 0, 0, 0,
    0, 0,
];
const GUESTS_PACKET: [u8; 32] = [
    0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 17, 0x20, 0x6c, 10, 66, 0, 7, 8, 8, 8, 8, 0x0f, 0xa0, 0, 53, 0, 20, 0, 0, 0, 0,
    0, 0,
];

/// The left shift key by its number in `pc-keyboard`.
const SHIFT: u64 = 76;

/// Loads and starts what the benchmark measures, if the ramdisk has it.
pub(crate) fn start_workloads(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<Option<Program>, Error> {
    if find(archive, WORKLOADS).is_none() {
        return Ok(None);
    }
    let program = load(archive, WORKLOADS, memory, WORKLOADS_PROGRAM)?;
    program.start(0)?;
    wait_for_service(program)?;
    Ok(Some(program))
}

/// Runs all of them, if the ramdisk has them: it does from chapter 10 on.
pub(crate) fn run(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<(), Error> {
    if find(archive, ECHO).is_none() {
        return Ok(());
    }
    // Both halves of each word come back.
    let message = [1 << 63 | 1, 2 << 32 | 3, u64::MAX, 0x1234_5678_9abc_def0];
    session(archive, memory, ECHO, |program| expect(ECHO, program.call(message)?, message))?;
    session(archive, memory, HELLO, |program| {
        let [sum, weighted_sum, passed, checks] = program.call([1, 2, 3, 5])?;
        println!("root task: {HELLO} answers {sum} and {weighted_sum}; {passed} of its {checks} checks passed");
        expect(HELLO, [sum, weighted_sum, passed, 0], [11, 34, checks, 0])
    })?;
    session(archive, memory, FILTER, |program| {
        expect(FILTER, program.call(words_of(&PACKET))?, [0, 2, 1, 0])?;
        expect(FILTER, program.call(words_of(&GUESTS_PACKET))?, [8, 1, 1, 1])?;
        expect(FILTER, program.call([0; 4])?, [1, 0, 1, 2])
    })?;
    session(archive, memory, FORTH, |program| {
        expect(FORTH, program.call(words_of(b": square dup * ; 12 square 102 -"))?, [0, 42, 1, 3])?;
        expect(FORTH, program.call(words_of(b"nonsense"))?, [1, 0, 0, 0])
    })?;
    // Shift, a, and shift is released, b.
    session(archive, memory, KEYS, |program| {
        for (byte, answer) in [(0x2a, [2, SHIFT]), (0x1e, [1, 'A' as u64]), (0xaa, [0; 2]), (0x30, [1, 'b' as u64])] {
            let [kind, key] = answer;
            expect(KEYS, program.call([byte, 0, 0, 0])?, [kind, key, 0, 0])?;
        }
        Ok(())
    })?;
    println!("root task: {ECHO}, {HELLO}, {FILTER}, {FORTH} and {KEYS} answer as they should");
    Ok(())
}

/// Loads a program, lets it be called, and ends it.
fn session(
    archive: &TarArchiveRef<'_>,
    memory: Memory,
    name: &str,
    talk: impl FnOnce(Endpoint) -> Result<(), Error>,
) -> Result<(), Error> {
    let program = load(archive, name, memory, PROGRAM)?;
    if name == HELLO {
        memory.split(HELLO_PAGES, program.table, slots::MEMORY)?;
    }
    program.start(0)?;
    wait_for_service(program)?;
    talk(Endpoint(program.slot(SERVICE)))?;
    program.end()
}

fn expect(name: &str, answer: Words, expected: Words) -> Result<(), Error> {
    if answer == expected {
        return Ok(());
    }
    println!("root task: {name} answers {answer:x?} and not {expected:x?}");
    Err(Error::InvalidState)
}

/// Bytes as the words of a message.
fn words_of(bytes: &[u8]) -> Words {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
}
