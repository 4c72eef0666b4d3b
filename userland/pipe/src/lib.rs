//! Pipes: circular buffers in shared memory, through which two tasks exchange data without the kernel.
//!
//! A pipe has two ends, a producer and a consumer, and three pieces of memory that both map: the producer's page, which only it writes; the
//! consumer's page, which only that writes; and the data, which only the producer writes, mapped twice in a row so that nothing that is
//! written ever wraps. The same code runs in tasks of FlatMk, between threads and between processes of a host; what differs is where
//! the memory comes from, and how an end that can not go on sleeps and is woken: a [`Bell`].
//!
//! What is exchanged: items of a plain type, one by one or in slices ([`Producer`], [`Consumer`]); or frames, messages of bytes
//! ([`FrameProducer`], [`FrameConsumer`]). Programs for items one by one can be written for any [`Sink`] and [`Source`],
//! programs for bytes for any [`ByteSink`] and [`ByteSource`].
//!
//! # Trust
//!
//! An end trusts nothing that it reads. Its own position and the size of the buffer are in its private memory. The position of the other end is
//! checked each time it is read, and lengths are read once, checked, and used from private memory. A position that cannot be is [`Error::Corrupt`]
//! from then on. So whatever the other end writes, this one stays within the buffer, and takes as its worst nonsense for data: items are
//! of types for which all bytes are valid.
//!
//! One thing is not by the letter. A producer that is not honest may write an item while it is copied out of the buffer. Such a race is undefined behaviour in
//! Rust's memory model, whatever the type of the item. Only atomic copies would be without it, word by word: they take a load and a store for each, where a slice
//! is now copied by whole vectors, and so several times as many instructions. The library relies on the compiler instead, which takes a volatile access, or a
//! copy of plain bytes between memory that it knows nothing of, as it stands. What comes out is then a mixture of old bytes and new ones, no worse than other nonsense.
//!
//! What the other end can do is not go on. It can also cause one needless ring of the bell for each thing that is published.
#![no_std]
#![warn(missing_docs)]

mod bell;
mod consumer;
mod error;
mod frames;
mod interface;
mod item;
mod memory;
mod producer;
mod reader;
mod writer;

pub use bell::{Bell, NoBell, Peer};
pub use consumer::{Consumer, Filled};
pub use error::Error;
pub use frames::{FrameConsumer, FrameProducer, HEADER_BYTES};
pub use interface::{ByteSink, ByteSource, Sink, Source};
pub use item::Item;
pub use memory::{EndPage, Memory, SizeError};
pub use producer::{Producer, Reserved};

/// The atomic operations of the protocol. The model checker has its own.
mod atomic {
    pub(crate) use core::sync::atomic::{AtomicU32, Ordering, fence};
}

/// Mistakes that the model checker must find, when they are made on purpose. Here nobody makes them.
mod planted {
    pub(crate) const RELAXED_PUBLISH: bool = false;
    pub(crate) const RELAXED_LOOK: bool = false;
    pub(crate) const MISSING_FENCE: bool = false;
    pub(crate) const MISSING_RECHECK: bool = false;
    pub(crate) const LATE_NOTE: bool = false;
    pub(crate) const LOST_CLOSE: bool = false;
    pub(crate) const CLOSE_BEFORE_DRAIN: bool = false;
    pub(crate) const REUSE_BEFORE_READ: bool = false;
}
