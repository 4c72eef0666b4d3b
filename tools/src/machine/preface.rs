//! What firmware writes to the serial port before the kernel does: nobody asked for it.

/// How the first line of a kernel begins: with its banner or panic screen, or with the number of its tests.
const FIRST_LINES: [&[u8]; 2] = [b"FlatMk ", b"running "];

/// Holds output back until the kernel's first line.
#[derive(Debug)]
pub(super) struct Preface(Option<Vec<u8>>);

impl Preface {
    /// All output is shown.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// There is output to hold back.
    pub(super) fn expected() -> Self {
        Self(Some(Vec::new()))
    }

    /// Takes new output and returns what there is to show now.
    pub(super) fn pass(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(held) = &mut self.0 else {
            return bytes;
        };
        held.extend(bytes);
        let starts_here = |rest: &[u8]| FIRST_LINES.iter().any(|first| rest.starts_with(first));
        let line_starts = (0..held.len()).filter(|&start| start == 0 || held.get(start - 1) == Some(&b'\n'));
        match line_starts.into_iter().find(|&start| held.get(start..).is_some_and(starts_here)) {
            Some(start) => self.0.take().unwrap_or_default().split_off(start),
            None => Vec::new(),
        }
    }

    /// What was held back of a run that ended before the kernel's first line: it may say why.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        self.0.take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_shown_from_the_kernels_first_line_on() {
        let mut preface = Preface::expected();
        assert_eq!(preface.pass(b"\x1b[2JBdsDxe: loading FlatMk \r\nFla".to_vec()), b"");
        assert_eq!(preface.pass(b"tMk 0.1\n".to_vec()), b"FlatMk 0.1\n");
        assert_eq!(preface.pass(b"more\n".to_vec()), b"more\n");
        assert_eq!(preface.rest(), b"");
    }

    #[test]
    fn what_there_was_is_shown_if_there_is_no_kernel() {
        let mut preface = Preface::expected();
        assert_eq!(preface.pass(b"no disk\n".to_vec()), b"");
        assert_eq!(preface.rest(), b"no disk\n");
    }

    #[test]
    fn nothing_is_held_back_where_nothing_is_expected() {
        assert_eq!(Preface::none().pass(b"> ".to_vec()), b"> ");
    }
}
