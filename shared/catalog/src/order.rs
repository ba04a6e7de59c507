//! The order in which people look for objects: by schema, then by table, then the table itself before its
//! parts.
//!
//! Responsible for the sort key alone.
//! Second floor: on objects.

use std::collections::BTreeMap;

use crate::kind::Kind;
use crate::object::{Object, ObjectId};

/// Sorts schemas and extensions first, then what lies in schemas, then what lies in none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    floor: u8,
    schema: Option<String>,
    path: Vec<(Kind, i32, String)>,
}

impl Place {
    /// The place of an object among `objects`, in which its parents are looked up.
    pub(crate) fn of(object: &Object, objects: &BTreeMap<ObjectId, &Object>) -> Self {
        let mut path = Vec::new();
        let mut root = object;
        let mut next = Some(object);
        // Owned sequences end at a table, so the way up is short; the limit holds against a cycle of names.
        while let Some(part) = next.filter(|_| path.len() < 8) {
            root = part;
            path.push((
                part.kind,
                part.position.unwrap_or_default(),
                part.name.clone(),
            ));
            next = part
                .parent
                .as_ref()
                .and_then(|parent| objects.get(parent).copied());
        }
        path.reverse();
        let floor = match root.kind {
            Kind::Schema | Kind::Extension => 0,
            _ if root.schema.is_some() => 1,
            _ => 2,
        };
        Self {
            floor,
            schema: root.schema.clone(),
            path,
        }
    }
}
