//! Any bytes as a program: what the fuzzer in `fuzz/` runs, and here those again that it has kept.

use crate::guest::{DATA, DATA_BYTES, Guest, PAGE, fill_data};
use crate::step::{Both, Outcome};

const STEPS: usize = 500;

/// With so small a cache that many programs fill it.
pub(crate) fn guest() -> Guest {
    Guest::with_cache(vec![0; 512].leak())
}

/// The first byte chooses the registers, the others are the program.
pub(crate) fn run(guest: &mut Guest, bytes: &[u8]) -> Result<Outcome, String> {
    let (choice, program) = bytes.split_first().unwrap_or((&0, &[]));
    guest.load(program);
    fill_data(&[0x81, 0x7f, 0xff, 0x80, 1, 2, 3]);
    let choice = u32::from(*choice);
    let values = [
        DATA + PAGE / 2,
        DATA + DATA_BYTES - choice % 16,
        choice,
        choice.wrapping_neg(),
        0x8000_0000,
        DATA + 4 * choice,
        0x7fff_ffff ^ choice,
        DATA + PAGE - choice % 4,
    ];
    let x = std::array::from_fn(|index| values[index % values.len()]);
    Both { guest, x, steps: STEPS }.run()
}

#[test]
fn what_the_fuzzer_has_kept_does_what_the_manual_says() {
    let mut guest = guest();
    let mut count = 0;
    for line in include_str!("../../fuzz/corpus.txt").lines() {
        let bytes: Vec<u8> = line
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits"))
            .collect();
        let outcome = run(&mut guest, &bytes);
        assert!(outcome.is_ok(), "{line}: {}", outcome.unwrap_err());
        count += 1;
    }
    assert!(count > 100, "{count}");
}
