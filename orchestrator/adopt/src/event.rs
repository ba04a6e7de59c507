//! The events of an adoption.

use domain::{ColumnOrder, CommandEvent, SchemaDifference};
use schemars::JsonSchema;
use serde::Serialize;

/// An event that only `adopt` emits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AdoptEvent {
    /// The live schema matches this version: it and all older ones count as applied.
    AdoptionProven(Proof),
    /// The live schema matches no version that could be adopted; this one is the nearest.
    DriftFound(Box<Drift>),
    /// A migration was adopted: it counts as applied without having been run.
    MigrationAdopted {
        name: String,
        /// The legacy rows that it replaces; empty if only the schema proves it.
        stands_for: Vec<String>,
    },
    AdoptionUndone {
        /// The number of migrations that no longer count as applied.
        migrations: usize,
    },
}

impl CommandEvent for AdoptEvent {}

/// The evidence for an adoption.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Proof {
    /// The name of the newest adopted migration.
    pub name: String,
    /// The number of adopted migrations.
    pub adopted: usize,
    /// The number of newer migrations, which stay pending.
    pub pending: usize,
    /// The legacy rows, in order; empty with a baseline.
    pub legacy_rows: Vec<String>,
    /// Differences that the user accepted in advance.
    pub accepted: Vec<SchemaDifference>,
    /// Tables whose columns are in a different order.
    pub column_order: Vec<ColumnOrder>,
    /// The version of the live server, such as `15.18`.
    pub server_version: String,
    /// The version of the server on which the migrations were replayed.
    pub scratch_server_version: String,
}

/// The differences between a live schema and a version.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Drift {
    pub name: String,
    /// The objects that differ.
    pub differences: Vec<SchemaDifference>,
    /// Tables whose columns are in a different order, which is not drift.
    pub column_order: Vec<ColumnOrder>,
    /// The version of the live server, such as `15.18`.
    pub server_version: String,
    /// The version of the server on which the migrations were replayed.
    pub scratch_server_version: String,
}

#[cfg(test)]
mod tests {
    use domain::EventKind;

    use super::*;

    /// A changed or missing field is a change that users notice.
    #[test]
    fn fields_keep_their_names_and_types() {
        let difference = SchemaDifference {
            kind: "index".to_owned(),
            object: "public.policies_title_idx".to_owned(),
            expected: Some("CREATE INDEX …".to_owned()),
            found: None,
            facts: Vec::new(),
        };
        let column_order = vec![ColumnOrder {
            table: "public.policies".to_owned(),
            expected: vec!["id".to_owned(), "title".to_owned()],
            found: vec!["title".to_owned(), "id".to_owned()],
        }];
        let proof = Proof {
            name: "initial_schema".to_owned(),
            adopted: 1,
            pending: 2,
            legacy_rows: vec!["public.migrations 1 InitialSchema1".to_owned()],
            accepted: vec![difference.clone()],
            column_order: column_order.clone(),
            server_version: "15.18".to_owned(),
            scratch_server_version: "15.18".to_owned(),
        };
        let drift = Drift {
            name: "initial_schema".to_owned(),
            differences: vec![difference],
            column_order,
            server_version: "15.18".to_owned(),
            scratch_server_version: "18.4".to_owned(),
        };
        let events = [
            AdoptEvent::AdoptionProven(proof),
            AdoptEvent::DriftFound(Box::new(drift)),
            AdoptEvent::MigrationAdopted {
                name: "initial_schema".to_owned(),
                stands_for: vec!["public.migrations 1 InitialSchema1".to_owned()],
            },
            AdoptEvent::AdoptionUndone { migrations: 1 },
        ];
        let lines = events.map(|it| serde_json::to_string(&EventKind::from(it)).unwrap());
        let lines = lines.join("\n");
        insta::assert_snapshot!(lines, @r#"
        {"event":"adoption_proven","name":"initial_schema","adopted":1,"pending":2,"legacy_rows":["public.migrations 1 InitialSchema1"],"accepted":[{"kind":"index","object":"public.policies_title_idx","expected":"CREATE INDEX …"}],"column_order":[{"table":"public.policies","expected":["id","title"],"found":["title","id"]}],"server_version":"15.18","scratch_server_version":"15.18"}
        {"event":"drift_found","name":"initial_schema","differences":[{"kind":"index","object":"public.policies_title_idx","expected":"CREATE INDEX …"}],"column_order":[{"table":"public.policies","expected":["id","title"],"found":["title","id"]}],"server_version":"15.18","scratch_server_version":"18.4"}
        {"event":"migration_adopted","name":"initial_schema","stands_for":["public.migrations 1 InitialSchema1"]}
        {"event":"adoption_undone","migrations":1}
        "#);
    }
}
