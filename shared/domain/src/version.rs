//! The version of a migration.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of a migration within its service: by convention milliseconds since 1970 (`int8`).
///
/// Versions order the migrations of one service. They are not unique across services.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Version(i64);

impl Version {
    /// Wraps a number as a version.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number in the history table.
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

    /// Accepts `1753250000000`, and `V1753250000000` as copied from a file name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('V').unwrap_or(text);
        match digits.parse::<i64>() {
            Ok(number) if number >= 0 => Ok(Self(number)),
            _ => Err(format!(
                "invalid version `{text}`: use the number from the file name, such as 1753250000000"
            )),
        }
    }
}
