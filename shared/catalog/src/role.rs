//! Roles as a schema refers to them.

use pg_sql::quote_identifier;
use std::fmt;

use serde::{Serialize, Serializer};

/// A role that a schema refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The role that owns the schema, whatever its name in this database; see
    /// [`Snapshot::with_home_roles`](crate::Snapshot::with_home_roles).
    Home,
    /// `PUBLIC`.
    Public,
    /// A role identified by name.
    Named(String),
}

impl Role {
    /// The role with this name; the empty name means `PUBLIC`, as in an access list.
    pub(crate) fn named(name: &str) -> Self {
        if name.is_empty() {
            Self::Public
        } else {
            Self::Named(name.to_owned())
        }
    }

    /// Replaces one of `roles` with `Home`.
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
            Self::Named(name) => f.write_str(&quote_identifier(name)),
        }
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
