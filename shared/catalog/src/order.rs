//! The sort order of objects: by schema, then by table, and a table before its parts.

use std::collections::BTreeMap;

use crate::kind::Kind;
use crate::object::{Object, ObjectId};

/// A sort key: schemas and extensions first, then objects in schemas, then all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortKey {
    group: u8,
    schema: Option<String>,
    path: Vec<(Kind, i32, String)>,
}

impl SortKey {
    /// The sort key of an object; its parents are looked up in `objects`.
    pub(crate) fn of(object: &Object, objects: &BTreeMap<ObjectId, &Object>) -> Self {
        let mut path = Vec::new();
        let mut root = object;
        let mut next = Some(object);
        // Owned sequences lead to a table, so the path is short; the limit guards against a cycle of names.
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
        let group = match root.kind {
            Kind::Schema | Kind::Extension => 0,
            _ if root.schema.is_some() => 1,
            _ => 2,
        };
        Self {
            group,
            schema: root.schema.clone(),
            path,
        }
    }
}
