//! Reads the functions and triggers of a database, and what they may depend on.
//!
//! One query, cheap enough to run after every migration. Also computes what changed since an earlier state.

use std::collections::{BTreeMap, BTreeSet};

use pg_session::Client;
use serde::Deserialize;

use super::broken::Event;
use row_generator::{RowsError, USERS_TABLES, read_rows, shown};

/// A user-defined function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Function {
    pub oid: u32,
    /// Distinguishes its versions, even if it is dropped and recreated.
    stamp: String,
    /// The name with argument types.
    pub name: String,
    /// The validator of its language.
    pub validator: String,
    /// The settings of the function, each `name=value`.
    pub settings: Vec<String>,
}

/// A table with user-defined triggers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct TriggeredTable {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub partitioned: bool,
    pub columns: Vec<TriggeredColumn>,
    pub triggers: Vec<Trigger>,
    /// The tables that reference it, quoted for SQL.
    pub children: Vec<String>,
}

/// A column of such a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct TriggeredColumn {
    pub name: String,
    /// Whether an `UPDATE` can assign a value.
    pub assignable: bool,
    /// Whether the server generates its values.
    pub generated: bool,
    /// Whether it is part of a unique index.
    pub unique: bool,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Trigger {
    pub name: String,
    stamp: String,
    /// The function with parentheses, as the context of an error names it.
    pub function: String,
    /// The source of the function.
    pub source: String,
    /// `pg_trigger.tgtype`.
    kind: i16,
}

impl Trigger {
    /// Whether the trigger fires on an event.
    pub fn fires_on(&self, event: Event) -> bool {
        // Bits of PostgreSQL's pg_trigger.h.
        let bit = match event {
            Event::Insert => 1 << 2,
            Event::Delete => 1 << 3,
            Event::Update => 1 << 4,
            Event::Truncate => 1 << 5,
        };
        self.kind & bit != 0
    }
}

#[derive(Deserialize)]
struct Stamp {
    name: String,
    stamp: String,
}

/// The functions and triggers of a database at one moment.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Functions by their names with argument types.
    pub functions: BTreeMap<String, Function>,
    /// Tables by their names for messages.
    pub tables: BTreeMap<String, TriggeredTable>,
    /// Relations and enums, each with a stamp that distinguishes its versions.
    others: BTreeMap<String, String>,
}

const FUNCTIONS: &str = "SELECT p.oid::int8, md5(concat_ws(' ', p.prosrc, p.proconfig, p.prorettype::regtype, pg_get_function_arguments(p.oid))) AS stamp, p.oid::regprocedure::text AS name,
        CASE l.lanname WHEN 'sql' THEN 'pg_catalog.fmgr_sql_validator' ELSE l.lanvalidator::regproc::text END AS validator,
        COALESCE(p.proconfig, '{}') AS settings
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.oid >= 16384 AND l.lanname IN ('sql', 'plpgsql') AND p.prokind IN ('f', 'p')
        AND n.nspname NOT IN ('information_schema', 'orchestrator') AND n.nspname NOT LIKE 'pg\\_%'
        AND NOT EXISTS (SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')";

const STAMPS: &str = "SELECT concat_ws('.', n.nspname, c.relname) AS name,
        md5(string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attidentity), ','
            ORDER BY a.attname)) AS stamp
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE a.attrelid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname <> 'orchestrator' AND n.nspname NOT LIKE 'pg\\_%'
    GROUP BY n.nspname, c.relname
    UNION ALL
    SELECT 'enum ' || e.enumtypid::regtype, md5(string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder))
    FROM pg_enum AS e GROUP BY e.enumtypid";

impl State {
    /// Reads the state.
    pub async fn read(client: &Client) -> Result<Self, RowsError> {
        let tables = format!(
            "SELECT c.oid::int8, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
                ARRAY(SELECT json_build_object('name', a.attname, 'assignable', a.attgenerated = '' AND a.attidentity <> 'a',
                        'generated', a.attgenerated <> '',
                        'unique', EXISTS (SELECT FROM pg_index AS i
                            WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)
                                AND (a.attnum = ANY (i.indkey) OR 0 = ANY (i.indkey))))
                    FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    ORDER BY a.attnum) AS columns,
                ARRAY(SELECT json_build_object('name', t.tgname, 'stamp', pg_get_triggerdef(t.oid), 'kind', t.tgtype,
                        'function', t.tgfoid::regprocedure::text, 'source', p.prosrc)
                    FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
                    WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') ORDER BY t.tgname) AS triggers,
                ARRAY(SELECT DISTINCT quote_ident(kn.nspname) || '.' || quote_ident(k.relname)
                    FROM pg_constraint AS f JOIN pg_class AS k ON k.oid = f.conrelid JOIN pg_namespace AS kn ON kn.oid = k.relnamespace
                    WHERE f.confrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0) AS children
            FROM {USERS_TABLES}
                AND c.oid IN (SELECT t.tgrelid FROM pg_trigger AS t WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A'))"
        );
        let tables: Vec<TriggeredTable> = read_rows(client, &tables).await?;
        let functions: Vec<Function> = read_rows(client, FUNCTIONS).await?;
        if tables.is_empty() && functions.is_empty() {
            return Ok(Self::default());
        }
        let others: Vec<Stamp> = read_rows(client, STAMPS).await?;
        Ok(Self {
            functions: functions
                .into_iter()
                .map(|one| (one.name.clone(), one))
                .collect(),
            tables: tables
                .into_iter()
                .map(|one| (shown(&one.schema, &one.name), one))
                .collect(),
            others: others
                .into_iter()
                .map(|one| (one.name, one.stamp))
                .collect(),
        })
    }

    /// The functions and tables to test since an earlier state. Code can mention any object: if an object changed or was
    /// dropped, all of them; if objects were only added, those.
    pub fn since(&self, earlier: Option<&Self>) -> (BTreeSet<String>, BTreeSet<String>) {
        let all = || {
            (
                self.functions.keys().cloned().collect(),
                self.tables.keys().cloned().collect(),
            )
        };
        let Some(earlier) = earlier else {
            return all();
        };
        let same_others = earlier
            .others
            .iter()
            .all(|(name, stamp)| self.others.get(name) == Some(stamp));
        let same_functions = earlier.functions.iter().all(|(name, known)| {
            self.functions
                .get(name)
                .is_some_and(|function| function.stamp == known.stamp)
        });
        if !same_others || !same_functions {
            return all();
        }
        (
            self.functions
                .keys()
                .filter(|name| !earlier.functions.contains_key(*name))
                .cloned()
                .collect(),
            self.tables
                .iter()
                .filter(|(name, table)| {
                    earlier
                        .tables
                        .get(*name)
                        .is_none_or(|known| known.triggers != table.triggers)
                })
                .map(|(name, _)| name.clone())
                .collect(),
        )
    }
}
