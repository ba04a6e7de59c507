//! The version of a migration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number that orders the migrations of one service: milliseconds since 1970 by convention (`int8`).
///
/// A version is unique within a service only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(i64);

impl Version {
    /// A version from its number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as the history table stores it.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Version {
    type Err = String;

    /// Accepts `1753250000000` and, as people copy it from a file name, `V1753250000000`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('V').unwrap_or(text);
        match digits.parse::<i64>() {
            Ok(number) if number >= 0 => Ok(Self(number)),
            _ => Err(format!(
                "`{text}` is not a version: give the number from the file name, as in 1753250000000"
            )),
        }
    }
}
