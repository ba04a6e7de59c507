//! The schema of a database at one point in time.
//!
//! Keeps the objects in order, looks them up, and removes some before a comparison.

use pg_sql::quote_identifier;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::identifier::qualified;
use crate::kind::Kind;
use crate::object::{Object, ObjectId};
use crate::role::Role;

/// Everything that `pg_dump --schema-only` reports about a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    server_version: u32,
    sees_secrets: bool,
    objects: Vec<Object>,
}

impl Snapshot {
    /// Sorts the objects. If several have the same name, which only happens after roles were renamed, merges their grants.
    pub(crate) fn new(
        server_version: u32,
        sees_secrets: bool,
        objects: impl IntoIterator<Item = Object>,
    ) -> Self {
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
            sees_secrets,
            objects: by_id.into_values().collect(),
        }
    }

    /// The server's `server_version_num`, such as 150018.
    pub fn server_version(&self) -> u32 {
        self.server_version
    }

    /// Whether a superuser read it. Only a superuser sees the options of every user mapping and the connection of a
    /// subscription. These are compared only if both snapshots include them.
    pub fn sees_secrets(&self) -> bool {
        self.sees_secrets
    }

    /// All objects, by kind and name.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// The object with this kind and name.
    pub fn object(&self, id: &ObjectId) -> Option<&Object> {
        self.objects
            .binary_search_by(|object| {
                (object.kind, object.name.as_str()).cmp(&(id.kind, id.name.as_str()))
            })
            .ok()
            .and_then(|at| self.objects.get(at))
    }

    /// The tables, including partitioned tables and partitions, but not foreign tables.
    pub fn tables(&self) -> impl Iterator<Item = &Object> {
        self.objects
            .iter()
            .filter(|object| object.kind == Kind::Table)
    }

    /// The names and types of a table's columns, in physical order. `schema` and `table` are unquoted.
    pub fn columns_of(&self, schema: &str, table: &str) -> impl Iterator<Item = (&str, &str)> {
        self.column_objects(&qualified(&[schema, table]))
            .into_iter()
            .filter_map(|column| Some((column.bare_name(), column.attribute("type")?)))
    }

    /// The columns of a table, given its qualified name, in physical order.
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

    /// The number of objects that each role owns.
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

    /// Whether it contains only what every new database has. Extensions do not count.
    pub fn is_empty(&self) -> bool {
        self.objects.iter().all(|object| {
            object.kind == Kind::Extension || (is_public(object) && object.attributes.is_empty())
        })
    }

    /// Removes a schema (unquoted name), everything in it, and everything that refers to it: default privileges and
    /// publication entries.
    pub fn without_schema(self, schema: &str) -> Self {
        let mut gone: BTreeSet<ObjectId> = self
            .objects
            .iter()
            .filter(|object| object.schema.as_deref() == Some(schema))
            .map(Object::id)
            .collect();
        gone.insert(ObjectId {
            kind: Kind::Schema,
            name: quote_identifier(schema),
        });
        self.without_all(gone)
    }

    /// Removes a schema (unquoted name) but keeps everything in it.
    pub fn without_schema_itself(mut self, schema: &str) -> Self {
        let name = quote_identifier(schema);
        self.objects
            .retain(|object| object.kind != Kind::Schema || object.name != name);
        self
    }

    /// Removes a table (unquoted names) and all its parts: columns, constraints, indexes, triggers, policies, owned
    /// sequences and publication entries.
    pub fn without_table(self, schema: &str, table: &str) -> Self {
        let name = qualified(&[schema, table]);
        let kinds = [Kind::Table, Kind::ForeignTable];
        self.without_all(
            kinds
                .map(|kind| ObjectId {
                    kind,
                    name: name.clone(),
                })
                .into(),
        )
    }

    /// Removes these objects, their parts, and the objects that refer to them.
    fn without_all(self, mut gone: BTreeSet<ObjectId>) -> Self {
        // By kind, the part of a part (a column's sequence) may sort before its parent.
        loop {
            let known = gone.len();
            for object in &self.objects {
                let goes =
                    |with: &Option<ObjectId>| with.as_ref().is_some_and(|with| gone.contains(with));
                if goes(&object.parent) || goes(&object.mentions) {
                    gone.insert(object.id());
                }
            }
            if gone.len() == known {
                break;
            }
        }
        self.without(|object| gone.contains(&object.id()))
    }

    /// Removes the objects that `drop` selects. It must also select their parts, which otherwise remain.
    pub fn without(mut self, drop: impl Fn(&Object) -> bool) -> Self {
        self.objects.retain(|object| !drop(object));
        self
    }

    /// Replaces each of `roles` with [`Role::Home`], printed as `<owner>`, wherever it owns an object, grants or receives
    /// a privilege, or appears in a policy, default privileges or a user mapping. This makes databases with
    /// different role names comparable.
    pub fn with_home_roles(self, roles: &[&str]) -> Self {
        let Self {
            server_version,
            sees_secrets,
            objects,
        } = self;
        Self::new(
            server_version,
            sees_secrets,
            objects
                .into_iter()
                .map(|object| object.with_home_roles(roles)),
        )
    }
}

/// Whether it is the schema `public`.
fn is_public(object: &Object) -> bool {
    object.kind == Kind::Schema && object.name == "public"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Snapshot;
    use crate::kind::Kind;
    use crate::object::{Object, ObjectId, RoleFacts};
    use crate::privileges::relative;
    use crate::role::Role;

    fn object(kind: Kind, name: &str, parent: Option<(Kind, &str)>) -> Object {
        let mut object = Object {
            kind,
            schema: name.split_once('.').map(|(schema, _)| schema.to_owned()),
            name: name.to_owned(),
            parent: parent.map(|(kind, name)| ObjectId {
                kind,
                name: name.to_owned(),
            }),
            attributes: BTreeMap::new(),
            bare_name: name.rsplit('.').next().unwrap_or_default().to_owned(),
            position: None,
            mentions: None,
            roles: RoleFacts {
                owner: Some(Role::named("alice")),
                ..RoleFacts::default()
            },
        };
        object.roles.possessor = object.roles.owner.clone();
        object.spell_roles();
        object
    }

    fn published(table: &str) -> Object {
        let mut object = object(
            Kind::PublicationTable,
            "t in p",
            Some((Kind::Publication, "p")),
        );
        object.mentions = Some(ObjectId {
            kind: Kind::Table,
            name: table.to_owned(),
        });
        object
    }

    fn names(snapshot: &Snapshot) -> Vec<&str> {
        snapshot
            .objects()
            .map(|object| object.name.as_str())
            .collect()
    }

    #[test]
    fn removing_a_table_removes_parts_of_parts_and_publication_entries() {
        let snapshot = Snapshot::new(
            150_000,
            true,
            vec![
                object(Kind::Table, "s.t", None),
                object(Kind::Table, "s.other", None),
                object(Kind::Column, "s.t.id", Some((Kind::Table, "s.t"))),
                object(Kind::Sequence, "s.t_id_seq", Some((Kind::Column, "s.t.id"))),
                object(Kind::Publication, "p", None),
                published("s.t"),
            ],
        );
        assert_eq!(names(&snapshot.without_table("s", "t")), ["s.other", "p"]);
    }

    #[test]
    fn removing_a_schema_removes_its_contents_and_references() {
        let snapshot = Snapshot::new(
            150_000,
            true,
            vec![
                object(Kind::Schema, "s", None),
                object(Kind::Table, "s.t", None),
                object(Kind::Table, "ss.t", None),
                object(Kind::Publication, "p", None),
                published("s.t"),
            ],
        );
        assert_eq!(names(&snapshot.without_schema("s")), ["ss.t", "p"]);
    }

    #[test]
    fn only_public_and_extensions_count_as_empty() {
        let mut public = object(Kind::Schema, "public", None);
        public.attributes.clear();
        let extension = object(Kind::Extension, "citext", None);
        assert!(Snapshot::new(150_000, true, vec![public.clone(), extension]).is_empty());
        public.attributes.insert("comment", "ours".to_owned());
        assert!(!Snapshot::new(150_000, true, vec![public]).is_empty());
    }

    #[test]
    fn home_roles_merge_owners_and_drop_their_own_grants() {
        let mut table = object(Kind::Table, "s.t", None);
        table.roles.grants = relative(
            "alice=r/alice\nbob=r/alice\ncarol=r/bob",
            "",
            'r',
            Some(&Role::named("alice")),
        );
        table.spell_roles();
        let snapshot = Snapshot::new(150_000, true, vec![table]);
        assert_eq!(snapshot.owners().get("alice"), Some(&1));
        let home = snapshot.with_home_roles(&["alice", "bob"]);
        let table = home
            .tables()
            .next()
            .map(|table| table.attributes.clone())
            .unwrap_or_default();
        assert_eq!(table.get("owner").map(String::as_str), Some("<owner>"));
        assert_eq!(
            table.get("grants").map(String::as_str),
            Some("GRANT SELECT TO carol")
        );
    }
}
