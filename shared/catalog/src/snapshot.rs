//! The schema of one database at one moment.
//!
//! Responsible for holding the objects in order, for looking into them and for taking some away before comparing. Not for
//! reading (`read`) and not for telling differences (`compare`).
//! Second floor: on objects.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::identifier::{qualified, quote};
use crate::kind::Kind;
use crate::object::{Object, ObjectId};
use crate::role::Role;

/// Everything that `pg_dump --schema-only` knows of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    server_version: u32,
    objects: Vec<Object>,
}

impl Snapshot {
    /// The objects, put into order; of several with one name, which only renamed roles can make, the grants are united.
    pub(crate) fn new(server_version: u32, objects: impl IntoIterator<Item = Object>) -> Self {
        let mut by_id: BTreeMap<ObjectId, Object> = BTreeMap::new();
        for object in objects {
            match by_id.get_mut(&object.id()) {
                Some(known) => {
                    known.roles.grants.extend(object.roles.grants);
                    known.spell_roles();
                }
                None => {
                    by_id.insert(object.id(), object);
                }
            }
        }
        Self {
            server_version,
            objects: by_id.into_values().collect(),
        }
    }

    /// The server's `server_version_num`, such as 150018.
    pub fn server_version(&self) -> u32 {
        self.server_version
    }

    /// All objects, by kind and name.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// The object of this kind and name.
    pub fn object(&self, id: &ObjectId) -> Option<&Object> {
        self.objects
            .binary_search_by(|object| {
                (object.kind, object.name.as_str()).cmp(&(id.kind, id.name.as_str()))
            })
            .ok()
            .and_then(|at| self.objects.get(at))
    }

    /// The tables, partitioned ones and partitions included; not foreign tables.
    pub fn tables(&self) -> impl Iterator<Item = &Object> {
        self.objects
            .iter()
            .filter(|object| object.kind == Kind::Table)
    }

    /// Names and types of a table's columns, in physical order. Both names are unquoted.
    pub fn columns_of(&self, schema: &str, table: &str) -> impl Iterator<Item = (&str, &str)> {
        self.column_objects(&qualified(&[schema, table]))
            .into_iter()
            .filter_map(|column| Some((column.bare_name(), column.attribute("type")?)))
    }

    /// The columns of a table by its qualified name, in physical order.
    pub(crate) fn column_objects(&self, table: &str) -> Vec<&Object> {
        let prefix = format!("{table}.");
        let from = self.objects.partition_point(|object| {
            (object.kind, object.name.as_str()) < (Kind::Column, prefix.as_str())
        });
        let mut columns: Vec<&Object> = self
            .objects
            .iter()
            .skip(from)
            .take_while(|object| object.kind == Kind::Column && object.name.starts_with(&prefix))
            .filter(|object| {
                object
                    .parent
                    .as_ref()
                    .is_some_and(|parent| parent.name == table)
            })
            .collect();
        columns.sort_by_key(|column| column.position);
        columns
    }

    /// Who owns how many objects, by the names of the roles.
    pub fn owners(&self) -> BTreeMap<String, usize> {
        let mut owners = BTreeMap::new();
        for owner in self.objects.iter().filter_map(Object::owner) {
            let name = match owner {
                Role::Named(name) => name.clone(),
                other => other.to_string(),
            };
            *owners.entry(name).or_default() += 1;
        }
        owners
    }

    /// Whether it holds nothing but what every new database has. Extensions do not count.
    pub fn is_empty(&self) -> bool {
        self.objects.iter().all(|object| {
            object.kind == Kind::Extension || (is_public(object) && object.attributes.is_empty())
        })
    }

    /// The same without a schema (its name unquoted) and everything in it, or about it.
    pub fn without_schema(self, schema: &str) -> Self {
        let id = ObjectId {
            kind: Kind::Schema,
            name: quote(schema),
        };
        self.without(|object| {
            object.schema.as_deref() == Some(schema)
                || object.id() == id
                || object.mentions.as_ref() == Some(&id)
        })
    }

    /// The same without a table (both names unquoted) and everything that is part of it: columns, constraints, indexes,
    /// triggers, policies, sequences that it owns, its place in publications.
    pub fn without_table(self, schema: &str, table: &str) -> Self {
        let name = qualified(&[schema, table]);
        let mut gone: BTreeSet<ObjectId> = [Kind::Table, Kind::ForeignTable]
            .map(|kind| ObjectId {
                kind,
                name: name.clone(),
            })
            .into();
        // A part of a part (a column's sequence) may come before its parent in the order of kinds.
        loop {
            let known = gone.len();
            for object in &self.objects {
                let belongs =
                    |to: &Option<ObjectId>| to.as_ref().is_some_and(|to| gone.contains(to));
                if belongs(&object.parent) || belongs(&object.mentions) {
                    gone.insert(object.id());
                }
            }
            if gone.len() == known {
                break;
            }
        }
        self.without(|object| gone.contains(&object.id()))
    }

    /// The same without the objects that `drop` picks. Parts of what is dropped stay: pick them too.
    pub fn without(mut self, drop: impl Fn(&Object) -> bool) -> Self {
        self.objects.retain(|object| !drop(object));
        self
    }

    /// The same with [`Role::Home`], shown as `<owner>`, wherever one of `roles` owns, grants, is granted to, or is named by a policy,
    /// by default privileges or by a user mapping: databases with other role names become comparable.
    pub fn with_home_roles(self, roles: &[&str]) -> Self {
        let Self {
            server_version,
            objects,
        } = self;
        Self::new(
            server_version,
            objects
                .into_iter()
                .map(|object| object.with_home_roles(roles)),
        )
    }
}

/// Whether it is the schema that every new database has.
fn is_public(object: &Object) -> bool {
    object.kind == Kind::Schema && object.name == "public"
}
