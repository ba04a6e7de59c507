//! A finding of a check or a rehearsal.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{SchemaDifference, ServiceName, Version};

/// The severity of a finding, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Does not affect the exit code.
    Warning,
    /// Must be fixed or allowed: exit code 4.
    Error,
}

impl Severity {
    /// The name in JSON and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A range in a file. Lines and columns count from 1, columns in characters; the end is after the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Place {
    /// The first line.
    pub line: u32,
    /// The first column in the first line.
    pub column: u32,
    /// The last line.
    pub end_line: u32,
    /// The column after the last character in the last line.
    pub end_column: u32,
}

/// One finding of a rule about a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The slug of the rule, which has a page in `docs/rules/`.
    pub rule: String,
    /// The severity, which the configuration can override.
    pub severity: Severity,
    pub service: ServiceName,
    /// The migration; `None` if the finding is about the service as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The path of the file.
    pub file: String,
    /// The range in the file; `None` if the finding is about the whole file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The reason, one sentence.
    pub message: String,
    /// The safe alternative, as SQL or as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_form: Option<String>,
    /// The objects that differ, if the finding is a schema difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<SchemaDifference>,
    /// The reason of the `allow` directive, if there is one: the finding then does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
}

impl Finding {
    /// Whether it leads to exit code 4.
    pub fn counts(&self) -> bool {
        self.severity == Severity::Error && self.allowed.is_none()
    }
}
