//! The event of a rehearsal: the result of rehearsing one migration.

use domain::{ColumnOrder, CommandEvent, Finding};
use schemars::JsonSchema;
use serde::Serialize;

/// Whether a migration can be undone, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "reversible", rename_all = "snake_case")]
pub enum Reversibility {
    /// The schema was as expected after each of up, down, up.
    Proven,
    /// The schema differed; the findings list the differences.
    Disproven,
    /// The migration is marked irreversible.
    Irreversible {
        /// The reason in the directive.
        reason: String,
    },
    /// There is no revert file.
    NoRevert,
    /// The migration itself failed.
    Unknown,
}

/// What a migration did to one relation that existed before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SeenLock {
    /// The relation, with its schema.
    pub relation: String,
    /// PostgreSQL's name of the strongest lock, such as `AccessExclusiveLock`.
    pub mode: String,
    /// The 1-based line of the statement that acquired it.
    pub line: u32,
    /// How long it was held, in microseconds, from the statement that acquired it to the commit.
    pub held_us: u64,
    /// What the lock blocked: `blocks writes`, `blocks reads and writes`; `None` if it blocked nothing that applications do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Whether the relation was rewritten.
    pub rewritten: bool,
    /// Whether the relation was truncated.
    pub emptied: bool,
    /// Whether the whole relation was scanned.
    pub scanned: bool,
}

/// A migration was rehearsed on a scratch database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "migration_rehearsed")]
pub struct Rehearsed {
    pub name: String,
    /// Whether it can be undone.
    #[serde(flatten)]
    pub reversibility: Reversibility,
    /// The findings of the rehearsal.
    pub findings: Vec<Finding>,
    /// The locks that it acquired on relations that existed before it.
    pub locks: Vec<SeenLock>,
    /// Tables whose columns are in a different order after the revert, which is not a finding.
    pub column_order: Vec<ColumnOrder>,
    /// What could not be checked and why, such as tables for which no rows could be generated.
    pub notes: Vec<String>,
    /// The number of rows in the database when it ran.
    pub rows: u64,
    pub up_ms: u64,
    /// How long its revert took, in milliseconds; `None` if it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_ms: Option<u64>,
    /// How long the second up took, in milliseconds; `None` if it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<u64>,
}

impl CommandEvent for Rehearsed {}

#[cfg(test)]
mod tests {
    use domain::{EventKind, Place, SchemaDifference, Severity, Version};

    use super::*;

    /// A changed or missing field is a change that users notice.
    #[test]
    fn fields_keep_their_names_and_types() {
        let finding = Finding {
            rule: "revert-leaves-schema".to_owned(),
            severity: Severity::Error,
            service: "policy".parse().unwrap(),
            version: Some(Version::new(1_753_250_000_000)),
            file: "services/policy/reverts/V1753260000000__add_status.sql".to_owned(),
            place: Some(Place {
                line: 3,
                column: 1,
                end_line: 3,
                end_column: 30,
            }),
            message: "the revert leaves enum type user_status".to_owned(),
            safe_form: Some("DROP TYPE user_status;".to_owned()),
            differences: vec![SchemaDifference {
                kind: "enum type".to_owned(),
                object: "public.user_status".to_owned(),
                expected: None,
                found: Some("CREATE TYPE public.user_status AS ENUM ('active')".to_owned()),
                facts: Vec::new(),
            }],
            allowed: Some("the application uses it".to_owned()),
        };
        let faulty = Rehearsed {
            name: "add_status".to_owned(),
            reversibility: Reversibility::Disproven,
            findings: vec![finding],
            locks: vec![SeenLock {
                relation: "public.policies".to_owned(),
                mode: "AccessExclusiveLock".to_owned(),
                line: 2,
                held_us: 12_345,
                blocks: Some("blocks reads and writes".to_owned()),
                rewritten: true,
                scanned: false,
                emptied: false,
            }],
            column_order: vec![ColumnOrder {
                table: "public.policies".to_owned(),
                expected: vec!["id".to_owned(), "title".to_owned()],
                found: vec!["title".to_owned(), "id".to_owned()],
            }],
            notes: vec!["a note".to_owned()],
            rows: 3,
            up_ms: 12,
            down_ms: Some(4),
            again_ms: Some(9),
        };
        let irreversible = Rehearsed {
            reversibility: Reversibility::Irreversible {
                reason: "rows are merged".to_owned(),
            },
            findings: Vec::new(),
            locks: Vec::new(),
            column_order: Vec::new(),
            notes: Vec::new(),
            down_ms: None,
            again_ms: None,
            ..faulty.clone()
        };
        let lines = [faulty, irreversible]
            .map(|it| serde_json::to_string(&EventKind::from(it)).unwrap())
            .join("\n");
        insta::assert_snapshot!(lines, @r#"
        {"event":"migration_rehearsed","name":"add_status","reversible":"disproven","findings":[{"rule":"revert-leaves-schema","severity":"error","service":"policy","version":1753250000000,"file":"services/policy/reverts/V1753260000000__add_status.sql","line":3,"column":1,"end_line":3,"end_column":30,"message":"the revert leaves enum type user_status","safe_form":"DROP TYPE user_status;","differences":[{"kind":"enum type","object":"public.user_status","found":"CREATE TYPE public.user_status AS ENUM ('active')"}],"allowed":"the application uses it"}],"locks":[{"relation":"public.policies","mode":"AccessExclusiveLock","line":2,"held_us":12345,"blocks":"blocks reads and writes","rewritten":true,"emptied":false,"scanned":false}],"column_order":[{"table":"public.policies","expected":["id","title"],"found":["title","id"]}],"notes":["a note"],"rows":3,"up_ms":12,"down_ms":4,"again_ms":9}
        {"event":"migration_rehearsed","name":"add_status","reversible":"irreversible","reason":"rows are merged","findings":[],"locks":[],"column_order":[],"notes":[],"rows":3,"up_ms":12}
        "#);
    }
}
