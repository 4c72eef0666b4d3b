//! What is said in `#[cfg(..)]`, and whether it holds for a chapter.

use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, Meta, Token};

/// A condition of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// `feature = ".."`
    Feature(String),
    /// `target_os = ".."`
    System(String),
    /// `target_arch = ".."`
    Processor(String),
    /// `test`
    Test,
    /// `all(..)`
    All(Vec<Condition>),
    /// `any(..)`
    Any(Vec<Condition>),
    /// `not(..)`
    Not(Box<Condition>),
    /// Anything else, of which a chapter says nothing.
    Other,
}

impl Condition {
    /// Reads what stands in the parentheses of `cfg(..)`.
    pub(super) fn of(meta: &Meta) -> syn::Result<Self> {
        Ok(match meta {
            Meta::Path(path) if path.is_ident("test") => Self::Test,
            Meta::NameValue(pair) => match (pair.path.get_ident(), &pair.value) {
                (Some(name), Expr::Lit(ExprLit { lit: Lit::Str(value), .. })) => match name.to_string().as_str() {
                    "feature" => Self::Feature(value.value()),
                    "target_os" => Self::System(value.value()),
                    "target_arch" => Self::Processor(value.value()),
                    _ => Self::Other,
                },
                _ => Self::Other,
            },
            Meta::List(list) => {
                let parts = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone())?;
                let mut parts = parts.iter().map(Self::of).collect::<syn::Result<Vec<_>>>()?;
                match list.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("all") => Self::All(parts),
                    Some("any") => Self::Any(parts),
                    Some("not") if parts.len() == 1 => {
                        parts.pop().map_or(Self::Other, |part| Self::Not(Box::new(part)))
                    }
                    _ => Self::Other,
                }
            }
            Meta::Path(_) => Self::Other,
        })
    }

    /// Whether it holds for the kernel that boots at a chapter, without the tests' planted bugs; `None` if a chapter does not decide that.
    pub(super) fn holds(&self, chapter: u8) -> Option<bool> {
        match self {
            Self::Feature(name) => Some(chapter_of(name).is_some_and(|first| first <= chapter)),
            Self::System(name) => Some(name == "none"),
            Self::Processor(name) => Some(name == "x86_64"),
            Self::Test => Some(false),
            Self::All(parts) => together(parts, chapter, false),
            Self::Any(parts) => together(parts, chapter, true),
            Self::Not(part) => part.holds(chapter).map(|holds| !holds),
            Self::Other => None,
        }
    }

    /// Whether a feature is part of it.
    pub(super) fn names_feature(&self) -> bool {
        match self {
            Self::Feature(_) => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::names_feature),
            Self::Not(part) => part.names_feature(),
            Self::System(_) | Self::Processor(_) | Self::Test | Self::Other => false,
        }
    }
}

/// One part that is `deciding` decides; else all must be known.
fn together(parts: &[Condition], chapter: u8, deciding: bool) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match part.holds(chapter) {
            Some(holds) if holds == deciding => return Some(deciding),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!deciding)
}

/// The chapter of a feature; none if it is not one of a chapter.
fn chapter_of(feature: &str) -> Option<u8> {
    feature.strip_prefix("chapter")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn holds(text: &str, chapter: u8) -> Option<bool> {
        Condition::of(&syn::parse_str(text).unwrap()).unwrap().holds(chapter)
    }

    #[test_case(r#"feature = "chapter5""#, Some(false), Some(true), Some(true); "a feature")]
    #[test_case(r#"not(feature = "chapter5")"#, Some(true), Some(false), Some(false); "not a feature")]
    #[test_case(r#"all(feature = "chapter5", not(feature = "chapter6"))"#, Some(false), Some(true), Some(false); "one chapter alone")]
    #[test_case(r#"any(feature = "chapter6", not(feature = "chapter5"))"#, Some(true), Some(false), Some(true); "all but one chapter")]
    #[test_case(r#"feature = "planted-bugs""#, Some(false), Some(false), Some(false); "another feature")]
    #[test_case(r#"target_os = "none""#, Some(true), Some(true), Some(true); "the kernel that boots")]
    #[test_case(r#"not(target_os = "none")"#, Some(false), Some(false), Some(false); "the host")]
    #[test_case(r#"target_os = "linux""#, Some(false), Some(false), Some(false); "another system")]
    #[test_case(r#"target_arch = "x86_64""#, Some(true), Some(true), Some(true); "the processor")]
    #[test_case("test", Some(false), Some(false), Some(false); "tests")]
    #[test_case("debug_assertions", None, None, None; "what no chapter decides")]
    #[test_case("not(debug_assertions)", None, None, None; "its opposite")]
    #[test_case(r#"all(debug_assertions, feature = "chapter5")"#, Some(false), None, None; "all of what is not known")]
    #[test_case(r#"any(debug_assertions, feature = "chapter5")"#, None, Some(true), Some(true); "any of what is not known")]
    #[test_case("all()", Some(true), Some(true), Some(true); "all of nothing")]
    #[test_case("any()", Some(false), Some(false), Some(false); "any of nothing")]
    #[test_case(r#"not(any(all(feature = "chapter4", target_os = "none"), test,))"#, Some(false), Some(false), Some(false); "nested")]
    fn a_condition_is_decided(text: &str, at_4: Option<bool>, at_5: Option<bool>, at_6: Option<bool>) {
        assert_eq!([4, 5, 6].map(|chapter| holds(text, chapter)), [at_4, at_5, at_6]);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        assert!(Condition::of(&syn::parse_str("all(a b)").unwrap()).is_err());
    }
}
