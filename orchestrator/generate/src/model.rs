//! The schema of one database as entries with their dependencies.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pg_sql::quote_identifier as quote;

use crate::archive::Entry;
use crate::facts::{Check, Column, Dependency, Domain, Facts, Relation, Signature};

/// What identifies an object on both sides: its kind, schema, and tag.
pub(crate) type Key = (String, String, String);

/// A dependency between two entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The column of `to`, or 0.
    pub(crate) to_column: i32,
    /// Whether the server drops `from` together with `to`.
    pub(crate) is_part: bool,
}

/// The schema of one database.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// In an order in which they can be created.
    pub(crate) entries: Vec<Entry>,
    pub(crate) edges: Vec<Edge>,
    keys: HashMap<Key, usize>,
    places: HashMap<(i64, i64), usize>,
    relations: HashMap<(String, String), Relation>,
    checks: Vec<Check>,
    enums: HashMap<i64, Vec<String>>,
    domains: HashMap<i64, Domain>,
    signatures: HashMap<i64, Signature>,
    dependencies: Vec<Dependency>,
    casts: BTreeSet<(String, String)>,
}

/// The OIDs of the catalogs `pg_class`, `pg_attrdef`, and `pg_constraint`, the same on every server.
const CLASS: i64 = 1259;
const ATTRDEF: i64 = 2604;
const CONSTRAINT: i64 = 2606;

impl Model {
    pub(crate) fn new(entries: Vec<Entry>, facts: Facts) -> Self {
        let relations = facts
            .relations
            .into_iter()
            .map(|it| ((it.schema.clone(), it.bare_name.clone()), it))
            .collect();
        let mut model = Self {
            // The comment of an extension comes with the extension.
            entries: entries
                .into_iter()
                .filter(|it| !(it.kind == "COMMENT" && it.tag.starts_with("EXTENSION ")))
                .collect(),
            edges: Vec::new(),
            keys: HashMap::new(),
            places: HashMap::new(),
            relations,
            checks: facts.checks,
            enums: facts.enums.into_iter().collect(),
            domains: facts.domains.into_iter().collect(),
            signatures: facts.signatures.into_iter().collect(),
            dependencies: facts.dependencies,
            casts: facts.casts.into_iter().collect(),
        };
        model.index();
        model
    }

    fn index(&mut self) {
        self.keys = (self.entries.iter().enumerate())
            .map(|(index, entry)| (key(entry), index))
            .collect();
        self.places = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.oid != 0 {
                self.places.entry((entry.class, entry.oid)).or_insert(index);
            }
        }
        let ids: BTreeMap<i64, usize> = (self.entries.iter().enumerate())
            .map(|(index, entry)| (entry.id, index))
            .collect();
        let mut edges: Vec<Edge> = Vec::new();
        for (from, entry) in self.entries.iter().enumerate() {
            let belongs = ["COMMENT", "ACL", "SECURITY LABEL", "ROW SECURITY"]
                .contains(&entry.kind.as_str())
                || entry.kind.ends_with("ATTACH")
                || entry.kind == "SEQUENCE OWNED BY";
            edges.extend(
                entry
                    .deps
                    .iter()
                    .filter_map(|id| ids.get(id))
                    .map(|to| Edge {
                        from,
                        to: *to,
                        to_column: 0,
                        is_part: belongs,
                    }),
            );
        }
        for dependency in &self.dependencies {
            if let (Some(from), Some(to)) = (
                self.places.get(&dependency.from),
                self.places.get(&dependency.to),
            ) && from != to
            {
                edges.push(Edge {
                    from: *from,
                    to: *to,
                    to_column: dependency.to_column,
                    is_part: dependency.is_part,
                });
            }
        }
        self.edges = edges;
    }

    /// Makes entries of the defaults and checks of the tables that `other` has too: these change one by one.
    pub(crate) fn separate(&mut self, other: &BTreeSet<Key>) {
        let mut next_id = self.entries.iter().map(|it| it.id).max().unwrap_or(0);
        let mut separated = Vec::new();
        let later: BTreeSet<(i64, i64)> = (self.entries.iter())
            .filter(|it| it.kind == "DEFAULT")
            .map(|it| (it.class, it.oid))
            .collect();
        let mut texts: HashMap<i64, (String, String)> = HashMap::new();
        let mut comments: HashMap<(String, String), i64> = HashMap::new();
        let entries = std::mem::take(&mut self.entries);
        let common: BTreeSet<(String, String)> = (entries.iter())
            .filter(|it| is_table(it) && other.contains(&key(it)))
            .map(|it| (it.schema.clone(), it.tag.clone()))
            .collect();
        for entry in entries {
            let Some(table) = self
                .relations
                .get(&(entry.schema.clone(), entry.tag.clone()))
                .filter(|it| {
                    is_table(&entry) && common.contains(&(it.schema.clone(), it.bare_name.clone()))
                })
            else {
                let is_checked = entry.kind == "CHECK CONSTRAINT"
                    && entry.class == CONSTRAINT
                    && self.checks.iter().any(|check| {
                        check.oid == entry.oid
                            && self.relations.values().any(|it| {
                                it.oid == check.relation
                                    && common.contains(&(it.schema.clone(), it.bare_name.clone()))
                            })
                    });
                if !is_checked {
                    separated.push(entry);
                }
                continue;
            };
            let parent = entry.id;
            separated.push(entry);
            let mut add = |kind: &str, tag: String, texts: (String, String), class, oid| {
                next_id += 1;
                Entry {
                    id: next_id,
                    kind: kind.to_owned(),
                    schema: table.schema.clone(),
                    tag,
                    create: texts.0,
                    drop: texts.1,
                    class,
                    oid,
                    deps: vec![parent],
                }
            };
            for column in table.columns.iter().filter(|it| it.generated.is_empty()) {
                let Some(default) = &column.default else {
                    continue;
                };
                let head = format!("ALTER TABLE {} ALTER COLUMN {}", table.name, column.name);
                let text = (
                    format!("{head} SET DEFAULT {default};"),
                    format!("{head} DROP DEFAULT;"),
                );
                if later.contains(&(ATTRDEF, column.default_oid)) {
                    texts.insert(column.default_oid, text);
                    continue;
                }
                let tag = format!("{} {}", table.bare_name, bare(&column.name));
                separated.push(add("DEFAULT", tag, text, ATTRDEF, column.default_oid));
            }
            for check in (self.checks.iter()).filter(|it| it.relation == table.oid && it.is_local) {
                let text = (
                    format!(
                        "ALTER TABLE {} ADD CONSTRAINT {} {};",
                        table.name, check.name, check.definition
                    ),
                    format!("ALTER TABLE {} DROP CONSTRAINT {};", table.name, check.name),
                );
                let tag = format!("{} {}", table.bare_name, check.bare_name);
                let entry = add("CHECK CONSTRAINT", tag, text, CONSTRAINT, check.oid);
                let comment = format!("CONSTRAINT {} ON {}", check.name, quote(&table.bare_name));
                comments.insert((table.schema.clone(), comment), entry.id);
                separated.push(entry);
            }
        }
        for entry in &mut separated {
            if entry.kind == "COMMENT" {
                entry
                    .deps
                    .extend(comments.get(&(entry.schema.clone(), entry.tag.clone())));
            }
            if let Some((create, drop)) =
                texts.remove(&entry.oid).filter(|_| entry.class == ATTRDEF)
            {
                (entry.create, entry.drop) = (create, drop);
            }
        }
        self.entries = separated;
        self.index();
    }

    /// The partitions that are attached differently on the two sides, by schema and name.
    pub(crate) fn moved_partitions(old: &Self, new: &Self) -> BTreeSet<(String, String)> {
        let attached = |model: &Self| -> BTreeSet<(String, String, String)> {
            (model.entries.iter())
                .filter(|it| it.kind == "TABLE ATTACH")
                .map(|it| (it.schema.clone(), it.tag.clone(), it.create.clone()))
                .collect()
        };
        attached(old)
            .symmetric_difference(&attached(new))
            .map(|(schema, tag, _)| (schema.clone(), tag.clone()))
            .collect()
    }

    /// Treats all columns of a table as its own.
    pub(crate) fn detach(&mut self, schema: &str, name: &str) {
        if let Some(table) = self
            .relations
            .get_mut(&(schema.to_owned(), name.to_owned()))
        {
            for column in &mut table.columns {
                column.is_local = true;
            }
        }
    }

    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        self.keys.keys().cloned().collect()
    }

    pub(crate) fn find(&self, key: &Key) -> Option<usize> {
        self.keys.get(key).copied()
    }

    pub(crate) fn relation(&self, entry: &Entry) -> Option<&Relation> {
        if entry.kind == "TYPE" {
            return self
                .relations
                .values()
                .find(|it| it.kind == "c" && it.type_oid == entry.oid);
        }
        self.relations
            .get(&(entry.schema.clone(), entry.tag.clone()))
    }

    /// The tables that are entries.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &Relation)> {
        (self.entries.iter().enumerate())
            .filter(|(_, entry)| is_table(entry))
            .filter_map(|(index, entry)| Some((index, self.relation(entry)?)))
    }

    /// Whether a schema exists. `public` has no entry.
    pub(crate) fn has_schema(&self, name: &str) -> bool {
        name == "public" || (self.entries.iter()).any(|it| it.kind == "SCHEMA" && it.tag == name)
    }

    /// Whether a table has a check of this name.
    pub(crate) fn has_check(&self, table: i64, name: &str) -> bool {
        (self.checks.iter()).any(|it| it.relation == table && it.bare_name == name)
    }

    /// The checks that a table has only from its parents.
    pub(crate) fn inherited_checks(&self, table: &Relation) -> impl Iterator<Item = &Check> {
        (self.checks.iter()).filter(|it| it.relation == table.oid && !it.is_local)
    }

    pub(crate) fn labels(&self, entry: &Entry) -> Option<&[String]> {
        self.enums.get(&entry.oid).map(Vec::as_slice)
    }

    pub(crate) fn domain(&self, entry: &Entry) -> Option<&Domain> {
        self.domains.get(&entry.oid)
    }

    pub(crate) fn checks_of_domain(&self, entry: &Entry) -> BTreeMap<&str, &str> {
        (self.checks.iter())
            .filter(|it| it.domain == entry.oid && entry.oid != 0)
            .map(|it| (it.name.as_str(), it.definition.as_str()))
            .collect()
    }

    pub(crate) fn signature(&self, entry: &Entry) -> Option<&Signature> {
        self.signatures.get(&entry.oid)
    }

    /// The entry of a type.
    pub(crate) fn type_entry(&self, oid: i64) -> Option<usize> {
        const TYPE: i64 = 1247;
        self.places.get(&(TYPE, oid)).copied()
    }

    /// Whether a table has a column of a type or of its array.
    pub(crate) fn is_in_use(&self, type_oid: i64) -> bool {
        self.has_column(|it| it.type_oid == type_oid)
    }

    /// Whether a table has a column of the array of a type.
    pub(crate) fn is_array_in_use(&self, type_oid: i64) -> bool {
        self.has_column(|it| it.type_oid == type_oid && it.type_name.ends_with("[]"))
    }

    fn has_column(&self, is_wanted: impl Fn(&Column) -> bool) -> bool {
        (self.tables()).any(|(_, table)| table.columns.iter().any(&is_wanted))
    }

    /// Whether the server converts one type to the other on assignment.
    pub(crate) fn is_assignable(&self, from: &str, to: &str) -> bool {
        let (from, to) = (without_modifier(from), without_modifier(to));
        from == to
            || ["text", "character varying"].contains(&to.as_str())
            || self.casts.contains(&(from, to))
    }

    /// The generated columns of a table whose expression uses one of these entries.
    pub(crate) fn generated_using(
        &self,
        table: &Relation,
        used: &BTreeSet<usize>,
    ) -> BTreeSet<i32> {
        (self.dependencies.iter())
            .filter(|it| (self.places.get(&it.to)).is_some_and(|it| used.contains(it)))
            .filter_map(|it| {
                (table.columns.iter()).find(|column| {
                    !column.generated.is_empty()
                        && column.is_local
                        && (it.from == (ATTRDEF, column.default_oid)
                            || (it.from == (CLASS, table.oid) && it.from_column == column.number))
                })
            })
            .map(|column| column.number)
            .collect()
    }

    /// The generated columns of a table that depend on one of its columns.
    pub(crate) fn generated_from(&self, table: &Relation, number: i32) -> BTreeSet<i32> {
        let own = (CLASS, table.oid);
        (self.dependencies.iter())
            .filter(|it| it.to == own && it.to_column == number)
            .filter_map(|it| {
                if it.from == own {
                    return Some(it.from_column);
                }
                table
                    .columns
                    .iter()
                    .find(|column| it.from == (ATTRDEF, column.default_oid))
                    .map(|column| column.number)
            })
            .filter(|number| {
                table
                    .columns
                    .iter()
                    .any(|it| it.number == *number && !it.generated.is_empty())
            })
            .collect()
    }
}

pub(crate) fn key(entry: &Entry) -> Key {
    (entry.kind.clone(), entry.schema.clone(), entry.tag.clone())
}

pub(crate) fn is_table(entry: &Entry) -> bool {
    entry.kind == "TABLE"
}

/// The qualified name of an entry whose tag is a name.
pub(crate) fn qualified(entry: &Entry) -> String {
    match entry.schema.is_empty() {
        true => quote(&entry.tag),
        false => format!("{}.{}", quote(&entry.schema), quote(&entry.tag)),
    }
}

/// A name without quotes.
pub(crate) fn bare(name: &str) -> String {
    match name.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// `numeric(10,2)` as `numeric`, `timestamp(3) without time zone` as `timestamp without time zone`.
fn without_modifier(name: &str) -> String {
    match (name.find('('), name.find(')')) {
        (Some(start), Some(end)) if start < end && !name.contains('"') => {
            format!("{}{}", &name[..start], &name[end + 1..])
        }
        _ => name.to_owned(),
    }
}

/// The columns by name.
pub(crate) fn by_name(relation: &Relation) -> BTreeMap<&str, &Column> {
    relation
        .columns
        .iter()
        .map(|it| (it.name.as_str(), it))
        .collect()
}
