//! What a check or a rehearsal holds against a migration.

use std::fmt;

use serde::Serialize;

use super::{SchemaDifference, ServiceName, Version};

/// How grave a finding is. The order is that of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; never leads to an exit code.
    Warning,
    /// Must be mended or allowed: exit code 4.
    Error,
}

impl Severity {
    /// The word of JSON and of the configuration.
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

/// Where in a file: lines and columns count from 1, columns in characters; the end is the place behind the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The first line.
    pub line: u32,
    /// The first character in it.
    pub column: u32,
    /// The last line.
    pub end_line: u32,
    /// The place behind the last character in it.
    pub end_column: u32,
}

/// One thing that a rule holds against a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The slug of the rule, which has a page in `docs/rules/`.
    pub rule: String,
    /// How grave it is here: a configuration may say otherwise than the rule.
    pub severity: Severity,
    /// The service.
    pub service: ServiceName,
    /// The migration; `None` where it is about the service as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The file.
    pub file: String,
    /// Where in the file; `None` where it is about the whole file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The reason, one sentence.
    pub message: String,
    /// The safe form, as SQL or as words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_form: Option<String>,
    /// The objects that differ, where that is what was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<SchemaDifference>,
    /// Why the migration allows it: then it counts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
}

impl Finding {
    /// Whether it leads to exit code 4.
    pub fn counts(&self) -> bool {
        self.severity == Severity::Error && self.allowed.is_none()
    }
}
