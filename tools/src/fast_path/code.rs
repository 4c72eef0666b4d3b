//! The kernel's machine code: its symbols, and functions as instructions.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter, Mnemonic, SymbolResolver,
    SymbolResult,
};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::{ListingError, kernel_error};
use crate::symbols::demangle;

/// A kernel's file.
pub(super) struct Binary<'data> {
    text: &'data [u8],
    text_address: u64,
    /// By address.
    symbols: Vec<Symbol>,
}

#[derive(Clone)]
struct Symbol {
    address: u64,
    /// 0 for those of the assembler.
    size: u64,
    name: String,
}

/// An instruction.
pub(super) struct Line {
    pub(super) address: u64,
    /// From the beginning of the function.
    pub(super) offset: u64,
    pub(super) instruction: Instruction,
    pub(super) text: String,
}

impl<'data> Binary<'data> {
    pub(super) fn parse(bytes: &'data [u8]) -> Result<Self, ListingError> {
        let file = object::File::parse(bytes).map_err(kernel_error)?;
        let section = file.section_by_name(".text").ok_or_else(|| kernel_error("no .text"))?;
        let symbols = file.symbols().filter(|symbol| {
            let is_place = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown);
            is_place && symbol.is_definition() && symbol.address() != 0
        });
        let symbols = symbols.filter_map(|symbol| {
            Some(Symbol { address: symbol.address(), size: symbol.size(), name: demangle(symbol.name().ok()?) })
        });
        let mut symbols: Vec<Symbol> = symbols.filter(|symbol| !symbol.name.is_empty()).collect();
        symbols.sort_by(|left, right| (left.address, &left.name).cmp(&(right.address, &right.name)));
        Ok(Self { text: section.data().map_err(kernel_error)?, text_address: section.address(), symbols })
    }

    /// The instructions of a function.
    pub(super) fn disassemble(&self, name: &str) -> Result<Vec<Line>, ListingError> {
        let missing = || ListingError::NoSymbol(name.to_owned());
        let symbol = self.symbols.iter().find(|symbol| symbol.name == name).ok_or_else(missing)?;
        let start = symbol.address.checked_sub(self.text_address).ok_or_else(missing)? as usize;
        let end = start + self.size(symbol) as usize;
        let bytes = self.text.get(start..end.min(self.text.len())).ok_or_else(missing)?;
        let mut lines: Vec<Line> = Decoder::with_ip(64, bytes, symbol.address, DecoderOptions::NONE)
            .into_iter()
            // Room behind the way out, which is never executed.
            .filter(|instruction| instruction.mnemonic() != Mnemonic::Int3)
            .map(|instruction| Line {
                address: instruction.ip(),
                offset: instruction.ip() - symbol.address,
                instruction,
                text: self.format(symbol, &instruction),
            })
            .collect();
        // What fills the space up to the next function.
        let is_filler = |line: &Line| line.instruction.mnemonic() == Mnemonic::Nop;
        let count = lines.iter().rposition(|line| !is_filler(line)).map_or(0, |last| last + 1);
        lines.truncate(count);
        Ok(lines)
    }

    /// The functions to which this one leads.
    ///
    /// # Errors
    ///
    /// If it leads to an address without a name.
    pub(super) fn leads_to(&self, code: &[Line]) -> Result<Vec<&str>, ListingError> {
        let symbol = |target| self.symbols.iter().find(|symbol| symbol.address == target);
        let name = |target| symbol(target).map(|symbol| symbol.name.as_str());
        let missing = |target| ListingError::NoSymbol(format!("{target:#x}"));
        targets(code).into_iter().map(|target| name(target).ok_or_else(|| missing(target))).collect()
    }

    /// Up to the next symbol where the file does not say.
    fn size(&self, symbol: &Symbol) -> u64 {
        let next = self.symbols.iter().find(|next| next.address > symbol.address);
        let room = next.map_or(0, |next| next.address - symbol.address);
        if symbol.size == 0 { room } else { symbol.size }
    }

    fn format(&self, function: &Symbol, instruction: &Instruction) -> String {
        let end = function.address + self.size(function);
        let names = Names { symbols: self.symbols.clone(), function: function.address..end };
        let mut formatter = IntelFormatter::with_options(Some(Box::new(names)), None);
        let options = formatter.options_mut();
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_small_hex_numbers_in_decimal(true);
        options.set_space_after_operand_separator(true);
        options.set_space_between_memory_add_operators(true);
        options.set_show_branch_size(false);
        let mut text = String::new();
        formatter.format(instruction, &mut text);
        text
    }
}

/// Where these instructions lead outside of themselves: by a call, then by a jump. 0 for an address that is not in the instruction.
fn targets(code: &[Line]) -> Vec<u64> {
    use FlowControl::{Call, ConditionalBranch, IndirectBranch, IndirectCall, UnconditionalBranch};
    let is_inside = |target| code.iter().any(|line| line.address == target);
    let of_kinds = |kinds: &[FlowControl]| {
        let lines = code.iter().filter(|line| kinds.contains(&line.instruction.flow_control()));
        lines.map(|line| line.instruction.near_branch_target()).filter(|target| !is_inside(*target)).collect()
    };
    let mut targets: Vec<u64> = of_kinds(&[Call, IndirectCall]);
    targets.append(&mut of_kinds(&[ConditionalBranch, UnconditionalBranch, IndirectBranch]));
    targets
}

/// Names in place of addresses.
struct Names {
    symbols: Vec<Symbol>,
    /// The function that is being disassembled.
    function: std::ops::Range<u64>,
}

impl SymbolResolver for Names {
    fn symbol(
        &mut self,
        _instruction: &Instruction,
        _operand: u32,
        _instruction_operand: Option<u32>,
        address: u64,
        _address_size: u32,
    ) -> Option<SymbolResult<'_>> {
        if self.function.contains(&address) {
            return Some(SymbolResult::with_string(address, format!("+{:x}", address - self.function.start)));
        }
        let symbol = self.symbols.iter().find(|symbol| {
            // Those without a size are one address.
            (symbol.address..symbol.address + symbol.size.max(1)).contains(&address)
        })?;
        // The formatter adds how far the address is from there.
        Some(SymbolResult::with_string(symbol.address, short(&symbol.name).to_owned()))
    }
}

/// A name without its path.
pub(super) fn short(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        let instructions = Decoder::with_ip(64, bytes, 0x100, DecoderOptions::NONE).into_iter();
        let line = |instruction: Instruction| Line {
            address: instruction.ip(),
            offset: instruction.ip() - 0x100,
            instruction,
            text: String::new(),
        };
        instructions.map(line).collect()
    }

    #[test]
    fn calls_and_jumps_lead_outside_and_jumps_inside_do_not() {
        // je 100; je 200; call 300; jmp rax; jmp 105; ret
        let code = [
            &[0x74, 0xfe][..],
            &[0x0f, 0x84, 0xf8, 0, 0, 0],
            &[0xe8, 0xf3, 0x01, 0, 0],
            &[0xff, 0xe0],
            &[0xeb, 0xf4],
            &[0xc3],
        ];
        assert_eq!(targets(&lines(&code.concat())), [0x300, 0x200, 0, 0x105]);
    }
}
