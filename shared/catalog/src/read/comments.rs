//! Comments and security labels.
//!
//! Reads all of them at once and attaches them to their objects. Those without a matching object belong to an extension
//! or to the system, and `pg_dump` omits them too.

use std::collections::HashMap;

use tokio_postgres::{Error, SimpleQueryMessage};

use super::row::Draft;

/// The address of an annotated object: catalog, object, and column number for part of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) catalog: String,
    pub(super) oid: i64,
    pub(super) part: i64,
}

/// Comments on user objects and on the schema `public`, whose OID is the same everywhere. `pg_dump` drops the comments on
/// a partition's inherited checks.
pub(super) const COMMENTS: &str = "SELECT classoid::regclass::text AS catalog, objoid AS oid, objsubid AS subid, description AS said
    FROM pg_description WHERE (objoid >= 16384 OR objoid = 2200)
        AND NOT (classoid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint AS k
            WHERE k.oid = objoid AND k.contype = 'c' AND k.conrelid <> 0 AND NOT k.conislocal))";

pub(super) const LABELS: &str =
    "SELECT classoid::regclass::text AS catalog, objoid AS oid, objsubid AS subid,
    quote_ident(provider) || ' ' || quote_literal(label) AS said
    FROM pg_seclabel ORDER BY provider COLLATE \"C\"";

/// Comments or labels by object address.
#[derive(Default)]
pub(super) struct Annotations {
    by_address: HashMap<Address, String>,
}

impl Annotations {
    /// Reads the rows of [`COMMENTS`] or [`LABELS`].
    pub(super) fn of(messages: &[SimpleQueryMessage]) -> Result<Self, Error> {
        let mut annotations = Self::default();
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
                let text = row.try_get("said")?.unwrap_or_default();
                annotations
                    .by_address
                    .entry(address)
                    .and_modify(|known: &mut String| *known = format!("{known}; {text}"))
                    .or_insert_with(|| text.to_owned());
            }
        }
        Ok(annotations)
    }

    /// The comment or label at an address.
    pub(super) fn at(&self, address: &Address) -> Option<&String> {
        self.by_address.get(address)
    }

    /// Attaches the comment or label of each object as the attribute `name`.
    pub(super) fn attach(&self, drafts: &mut [Draft], name: &'static str) {
        for draft in drafts {
            if let Some(text) = self.at(&draft.address) {
                draft.object.attributes.insert(name, text.clone());
            }
        }
    }
}
