extern crate std;

use std::string::String;

use super::*;

fn run(text: &str) -> Result<String, Error> {
    let mut output = String::new();
    Forth::new().run(text, &mut output).map(|_| output)
}

#[test]
fn numbers_are_computed() {
    assert_eq!(run("1 2 + . 7 3 - . -7 2 / . -7 2 mod . 6 7 * . cr").unwrap(), "3 4 -3 -1 42 \n");
    assert_eq!(run("1 1 = . 1 2 < . 1 2 > . 12 10 and . 12 10 or . 12 10 XOR .").unwrap(), "-1 -1 0 8 14 6 ");
    assert_eq!(run("-2147483648 -1 / . 2147483647 1 + .").unwrap(), "-2147483648 -2147483648 ");
}

#[test]
fn the_stack_is_rearranged() {
    assert_eq!(
        run("1 2 swap . . 1 2 over . . . 1 2 3 rot . . . 5 dup . . 1 2 drop .").unwrap(),
        "1 2 1 2 1 1 3 2 5 5 1 "
    );
}

#[test]
fn words_are_defined_and_used() {
    assert_eq!(run(": square dup * ; : fourth square square ; 3 fourth .").unwrap(), "81 ");
    // The latest counts, and what was defined before means what it meant.
    assert_eq!(run(": a 1 ; : b a ; : a 2 ; a . b . A .").unwrap(), "2 1 2 ");
}

#[test]
fn structures_control() {
    let sign = ": sign dup 0 < if drop -1 else 0 > if 1 else 0 then then ;";
    assert_eq!(run(&std::format!("{sign} -5 sign . 0 sign . 5 sign .")).unwrap(), "-1 0 1 ");
    assert_eq!(run(": down begin dup . 1 - dup 0 = until drop ; 3 down").unwrap(), "3 2 1 ");
    assert_eq!(run(": table 4 1 do 4 1 do i . loop cr loop ; table").unwrap(), "1 2 3 \n".repeat(3));
}

#[test]
fn cells_keep_numbers() {
    assert_eq!(run("42 63 ! 63 @ . 0 @ .").unwrap(), "42 0 ");
}

#[test]
fn a_mistake_is_an_error() {
    let cases = [
        ("nonsense", Error::UnknownWord),
        ("99999999999", Error::UnknownWord),
        ("+", Error::StackEmpty),
        ("1 +", Error::StackEmpty),
        (": f 1 f ; f", Error::UnknownWord),
        (": f 65 0 do i loop ; f", Error::StackFull),
        ("1 0 /", Error::Division),
        ("1 0 mod", Error::Division),
        ("64 @", Error::NoCell),
        ("1 -1 !", Error::NoCell),
        (":", Error::Structure),
        (": f", Error::Structure),
        (": f if ;", Error::Structure),
        (": f if loop ;", Error::Structure),
        (": f then ;", Error::Structure),
        ("i", Error::Structure),
        ("1 if", Error::UnknownWord),
        (": a-name-that-is-too-long 1 ;", Error::NoRoom),
        (": f begin 0 until ; f", Error::TooLong),
    ];
    for (text, error) in cases {
        assert_eq!(run(text), Err(error), "{text}");
    }
}

#[test]
fn an_error_leaves_what_was_defined() {
    let (mut forth, mut output) = (Forth::new(), String::new());
    assert_eq!(forth.run(": a 7 ; 1 2 : b 8 nonsense ;", &mut output), Err(Error::UnknownWord));
    assert_eq!((forth.depth(), forth.run("a", &mut output)), (0, Ok(2)));
    assert_eq!(forth.run(": b a 1 + ; b", &mut output), Ok(6));
    assert_eq!((forth.top(), forth.depth()), (Some(8), 2));
}

#[test]
fn there_is_room_for_so_many_words() {
    let (mut forth, mut output) = (Forth::new(), String::new());
    for number in 0..32 {
        assert!(forth.run(&std::format!(": w{number} {number} ;"), &mut output).is_ok());
    }
    assert_eq!(forth.run(": w32 32 ;", &mut output), Err(Error::NoRoom));
    assert_eq!(forth.run("w31 .", &mut output), Ok(2));
    assert_eq!(output, "31 ");
}

#[test]
fn the_first_program_finds_primes() {
    let mut output = String::new();
    Forth::new().run(PRIMES, &mut output).expect("it is right");
    assert_eq!(output, "2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 \n");
}
