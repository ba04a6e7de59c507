//! Comments and security labels.
//!
//! Responsible for reading all of them at once, and for giving them to the objects that they are about.
//! What no object is found for belongs to an extension or to the system, and `pg_dump` leaves it out too.
//! Third floor.

use std::collections::HashMap;

use tokio_postgres::{Error, SimpleQueryMessage};

use super::row::Draft;

/// Where the server keeps what is said about an object: catalog, object, and column for parts of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) catalog: String,
    pub(super) oid: i64,
    pub(super) part: i64,
}

/// Comments on what was made later, and on the schema `public`, which has the same number everywhere. `pg_dump` forgets those on
/// a partition's inherited checks.
pub(super) const COMMENTS: &str = "SELECT classoid::regclass::text AS catalog, objoid AS oid, objsubid AS subid, description AS said
    FROM pg_description WHERE (objoid >= 16384 OR objoid = 2200)
        AND NOT (classoid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint AS k
            WHERE k.oid = objoid AND k.contype = 'c' AND k.conrelid <> 0 AND NOT k.conislocal))";

/// Security labels.
pub(super) const LABELS: &str =
    "SELECT classoid::regclass::text AS catalog, objoid AS oid, objsubid AS subid,
    quote_ident(provider) || ' ' || quote_literal(label) AS said
    FROM pg_seclabel ORDER BY provider COLLATE \"C\"";

/// What is said about objects, by their addresses.
#[derive(Default)]
pub(super) struct Sayings {
    by_address: HashMap<Address, String>,
}

impl Sayings {
    /// The rows of [`COMMENTS`] or [`LABELS`].
    pub(super) fn of(messages: &[SimpleQueryMessage]) -> Result<Self, Error> {
        let mut sayings = Self::default();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let number = |name: &str| -> Result<i64, Error> {
                    Ok(row
                        .try_get(name)?
                        .and_then(|value| value.parse().ok())
                        .unwrap_or_default())
                };
                let address = Address {
                    catalog: row.try_get("catalog")?.unwrap_or_default().to_owned(),
                    oid: number("oid")?,
                    part: number("subid")?,
                };
                let said = row.try_get("said")?.unwrap_or_default();
                sayings
                    .by_address
                    .entry(address)
                    .and_modify(|known: &mut String| *known = format!("{known}; {said}"))
                    .or_insert_with(|| said.to_owned());
            }
        }
        Ok(sayings)
    }

    /// What is said at an address.
    pub(super) fn at(&self, address: &Address) -> Option<&String> {
        self.by_address.get(address)
    }

    /// Gives each object what is said about it, as the attribute `name`.
    pub(super) fn attach(&self, drafts: &mut [Draft], name: &'static str) {
        for draft in drafts {
            if let Some(said) = self.at(&draft.address) {
                draft.object.attributes.insert(name, said.clone());
            }
        }
    }
}
