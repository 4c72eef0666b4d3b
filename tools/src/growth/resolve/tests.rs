//! What stays of a source file at a chapter.

use test_case::test_case;

use super::*;

fn at(text: &str, chapter: u8) -> String {
    Source::read(text).unwrap().at(chapter).unwrap().text
}

/// The text of a file of many forms before and from chapter 5 on: what stands behind `-` is of the one, behind `+` of the other.
fn assert_forms(forms: &str) {
    let lines = |sign| -> String {
        let line = |line: &str| {
            line.split_at_checked(2)
                .filter(|(mark, _)| *mark == "  " || *mark == sign)
                .map(|(_, line)| format!("{line}\n"))
        };
        forms.lines().filter_map(line).collect()
    };
    // What stands behind `c` is a condition.
    let text: String = forms.lines().filter_map(|line| line.get(2..)).map(|line| format!("{line}\n")).collect();
    assert_eq!(at(&text, 4), lines("- "), "before chapter 5");
    assert_eq!(at(&text, 5), lines("+ "), "at chapter 5");
}

#[test]
fn items_go_with_their_comments() {
    assert_forms(
        r#"  //! A module.
  // Of chapter 1.
  mod one;
+ // Of chapter 5.
+ // It is long.
c #[cfg(feature = "chapter5")]
+ #[expect(unsafe_code, reason = "it has to")]
+ pub mod five;
+ /// Documentation before the condition.
c #[cfg(feature = "chapter5")]
+ struct Five; // behind it
- /// Without it.
c #[cfg(not(feature = "chapter5"))]
- macro_rules! five { () => {}; }
  // This stays.
  fn last() {}
"#,
    );
}

#[test]
fn parts_of_items_go() {
    assert_forms(
        r#"  struct Task {
      id: u64,
+     /// What it costs.
c     #[cfg(feature = "chapter5")]
+     cost: Vec<(u8, u8)>,
  }
  enum Kind {
      First,
c     #[cfg(feature = "chapter5")]
+     Last
  }
  impl Task {
c     #[cfg(feature = "chapter5")]
+     fn five(&self) {}
c     #[cfg(not(feature = "chapter5"))]
-     const FIVE: u8 = 5;
  }
  trait Five {
c     #[cfg(feature = "chapter5")]
+     fn five(&self);
  }
  unsafe extern "C" {
c     #[cfg(feature = "chapter5")]
+     fn five();
  }
"#,
    );
}

#[test]
fn parts_of_functions_go() {
    assert_forms(
        r#"  fn f(
c     #[cfg(feature = "chapter5")]
+     five: u8,
      six: u8,
  ) {
c     #[cfg(feature = "chapter5")]
+     let x = 1;
c     #[cfg(feature = "chapter5")]
+     x.y = f(1) + 2; // an assignment
c     #[cfg(not(feature = "chapter5"))]
-     return 4;
c     #[cfg(feature = "chapter5")]
+     println!("{}", 1);
      match x {
c         #[cfg(feature = "chapter5")]
+         1 => one(),
          // By itself.
          2 => {}
+         // With a block.
c         #[cfg(feature = "chapter5")]
+         3 => {
+             three();
+         }
          _ => {}
      }
      let Task { id, .. } = Task {
          id,
c         #[cfg(feature = "chapter5")]
+         cost: [1, 2],
      };
      call(&[
          1,
c         #[cfg(feature = "chapter5")]
+         2 + 3,
      ]);
  }
"#,
    );
}

#[test]
fn a_block_for_a_condition_loses_its_braces_unless_they_keep_variables() {
    assert_forms(
        r#"  fn f() {
c     #[cfg(feature = "chapter5")]
c     {
+         one();
+         two();
c     }
c     #[cfg(feature = "chapter5")]
+     {
+         let x = 1;
+         two(x);
+     }
  }
"#,
    );
}

#[test]
fn what_is_nested_goes_with_what_it_is_in() {
    assert_forms(
        r#"  mod a {
c     #[cfg(feature = "chapter5")]
+     fn five() {
c         #[cfg(not(feature = "chapter5"))]
c         never();
c         #[cfg(any(feature = "chapter3", feature = "chapter7"))]
+         always();
+     }
  }
"#,
    );
}

#[test_case("#![cfg_attr(feature = \"chapter5\", feature(x), deny(y))]\nmod a;\n", "mod a;\n", "#![feature(x)]\n#![deny(y)]\nmod a;\n"; "of a crate")]
#[test_case("#[cfg_attr(not(feature = \"chapter5\"), inline)]\nfn a() {}\n", "#[inline]\nfn a() {}\n", "fn a() {}\n"; "of a function")]
#[test_case("fn a() { b(cfg!(feature = \"chapter5\")) }\n", "fn a() { b(false) }\n", "fn a() { b(true) }\n"; "a value")]
#[test_case("fn a() { b!(\"{}\", (cfg!(feature = \"chapter5\"), 1)) }\n", "fn a() { b!(\"{}\", (false, 1)) }\n", "fn a() { b!(\"{}\", (true, 1)) }\n"; "a value in a macro")]
#[test_case("fn a() { cfg!(debug_assertions) }\n", "fn a() { cfg!(debug_assertions) }\n", "fn a() { cfg!(debug_assertions) }\n"; "what a chapter does not decide")]
#[test_case("// ANCHOR: a\nfn a() {}\n    // ANCHOR_END: a\n", "fn a() {}\n", "fn a() {}\n"; "marks of the book")]
#[test_case("#[cfg(feature = \"chapter5\")] fn a() {} fn b() {}\n", "fn b() {}\n", "fn a() {} fn b() {}\n"; "on one line")]
#[test_case("#[cfg(all(feature = \"chapter4\", target_os = \"none\"))]\nfn a() {}\n#[cfg(test)]\nmod t {}\n#[cfg(feature = \"planted-bugs\")]\nfn b() {}\n", "fn a() {}\n", "fn a() {}\n"; "the kernel that boots")]
fn attributes_and_values_are_decided(text: &str, before: &str, then: &str) {
    assert_eq!((at(text, 4).as_str(), at(text, 5).as_str()), (before, then));
}

#[test]
fn modules_that_are_left_out_have_no_file() {
    let source = Source::read("mod a;\n#[cfg(feature = \"chapter5\")]\nmod b;\nmod c {}\n").unwrap();
    assert_eq!([4, 5].map(|chapter| source.at(chapter).unwrap().modules), [vec!["a"], vec!["a", "b"]]);
}

#[test_case("fn", "line 1: ", 1; "no Rust")]
#[test_case("m! {\n#[cfg(feature = \"chapter5\")]\n}", "line 2: a condition inside a macro", 1; "in a macro")]
#[test_case("macro_rules! m { ($f:literal) => { #[cfg(feature = $f)] fn f() {} } }", "a condition inside a macro", 1; "in a definition of a macro")]
#[test_case("fn f() {\n#![cfg(feature = \"chapter5\")]\n}", "line 2: a condition of a whole file or block", 1; "on the inside")]
#[test_case("\n#[cfg_attr(test, cfg(x))]\nfn f() {}", "line 2: a condition behind a condition", 1; "behind another")]
#[test_case("#[path = \"x.rs\"]\nmod a;", "line 1: a module in a file of another name", 1; "another file")]
#[test_case("#[cfg(all(debug_assertions, feature = \"chapter5\"))]\nmod a;", "line 1: a chapter does not decide", 5; "not decided")]
fn what_is_not_decided_is_refused(text: &str, words: &str, chapter: u8) {
    let error = Source::read(text).and_then(|source| source.at(chapter)).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}
