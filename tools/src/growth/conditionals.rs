//! Where in a source file a condition decides about code.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{AttrStyle, Attribute, Block, Expr, Item, ItemMod, Macro, Meta, Stmt, Token};

use super::condition::Condition;

/// A condition, and what it decides about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conditional {
    pub(super) condition: Condition,
    pub(super) decides: Decides,
    pub(super) line: usize,
}

/// What a condition decides about. Ranges are of bytes in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decides {
    /// `#[cfg(..)]`: whether its owner is there: the item, statement, field, arm, expression that it stands on.
    Owner {
        attribute: Range<usize>,
        owner: Range<usize>,
        /// The braces of an owner that is a block without variables of its own. The block is there for the attribute.
        braces: Option<[Range<usize>; 2]>,
    },
    /// `#[cfg_attr(..)]`: whether these attributes are there.
    Attributes { attribute: Range<usize>, attributes: String },
    /// `cfg!(..)`: the value of the expression.
    Value { expression: Range<usize> },
}

/// `mod name;`, which names a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) range: Range<usize>,
}

/// What is found in a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) conditionals: Vec<Conditional>,
    pub(super) modules: Vec<Module>,
}

/// Finds all conditions of a file and the files that are its modules.
///
/// # Errors
///
/// If it is no Rust, or has a condition of a form that no chapter could decide.
pub(super) fn find(text: &str) -> syn::Result<Found> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder { text, owners: vec![], found: Found::default(), error: None };
    finder.visit_file(&file);
    finder.error.map_or(Ok(finder.found), Err)
}

struct Finder<'text> {
    text: &'text str,
    /// The syntax around this point that may have attributes, from the outside.
    owners: Vec<Owner>,
    found: Found,
    error: Option<syn::Error>,
}

struct Owner {
    range: Range<usize>,
    /// Whether its attributes may be taken for those of the first expression in it.
    is_of_expressions: bool,
    braces: Option<[Range<usize>; 2]>,
}

/// Visits what may have attributes, and remembers it meanwhile.
macro_rules! visit_owners {
    ($($visit:ident($type:ty);)+) => {$(
        fn $visit(&mut self, node: &'ast $type) {
            self.owners.push(Owner { range: node.span().byte_range(), is_of_expressions: false, braces: None });
            visit::$visit(self, node);
            self.owners.pop();
        }
    )+};
}

impl<'ast> Visit<'ast> for Finder<'_> {
    visit_owners! {
        visit_item(Item);
        visit_foreign_item(syn::ForeignItem);
        visit_impl_item(syn::ImplItem);
        visit_trait_item(syn::TraitItem);
        visit_field(syn::Field);
        visit_field_value(syn::FieldValue);
        visit_field_pat(syn::FieldPat);
        visit_variant(syn::Variant);
        visit_arm(syn::Arm);
        visit_generic_param(syn::GenericParam);
        visit_fn_arg(syn::FnArg);
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        let braces = match node {
            Stmt::Expr(Expr::Block(block), None) if block.label.is_none() => braces_of_plain(&block.block),
            _ => None,
        };
        self.owners.push(Owner { range: node.span().byte_range(), is_of_expressions: true, braces });
        visit::visit_stmt(self, node);
        self.owners.pop();
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        self.owners.push(Owner { range: node.span().byte_range(), is_of_expressions: true, braces: None });
        visit::visit_expr(self, node);
        self.owners.pop();
    }

    fn visit_item_mod(&mut self, node: &'ast ItemMod) {
        if node.content.is_none() {
            let module = Module { name: node.ident.to_string(), range: node.span().byte_range() };
            self.found.modules.push(module);
        }
        visit::visit_item_mod(self, node);
    }

    fn visit_attribute(&mut self, node: &'ast Attribute) {
        let result = if node.path().is_ident("cfg") {
            self.find_cfg(node)
        } else if node.path().is_ident("cfg_attr") {
            self.find_cfg_attr(node)
        } else if node.path().is_ident("path") {
            Err(syn::Error::new(node.span(), "a module in a file of another name is not looked for"))
        } else {
            Ok(())
        };
        self.keep(result);
    }

    fn visit_macro(&mut self, node: &'ast Macro) {
        let result = if node.path.is_ident("cfg") {
            self.find_value(node.span().byte_range(), node.tokens.clone(), node.span().start().line)
        } else {
            self.find_in_tokens(node.tokens.clone())
        };
        self.keep(result);
    }
}

impl Finder<'_> {
    /// The first error is the one to tell.
    fn keep(&mut self, result: syn::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn add(&mut self, condition: Condition, decides: Decides, line: usize) {
        self.found.conditionals.push(Conditional { condition, decides, line });
    }

    fn find_cfg(&mut self, node: &Attribute) -> syn::Result<()> {
        let condition = Condition::of(&node.parse_args::<Meta>()?)?;
        // Of a statement `#[cfg(..)] a = b;` the attribute is taken for that of `a`.
        let innermost = self.owners.len().saturating_sub(1);
        let start = self.owners.last().map_or(0, |owner| owner.range.start);
        let begins_there = |owner: &Owner| owner.is_of_expressions && owner.range.start == start;
        let around = self.owners.iter().rposition(|owner| !begins_there(owner)).map_or(0, |around| around + 1);
        let (AttrStyle::Outer, Some(owner)) = (node.style, self.owners.get(around.min(innermost))) else {
            return Err(syn::Error::new(
                node.span(),
                "a condition of a whole file or block is not decided: set it on the outside",
            ));
        };
        let attribute = node.span().byte_range();
        let decides = Decides::Owner { attribute, owner: owner.range.clone(), braces: owner.braces.clone() };
        self.add(condition, decides, node.span().start().line);
        Ok(())
    }

    fn find_cfg_attr(&mut self, node: &Attribute) -> syn::Result<()> {
        let parts = node.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        let mut parts = parts.iter();
        let condition = parts.next().ok_or_else(|| syn::Error::new(node.span(), "there is no condition"))?;
        let sign = if matches!(node.style, AttrStyle::Outer) { "#" } else { "#!" };
        let mut attributes = Vec::new();
        for part in parts {
            if part.path().is_ident("cfg") || part.path().is_ident("cfg_attr") {
                return Err(syn::Error::new(
                    part.span(),
                    "a condition behind a condition is not decided: say it in one",
                ));
            }
            attributes.push(format!("{sign}[{}]", self.text.get(part.span().byte_range()).unwrap_or_default()));
        }
        let (attribute, attributes) = (node.span().byte_range(), attributes.join("\n"));
        self.add(Condition::of(condition)?, Decides::Attributes { attribute, attributes }, node.span().start().line);
        Ok(())
    }

    fn find_value(&mut self, expression: Range<usize>, condition: TokenStream, line: usize) -> syn::Result<()> {
        let condition = Condition::of(&syn::parse2::<Meta>(condition)?)?;
        self.add(condition, Decides::Value { expression }, line);
        Ok(())
    }

    /// What is in the parentheses of a macro may be anything. `cfg!(..)` is what it looks like, and an attribute must not depend on a chapter,
    /// since nobody knows what it stands on.
    fn find_in_tokens(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else { continue };
            let before = |distance: usize| index.checked_sub(distance).and_then(|index| tokens.get(index));
            let is_sign = |token: Option<&TokenTree>, sign| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
            match before(2) {
                Some(TokenTree::Ident(name)) if name == "cfg" && is_sign(before(1), '!') => {
                    let expression = name.span().byte_range().start..group.span_close().byte_range().end;
                    self.find_value(expression, group.stream(), name.span().start().line)?;
                }
                _ if group.delimiter() == Delimiter::Bracket && is_sign(before(1), '#') => {
                    refuse_condition(group.stream())?;
                }
                _ => self.find_in_tokens(group.stream())?,
            }
        }
        Ok(())
    }
}

/// Refuses an attribute in a macro that depends on a feature, or on a part of a macro.
fn refuse_condition(attribute: TokenStream) -> syn::Result<()> {
    let is_condition = match attribute.clone().into_iter().next() {
        Some(TokenTree::Ident(name)) => name == "cfg" || name == "cfg_attr",
        _ => false,
    };
    let names_feature = |list: syn::MetaList| {
        let parts = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens).ok()?;
        Condition::of(parts.first()?).ok().map(|condition| condition.names_feature())
    };
    let span = attribute.span();
    if is_condition && syn::parse2(attribute).ok().and_then(names_feature).unwrap_or(true) {
        return Err(syn::Error::new(span, "a condition inside a macro is not decided: set it on the macro"));
    }
    Ok(())
}

/// The braces of a block of statements that could stand without them.
fn braces_of_plain(block: &Block) -> Option<[Range<usize>; 2]> {
    let is_plain = block.stmts.iter().all(|stmt| matches!(stmt, Stmt::Expr(_, Some(_))));
    let braces = block.brace_token.span;
    is_plain.then(|| [braces.open().byte_range(), braces.close().byte_range()])
}
