//! A migration: one file that changes a schema, and the file that undoes it.

use std::sync::Arc;

use super::{Checksum, Directives, Version};

/// The text of one SQL file with what its directives say.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file as people should see it named: `services/policy/migrations/V1__x.sql`.
    pub path: String,
    /// The text, as it is in the file.
    pub text: Arc<str>,
    /// What its leading comments ask for.
    pub directives: Directives,
}

/// One migration of a service.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Its number.
    pub version: Version,
    /// What stands between `__` and `.sql` in its file name.
    pub name: String,
    /// refinery's checksum of the file.
    pub checksum: Checksum,
    /// The file.
    pub script: Script,
    /// The file that undoes it.
    pub revert: Option<Script>,
}

impl Migration {
    /// Whether there is a revert file to undo it with.
    pub fn is_reversible(&self) -> bool {
        self.revert.is_some() && self.script.directives.irreversible.is_none()
    }
}
