//! A migration: one file that changes a schema, and the file that undoes it.

use std::sync::Arc;

use super::{Checksum, Direction, Directives, Version};

/// The text of one SQL file and its directives.
#[derive(Clone, Debug)]
pub struct Script {
    /// The path of the file in messages: `services/policy/migrations/V1__x.sql`.
    pub path: String,
    /// The unchanged text of the file.
    pub text: Arc<str>,
    /// The directives in its leading comments.
    pub directives: Directives,
}

/// One migration of a service.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The version in its file name.
    pub version: Version,
    /// The part between `__` and `.sql` in its file name.
    pub name: String,
    /// refinery's checksum of the file.
    pub checksum: Checksum,
    /// The file that applies it.
    pub script: Script,
    /// The file that undoes it.
    pub revert: Option<Script>,
}

impl Migration {
    /// Whether it has a revert file and is not marked irreversible.
    pub fn is_reversible(&self) -> bool {
        self.revert.is_some() && self.script.directives.irreversible.is_none()
    }

    /// The file for one direction; the migration itself if it has no revert file.
    pub fn script(&self, direction: Direction) -> &Script {
        match direction {
            Direction::Up => &self.script,
            Direction::Down => self.revert.as_ref().unwrap_or(&self.script),
        }
    }
}
