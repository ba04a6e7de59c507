//! The checksum of a migration file.

use std::fmt;

/// refinery's checksum in its history table: SipHash 1-3 of name, version and bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checksum(u64);

impl Checksum {
    /// Wraps a number as a checksum.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Parses a checksum of the history table; `None` if the text is not a refinery checksum.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
