//! Addresses of the kernel as functions, files and lines.

use std::fmt::Write;

use addr2line::Loader;

use crate::kernel_file::KernelFile;

/// The symbols and line tables of one kernel.
pub struct Symbols {
    loader: Option<Loader>,
    text: (u64, u64),
}

impl Symbols {
    /// Those of this kernel. A file without any yields bare addresses.
    #[must_use]
    pub fn of(kernel: &KernelFile) -> Self {
        Self { loader: Loader::new(&kernel.path).ok(), text: kernel.text }
    }

    /// Whether an address lies in the kernel's machine code.
    #[must_use]
    pub fn is_code(&self, address: u64) -> bool {
        (self.text.0..self.text.1).contains(&address)
    }

    /// The function at an address, with those inlined there, innermost first: `function (file:line)`.
    #[must_use]
    pub fn describe(&self, address: u64) -> Option<String> {
        if !self.is_code(address) {
            return None;
        }
        let loader = self.loader.as_ref()?;
        let symbol = loader.find_symbol(address).map(demangle);
        let mut places = Vec::new();
        let mut frames = loader.find_frames(address).ok()?;
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|function| function.demangle().ok().map(|name| short(&name)));
            let place = frame.location.as_ref().and_then(|location| Some((location.file?, location.line?)));
            let place = place.map(|(file, line)| format!(" ({}:{line})", relative(file)));
            places.push((name, place.unwrap_or_default()));
        }
        // Line tables name functions without their modules; the symbol table has the whole name of the outermost.
        match (places.last_mut(), symbol) {
            (Some((name, _)), Some(symbol)) => *name = Some(symbol),
            (None, symbol) => places.push((Some(symbol?), String::new())),
            (Some(_), None) => {}
        }
        let places = places.into_iter().map(|(name, place)| name.unwrap_or_else(|| "?".to_owned()) + &place);
        Some(places.collect::<Vec<_>>().join(", inlined in "))
    }

    /// The text with every address in the kernel's code that it mentions explained on a line of its own.
    #[must_use]
    pub fn annotate(&self, text: &str) -> String {
        let mut output = String::new();
        for line in text.lines() {
            let _ = writeln!(output, "{line}");
            let indent = line.len() - line.trim_start().len();
            for address in addresses(line) {
                if let Some(place) = self.describe(address) {
                    let _ = writeln!(output, "{:indent$}    {address:#x} = {place}", "");
                }
            }
        }
        output
    }
}

pub(crate) fn demangle(symbol: &str) -> String {
    short(&addr2line::demangle_auto(symbol.into(), None))
}

/// Without the hash that older mangling adds.
fn short(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => path.to_owned(),
        _ => name.to_owned(),
    }
}

/// Files of the checkout by their path in it, those of packages and of the compiler from their own folder on.
fn relative(file: &str) -> &str {
    let root = crate::workspace::root().to_str().unwrap_or_default();
    if let Some(rest) = file.strip_prefix(root) {
        return rest.trim_start_matches('/');
    }
    if let Some((_, rest)) = file.split_once("/registry/src/") {
        return rest.split_once('/').map_or(rest, |(_, rest)| rest);
    }
    file.split_once("/rust/library/").map_or(file, |(_, rest)| rest)
}

/// The addresses that a line mentions: numbers of 16 hexadecimal digits, however they are introduced or grouped.
pub(crate) fn addresses(line: &str) -> impl Iterator<Item = u64> {
    let digit = |character: char| character.is_ascii_hexdigit() || character == '_';
    line.split(move |character| !digit(character)).filter_map(|word| {
        let digits: String = word.chars().filter(|&character| character != '_').collect();
        if digits.len() == 16 { u64::from_str_radix(&digits, 16).ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_every_notation() {
        let found: Vec<u64> =
            addresses("RIP=ffffffff80001234 at 0xffffffff80005678, rip: ffffffff_8000abcd; 0x10 dead").collect();
        assert_eq!(found, [0xffff_ffff_8000_1234, 0xffff_ffff_8000_5678, 0xffff_ffff_8000_abcd]);
    }

    #[test]
    fn a_function_of_this_program_is_found() {
        let path = std::env::current_exe().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        use object::{Object, ObjectSymbol};
        let symbol =
            file.symbols().find(|symbol| symbol.name().is_ok_and(|name| name.contains("is_found_here"))).unwrap();
        let address = symbol.address();
        let symbols = Symbols { loader: Loader::new(&path).ok(), text: (address, address + symbol.size()) };
        is_found_here();
        let description = symbols.describe(address).unwrap();
        assert!(description.contains("flatmk_tools::symbols::tests::is_found_here"), "{description}");
        assert!(description.contains("tools/src/symbols.rs:"), "{description}");
        assert_eq!(symbols.describe(address - 1), None);
        let text = symbols.annotate(&format!("  rip={address:#018x}"));
        assert!(text.lines().nth(1).is_some_and(|line| line.contains("is_found_here")), "{text}");
    }

    #[inline(never)]
    fn is_found_here() {
        std::hint::black_box(());
    }

    #[test]
    fn paths_are_shortened() {
        assert_eq!(
            relative("/home/x/.cargo/registry/src/index-1/x86_64-0.15.2/src/lib.rs"),
            "x86_64-0.15.2/src/lib.rs"
        );
        assert_eq!(relative("/usr/lib/rustlib/src/rust/library/core/src/hint.rs"), "core/src/hint.rs");
        assert_eq!(relative("kernel/src/main.rs"), "kernel/src/main.rs");
        assert_eq!(
            relative(&format!("{}/kernel/src/main.rs", crate::workspace::root().display())),
            "kernel/src/main.rs"
        );
    }

    #[test]
    fn hashes_are_left_out() {
        assert_eq!(demangle("_ZN6kernel4main17h0123456789abcdefE"), "kernel::main");
        assert_eq!(demangle("_RNvC6kernel4main"), "kernel::main");
    }
}
