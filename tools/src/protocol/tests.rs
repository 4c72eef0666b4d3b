use super::*;

fn parse(text: &str) -> Parser {
    let mut parser = Parser::default();
    parser.feed(text.as_bytes());
    parser
}

const GOOD: &str = "\
boot
running 2 tests
test a::first ... ok (12 ticks)
test a::second ... hello
more of it
ok (3 ticks)
test result: ok. 2 passed; 0 failed
[exit 0]
";

#[test]
fn results_are_found_among_other_output() {
    let parser = parse(GOOD);
    assert_eq!(parser.counts(), (2, 0));
    assert_eq!(
        parser.results(),
        [
            TestResult { name: "a::first".into(), result: TestEnd::Passed(12) },
            TestResult { name: "a::second".into(), result: TestEnd::Passed(3) }
        ]
    );
    assert_eq!(parser.verdict(), Ok(()));
}

#[test]
fn the_exit_line_is_hidden_and_the_rest_shown_however_it_is_cut() {
    let expected = GOOD.strip_suffix("[exit 0]\n").unwrap();
    for size in 1..GOOD.len() {
        let mut parser = Parser::default();
        let shown: Vec<u8> = GOOD.as_bytes().chunks(size).flat_map(|part| parser.feed(part)).collect();
        assert_eq!(String::from_utf8_lossy(&shown), expected, "in parts of {size} bytes");
        assert_eq!(parser.text(), expected);
        assert_eq!(parser.exit(), Some(0));
    }
}

#[test]
fn a_prompt_is_shown_before_its_line_ends() {
    let mut parser = Parser::default();
    assert_eq!(parser.feed(b"> "), b"> ");
    assert_eq!(parser.feed(b"[exit"), b"[exit");
    assert_eq!(parser.feed(b"\n[ex"), b"\n");
    assert_eq!(parser.feed(b"pand"), b"[expand");
}

#[test]
fn carriage_returns_do_not_matter() {
    let parser = parse(&GOOD.replace('\n', "\r\n"));
    assert_eq!(parser.verdict(), Ok(()));
    assert_eq!(parser.exit(), Some(0));
}

#[test]
fn a_test_without_a_result_counts_as_failed() {
    let parser = parse("running 3 tests\ntest a ... ok (1 ticks)\ntest b ... ");
    assert_eq!(parser.running().as_deref(), Some("b"));
    assert_eq!(parser.counts(), (1, 2));
    assert_eq!(parser.verdict(), Err(Fault::Failed { failed: 2, announced: 3 }));
}

#[test]
fn a_failed_test_fails_the_run_even_with_status_0() {
    let text = GOOD.replace("ok (3 ticks)", "FAILED (3 ticks)");
    assert_eq!(parse(&text).verdict(), Err(Fault::Failed { failed: 1, announced: 2 }));
}

#[test]
fn each_disagreement_fails_the_run() {
    let cases = [
        (GOOD.replace("running 2 tests\n", ""), Fault::NotAnnounced),
        (GOOD.replace("running 2 tests", "running 2 tests\nrunning 2 tests"), Fault::AnnouncedTwice),
        (GOOD.replace("running 2", "running 1"), Fault::TooManyResults { results: 2, announced: 1 }),
        (GOOD.replace("2 passed", "1 passed"), Fault::SummaryDiffers),
        (GOOD.replace("test result: ok. 2 passed; 0 failed\n", ""), Fault::SummaryDiffers),
        (GOOD.replace("[exit 0]", "[exit 1]"), Fault::Status(1)),
        (GOOD.replace("[exit 0]\n", ""), Fault::NoExit),
    ];
    for (text, fault) in cases {
        assert_eq!(parse(&text).verdict(), Err(fault), "{text}");
    }
}

#[test]
fn bytes_that_are_not_text_are_survived() {
    let mut parser = Parser::default();
    parser.feed(b"\xff\xfe\0\n[exit 256]\n[exit 7]\n");
    assert_eq!(parser.exit(), Some(7));
}

#[test]
fn a_panic_screen_is_noticed() {
    assert!(parse("FlatMk stopped: K01 no memory\n").stopped());
    assert!(!parse(GOOD).stopped());
}

#[test]
fn progress_grows_with_results_and_not_with_chatter() {
    let mut parser = parse("running 2 tests\ntest a ... ");
    let started = parser.progress();
    parser.feed(b"chatter\nchatter\n");
    assert_eq!(parser.progress(), started);
    parser.feed(b"ok (1 ticks)\n");
    assert!(parser.progress() > started);
}
