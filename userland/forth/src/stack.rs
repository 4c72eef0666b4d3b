//! A stack of so many values.

use crate::Error;

pub(crate) struct Stack<T, const MOST: usize> {
    values: [T; MOST],
    depth: usize,
}

impl<T: Copy, const MOST: usize> Stack<T, MOST> {
    /// An empty one. The value means nothing.
    pub(crate) const fn new(value: T) -> Self {
        Self { values: [value; MOST], depth: 0 }
    }

    pub(crate) fn push(&mut self, value: T) -> Result<(), Error> {
        *self.values.get_mut(self.depth).ok_or(Error::StackFull)? = value;
        self.depth += 1;
        Ok(())
    }

    pub(crate) fn push_all(&mut self, values: &[T]) -> Result<(), Error> {
        values.iter().try_for_each(|value| self.push(*value))
    }

    pub(crate) fn pop(&mut self) -> Result<T, Error> {
        let value = self.top().ok_or(Error::StackEmpty)?;
        self.depth -= 1;
        Ok(value)
    }

    pub(crate) fn top(&self) -> Option<T> {
        self.values.get(self.depth.checked_sub(1)?).copied()
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn clear(&mut self) {
        self.depth = 0;
    }
}
