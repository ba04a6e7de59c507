//! Checks the ownership of our tables: history, journal and the others of schema `orchestrator`.
//!
//! A role that may create objects in a schema can plant one under their names: a view, or a table with a trigger, whose code would run
//! with our privileges, or a forged history. Therefore they count only if they are ordinary tables of a trusted role.
//!
//! They must also be readable: a table that this role may not read would seem to be empty.
//!
//! Responsible for finding and judging them. Not for their content.

use pg_sql::quote_identifier;
use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::Client;
use super::connect_error::ask_administrator;
use super::own_session::Login;
use domain::{in_sql, rerun};

/// `schema.table` or `table`.
pub fn split_name(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, name),
    }
}

/// Our schema.
pub(super) const SCHEMA: &str = "orchestrator";

/// Our tables in it.
pub(super) const TABLES: [&str; 4] = ["journal", "progress", "compensation", RELEASES];

/// The table that only atomic releases read.
const RELEASES: &str = "releases";

/// Name fragments of databases that our commands create for themselves: no other role can connect to them, so owners do not matter.
const OWN_DATABASES: [&str; 2] = ["orchestrator_scratch_", "_restoring_"];

/// Whether a relation `c` has columns of types of this database, or generated ones.
const COLUMNS: &str = "EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND (a.atttypid >= 16384 OR a.attgenerated <> ''))";

/// Whether a relation `c` has computed defaults. Expressions are judged in stored form: printing them could wait for a lock on the table.
/// Allowed are constants, and `now()` and `clock_timestamp()` (functions 1299 and 2649).
const DEFAULTS: &str = r"EXISTS (SELECT FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = c.oid AND NOT a.attisdropped
          AND NOT (c.relnamespace <> pg_catalog.to_regnamespace('orchestrator') AND a.attname IN ('version', 'name', 'applied_on', 'checksum'))
          AND d.adbin::text !~ '^\{(FUNCEXPR :funcid (1299|2649) |SQLVALUEFUNCTION )'
          AND EXISTS (SELECT FROM pg_catalog.regexp_matches(d.adbin::text, '\{([A-Z_]+)', 'g') AS m (node)
            WHERE m.node[1] <> ALL ('{CONST,RELABELTYPE}')))";

/// Whether a relation `c` has constraints that call functions. Allowed are comparisons by operators of the system.
const CONSTRAINTS: &str = r"EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND (k.contype IN ('x', 'f')
        OR k.conbin::text ~ ':opno [0-9]{5,}'
        OR EXISTS (SELECT FROM pg_catalog.regexp_matches(k.conbin::text, '\{([A-Z_]+)', 'g') AS m (node)
          WHERE m.node[1] <> ALL ('{CONST,RELABELTYPE,VAR,SCALARARRAYOPEXPR,OPEXPR,BOOLEXPR,NULLTEST,ARRAY,ARRAYEXPR}'))))";

/// Whether a relation `c` has indexes on expressions.
pub(super) const INDEXES: &str =
    "EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid
        AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))";

/// Why a relation `c` is not an ordinary table; faults that would run code of another role come first.
fn fault() -> String {
    format!(
        r"CASE
    WHEN c.relkind <> 'r' THEN 'it is ' || CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
        WHEN 'f' THEN 'a foreign table' WHEN 'p' THEN 'a partitioned table' ELSE 'not a table' END
    WHEN c.relpersistence <> 'p' THEN 'it is not permanent'
    WHEN c.relrowsecurity OR c.relforcerowsecurity THEN 'it has row security'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid) THEN 'it has triggers'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) THEN 'it has rules'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)) THEN 'it is part of an inheritance tree'
    WHEN {COLUMNS} THEN 'it has columns of types of this database, or generated ones'
    WHEN {DEFAULTS} THEN 'it has computed defaults'
    WHEN {CONSTRAINTS}
      THEN 'it has constraints that call functions'
    WHEN {INDEXES} THEN 'it has indexes on expressions'
    END"
    )
}

/// The privileges that this role lacks on a relation `c`: those it has neither on the table nor on each of its columns.
const LACKS: &str = "ARRAY(SELECT p.name FROM pg_catalog.unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p (name) \
    WHERE NOT pg_catalog.has_table_privilege(c.oid, p.name) AND CASE p.name WHEN 'DELETE' THEN true ELSE EXISTS \
      (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
        AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, p.name)) END)";

/// What was found under one of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    place: Place,
    schema: String,
    /// The name of the table or the schema.
    name: String,
    /// Quoted where it must be.
    object: String,
    is_schema: bool,
    owner: String,
    trusted: bool,
    fault: Option<String>,
    /// Whether this role may use the schema.
    usable: bool,
    /// The privileges that this role lacks on the table.
    lacks: Vec<String>,
}

/// Where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In schema `orchestrator`, or that schema itself.
    Orchestrator,
    /// A history in the searched schema with this number.
    Searched(i64),
    /// A history in a schema that is not searched.
    Elsewhere,
}

/// Why our tables cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) message: String,
    pub(super) next: String,
}

/// The location of the history, the existing tables, and why they cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bookkeeping {
    /// The schema of the history; `None` where there is none.
    pub(super) history_schema: Option<String>,
    /// Whether schema `orchestrator` exists.
    pub(super) has_schema: bool,
    /// Which of our tables in it exist.
    pub(super) tables: BTreeSet<String>,
    /// An object that is not ours, or may not be read.
    pub(super) unusable: Option<Unusable>,
    /// A table that may not be written.
    pub(super) unwritable: Option<Unusable>,
}

impl Bookkeeping {
    /// Queries the catalog. Takes no lock on any of the relations.
    pub(super) async fn read(
        client: &Client,
        login: &Login,
        database: &str,
        history_table: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let (schema, table) = split_name(history_table);
        let schemas = searched(login, history_table);
        let is_own = OWN_DATABASES.iter().any(|part| database.contains(part));
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&schemas, Type::TEXT_ARRAY),
            (&schema.is_none(), Type::BOOL),
            (&table, Type::TEXT),
            (&TABLES.as_slice(), Type::TEXT_ARRAY),
            (&is_own, Type::BOOL),
        ];
        let rows = client
            .query_typed(&question(login.major), &parameters)
            .await?;
        let me = rows.first().map(|row| row.try_get(7)).transpose()?;
        let found: Result<Vec<_>, _> = rows.iter().map(Found::read).collect();
        Ok(judge(&found?, me.unwrap_or_default()))
    }
}

/// The schemas in which the history is expected.
pub(super) fn searched<'a>(login: &'a Login, history_table: &'a str) -> Vec<&'a str> {
    match split_name(history_table).0 {
        Some(schema) => vec![schema],
        None => login.schemas.iter().map(String::as_str).collect(),
    }
}

/// The place of a type under the name of the history: after every schema that is searched, since it matters only where the table is
/// to be made.
const TYPE: i64 = 1_000_000;

/// Names are resolved by functions where possible: joins over the catalog cost a new session more. `to_regclass` requires USAGE
/// on the schema.
fn question(major: u32) -> String {
    let (trusted, fault) = (format!("$5 OR {}", trusted(major)), fault());
    format!(
        "SELECT f.place, n.nspname::text, pg_catalog.format('%I.%I', n.nspname, c.relname), false, \
           o.rolname::text, {trusted}, {fault}, CURRENT_USER::text, c.relname::text, \
           pg_catalog.has_schema_privilege(n.oid, 'USAGE'), {LACKS} \
         FROM (SELECT p.place, CASE \
                 WHEN pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace(pg_catalog.quote_ident(p.name))::oid, 'USAGE') \
                   THEN pg_catalog.to_regclass(pg_catalog.format('%I.%I', p.name, $3))::oid \
                 ELSE (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname = $3 \
                   AND c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(p.name))::oid) END AS oid \
               FROM pg_catalog.unnest($1) WITH ORDINALITY AS p (name, place) \
             UNION ALL SELECT -1, c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE $2 AND c.relname = $3 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' \
                 AND n.nspname <> ALL ($1) \
             UNION ALL SELECT 0, c.oid FROM pg_catalog.pg_class c \
               WHERE c.relnamespace = pg_catalog.to_regnamespace('orchestrator') AND c.relname = ANY ($4)) f \
           JOIN pg_catalog.pg_class c ON c.oid = f.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
           JOIN pg_catalog.pg_roles o ON o.oid = c.relowner \
           JOIN pg_catalog.pg_roles me ON me.rolname = CURRENT_USER \
           JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() \
         UNION ALL SELECT 0, n.nspname::text, 'orchestrator', true, o.rolname::text, {trusted}, NULL, CURRENT_USER::text, n.nspname::text, \
           pg_catalog.has_schema_privilege(n.oid, 'USAGE'), '{{}}'::text[] \
         FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner \
           JOIN pg_catalog.pg_roles me ON me.rolname = CURRENT_USER \
           JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() \
         WHERE n.nspname = 'orchestrator' \
         UNION ALL SELECT CASE WHEN n.nspname = 'orchestrator' THEN 0 ELSE {TYPE} END, n.nspname::text, \
           pg_catalog.format('%I.%I', n.nspname, t.typname), false, o.rolname::text, {trusted}, 'it is a type', CURRENT_USER::text, \
           t.typname::text, true, '{{}}'::text[] \
         FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
           JOIN pg_catalog.pg_roles o ON o.oid = t.typowner \
           JOIN pg_catalog.pg_roles me ON me.rolname = CURRENT_USER \
           JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() \
         WHERE t.typrelid = 0 AND (t.typarray <> 0 OR t.typtype <> 'b') \
           AND (t.typname = $3 AND n.nspname = ($1)[1] OR t.typname = ANY ($4) AND n.nspname = 'orchestrator')"
    )
}

/// Whether the code of role `o` may run with the privileges of role `me` in database `d`.
pub(super) fn trusted(major: u32) -> String {
    // A role that created another one, and may only administer it, cannot act as it.
    let is_member = if major >= 16 {
        "pg_catalog.pg_has_role(o.oid, 'USAGE') OR pg_catalog.pg_has_role(o.oid, 'SET')"
    } else {
        "pg_catalog.pg_has_role(o.oid, 'MEMBER')"
    };
    // A superuser counts as a member of every role.
    format!("o.rolsuper OR o.oid IN (me.oid, d.datdba) OR (NOT me.rolsuper AND ({is_member}))")
}

impl Found {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            place: match row.try_get::<_, i64>(0)? {
                0 => Place::Orchestrator,
                number if number > 0 => Place::Searched(number),
                _ => Place::Elsewhere,
            },
            schema: row.try_get(1)?,
            object: row.try_get(2)?,
            is_schema: row.try_get(3)?,
            owner: row.try_get(4)?,
            trusted: row.try_get(5)?,
            fault: row.try_get(6)?,
            name: row.try_get(8)?,
            usable: row.try_get(9)?,
            lacks: row.try_get(10)?,
        })
    }

    fn is_ours(&self) -> bool {
        self.trusted && self.fault.is_none()
    }

    /// The privileges that a run requires on it.
    fn written(&self) -> &'static [&'static str] {
        match (self.place, self.name.as_str()) {
            (Place::Orchestrator, "journal") => &["SELECT", "INSERT"],
            (Place::Orchestrator, RELEASES) => &["SELECT", "INSERT", "UPDATE"],
            (Place::Orchestrator, _) => &["SELECT", "INSERT", "UPDATE", "DELETE"],
            _ => &["SELECT", "INSERT", "DELETE"],
        }
    }

    /// Which of these privileges this role lacks on it.
    fn missing(&self, wanted: &[&'static str]) -> Vec<&'static str> {
        let lacks = |right: &&&str| self.lacks.iter().any(|it| it == **right);
        wanted.iter().filter(lacks).copied().collect()
    }

    fn foreign(&self, me: &str) -> Unusable {
        let Self { object, owner, .. } = self;
        let what = if self.is_schema { "schema " } else { "" };
        let (why, next) = match &self.fault {
            Some(fault) => (
                fault.clone(),
                rerun(format!(
                    "first inspect it (\\d+ {object} in psql), and make it an ordinary table again, or drop it, as its owner {owner} or \
                     as a superuser"
                )),
            ),
            None => (
                "its owner is neither this role, nor a role that it is a member of, nor the owner of the database, nor a superuser"
                    .to_owned(),
                in_sql(
                    format!(
                        "ALTER {} {object} OWNER TO {}",
                        if self.is_schema { "SCHEMA" } else { "TABLE" },
                        quote_identifier(me)
                    ),
                    "as a superuser, if it is yours; if not, drop it",
                ),
            ),
        };
        Unusable {
            message: format!(
                "{what}{object}, owned by {owner}, has a name reserved for the orchestrator, and is not used: {why}"
            ),
            next,
        }
    }
}

/// Which history counts, and what prevents a run.
///
/// A history that is not found in its expected schema is searched for elsewhere: a migration may have changed the initial `search_path`
/// of sessions, and treating the history as absent would rerun everything. For the same reason a foreign one is refused there rather
/// than ignored.
fn judge(found: &[Found], me: &str) -> Bookkeeping {
    let ours = found.iter().filter(|it| it.place == Place::Orchestrator);
    let foreign_of_ours = ours.clone().find(|it| !it.is_ours());
    let expected = found
        .iter()
        .filter_map(|it| match it.place {
            Place::Searched(number) => Some((number, it)),
            _ => None,
        })
        .min_by_key(|(number, _)| *number)
        .map(|(_, it)| it);
    let elsewhere: Vec<&Found> = found
        .iter()
        .filter(|it| it.place == Place::Elsewhere)
        .collect();
    let history = expected
        .or_else(|| {
            let mut ours: Vec<&Found> = elsewhere
                .iter()
                .copied()
                .filter(|it| it.is_ours())
                .collect();
            ours.sort_by_key(|it| (it.schema != "public", it.schema.clone()));
            ours.first().copied()
        })
        .or(elsewhere.first().copied());
    let tables = ours.clone().filter(|it| !it.is_schema);
    let read = tables.clone().filter(|it| it.name != RELEASES);
    let read: Vec<_> = read
        .chain(history)
        .map(|it| (it, &["SELECT"][..]))
        .collect();
    let written = tables.clone().chain(history);
    let written: Vec<_> = written.map(|it| (it, it.written())).collect();
    Bookkeeping {
        history_schema: history.map(|it| it.schema.clone()),
        has_schema: ours.clone().any(|it| it.is_schema),
        unusable: foreign_of_ours
            .or(history.filter(|it| !it.is_ours()))
            .map(|it| it.foreign(me))
            .or_else(|| without_rights("read", &read, me)),
        unwritable: without_rights("write", &written, me),
        tables: tables.map(|it| it.name.clone()).collect(),
    }
}

/// The tables on which this role lacks a required privilege, and the SQL that grants it.
fn without_rights(
    verb: &str,
    wanted: &[(&Found, &'static [&'static str])],
    me: &str,
) -> Option<Unusable> {
    let me = quote_identifier(me);
    let mut schemas = BTreeSet::new();
    let mut tables: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut objects = Vec::new();
    for (found, rights) in wanted {
        let missing = found.missing(rights);
        if found.usable && missing.is_empty() {
            continue;
        }
        objects.push(found.object.as_str());
        if !found.usable {
            let schema = quote_identifier(&found.schema);
            schemas.insert(format!("GRANT USAGE ON SCHEMA {schema} TO {me}"));
        }
        if !missing.is_empty() {
            let tables = tables.entry(missing.join(", ")).or_default();
            tables.push(&found.object);
        }
    }
    let tables = tables.iter().map(|(rights, objects)| {
        let objects = objects.join(", ");
        format!("GRANT {rights} ON TABLE {objects} TO {me}")
    });
    let grants: Vec<String> = schemas.into_iter().chain(tables).collect();
    (!objects.is_empty()).then(|| Unusable {
        message: format!(
            "role {me} may not {verb} {} (SQLSTATE 42501)",
            objects.join(", ")
        ),
        next: ask_administrator(&grants.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(place: Place, schema: &str, trusted: bool, fault: Option<&str>) -> Found {
        Found {
            place,
            schema: schema.to_owned(),
            object: format!("{schema}.refinery_schema_history"),
            is_schema: false,
            owner: "evil".to_owned(),
            trusted,
            fault: fault.map(str::to_owned),
            name: "refinery_schema_history".to_owned(),
            usable: true,
            lacks: Vec::new(),
        }
    }

    #[test]
    fn what_is_expected_comes_before_what_is_elsewhere() {
        let found = [
            table(Place::Elsewhere, "app", true, None),
            table(Place::Searched(2), "public", true, None),
            table(Place::Searched(1), "own", true, None),
        ];
        let judged = judge(&found, "me");
        assert_eq!(judged.history_schema.as_deref(), Some("own"));
        assert_eq!(judged.unusable, None);
        assert_eq!(
            judge(&found[..1], "me").history_schema.as_deref(),
            Some("app")
        );
        assert_eq!(judge(&[], "me"), Bookkeeping::default());
    }

    #[test]
    fn a_foreign_history_is_refused_wherever_it_is_unless_ours_is_there() {
        let planted = table(Place::Elsewhere, "zzz", false, None);
        let foreign = judge(std::slice::from_ref(&planted), "me")
            .unusable
            .unwrap();
        assert!(foreign.message.contains("zzz.refinery_schema_history"));
        assert!(foreign.message.contains("evil"));
        let ours = table(Place::Searched(1), "public", true, None);
        assert_eq!(judge(&[planted.clone(), ours], "me").unusable, None);
        let moved = table(Place::Elsewhere, "old", true, None);
        let judged = judge(&[planted, moved], "me");
        assert_eq!(
            (judged.history_schema.as_deref(), judged.unusable),
            (Some("old"), None)
        );
        let view = table(Place::Searched(1), "public", true, Some("it is a view"));
        let foreign = judge(&[view], "me").unusable.unwrap();
        assert!(foreign.message.contains("it is a view"));
    }

    #[test]
    fn nothing_in_schema_orchestrator_may_be_foreign() {
        let ours = table(Place::Searched(1), "public", true, None);
        for (trusted, fault) in [(false, None), (true, Some("it has triggers"))] {
            let journal = table(Place::Orchestrator, "orchestrator", trusted, fault);
            assert!(judge(&[ours.clone(), journal], "me").unusable.is_some());
        }
    }

    #[test]
    fn what_may_not_be_read_or_written_is_named_with_what_gives_the_right() {
        let of_ours = |name: &str, usable, lacks: &[&str]| Found {
            name: name.to_owned(),
            object: format!("orchestrator.{name}"),
            usable,
            lacks: lacks.iter().map(|&right| right.to_owned()).collect(),
            ..table(Place::Orchestrator, "orchestrator", true, None)
        };
        let next = |found: &[Found]| {
            let judged = judge(found, "me");
            let sql = |it: Option<Unusable>| {
                let next = it?.next;
                next.strip_suffix(";   -- as an administrator")
                    .map(str::to_owned)
            };
            (sql(judged.unusable), sql(judged.unwritable))
        };
        let history = table(Place::Searched(1), "public", true, None);
        let journal = of_ours("journal", true, &["UPDATE", "DELETE"]);
        assert_eq!(next(&[history.clone(), journal]), (None, None));
        let releases = of_ours(RELEASES, true, &["SELECT", "UPDATE"]);
        let grant = "GRANT SELECT, UPDATE ON TABLE orchestrator.releases TO me";
        assert_eq!(
            next(&[releases, history.clone()]),
            (None, Some(grant.to_owned()))
        );
        let hidden = [
            of_ours("journal", false, &["SELECT"]),
            of_ours("progress", false, &[]),
            history,
        ];
        let grants = "GRANT USAGE ON SCHEMA orchestrator TO me; \
            GRANT SELECT ON TABLE orchestrator.journal TO me"
            .to_owned();
        assert_eq!(next(&hidden), (Some(grants.clone()), Some(grants)));
    }
}
