//! Roles: who owns, who grants, who may.
//!
//! Responsible for the three ways in which a role is mentioned. Not for what the role may do (`privileges`).
//! Ground floor: knows only identifiers.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::identifier::quote;

/// A role as a schema mentions it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The role that the schema belongs to, whatever its name is in this database; see
    /// [`Snapshot::with_home_roles`](crate::Snapshot::with_home_roles).
    Home,
    /// Everyone.
    Public,
    /// A role by its name.
    Named(String),
}

impl Role {
    /// The role of this name; the empty name, as in an access list, is everyone.
    pub(crate) fn named(name: &str) -> Self {
        if name.is_empty() {
            Self::Public
        } else {
            Self::Named(name.to_owned())
        }
    }

    /// `Home` in place of one of `roles`.
    pub(crate) fn at_home(self, roles: &[&str]) -> Self {
        match self {
            Self::Named(name) if roles.contains(&name.as_str()) => Self::Home,
            other => other,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Home => f.write_str("<owner>"),
            Self::Public => f.write_str("PUBLIC"),
            Self::Named(name) => f.write_str(&quote(name)),
        }
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
