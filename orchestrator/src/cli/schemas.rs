//! The JSON schemas of what `--output json` prints, from the types that are printed.

use adopt::AdoptEvent;
use backup::BackupEvent;
use backup::restore::RestoreEvent;
use domain::{Document, Event, EventKind};
use drift::DriftReport;
use health::journal::{AnchorFile, Verification};
use rehearsal::Rehearsed;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use service_cli::command::{OrUnreachable, PlanDocument, ServiceStatus, Services};

use super::{check, doctor, generate, history, local, new_service, schema};
use crate::check::Report;
use crate::graph::GraphDocument;

/// The kinds of events, with those that only one command emits.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum AnyKind {
    Run(EventKind),
    Adopt(AdoptEvent),
    Backup(BackupEvent),
    Restore(RestoreEvent),
    Rehearse(Rehearsed),
}

/// The schema of one line of events, and of each document, by the name of its file in `docs/schemas`.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("event", of::<Event<AnyKind>>("event")),
        ("anchors", document::<AnchorFile>("history --anchor-out")),
        ("check", document::<Report>("check")),
        (
            "check-fix",
            document::<check::fix::Document<'_>>("check --fix"),
        ),
        ("doctor", document::<doctor::Document<'_>>("doctor")),
        ("drift", document::<PerService<'_, DriftReport>>("drift")),
        ("generate", document::<generate::Document>("generate")),
        ("graph", document::<GraphDocument>("graph")),
        ("history", document::<history::Document>("history")),
        (
            "history-believe",
            document::<history::believe::Document<'_>>("history --believe"),
        ),
        (
            "history-verify",
            document::<PerService<'_, Verification>>("history --verify"),
        ),
        ("local", document::<local::Document>("local")),
        (
            "new-service",
            document::<new_service::Document>("new-service"),
        ),
        ("plan", document::<PlanDocument<'_>>("plan")),
        (
            "schema-diff",
            document::<PerService<'_, schema::Diff>>("schema diff"),
        ),
        ("schema-dump", document::<schema::Document>("schema dump")),
        ("status", document::<Services<'_, ServiceStatus>>("status")),
    ]
}

type PerService<'a, T> = Services<'a, OrUnreachable<'a, T>>;

fn document<T: JsonSchema>(title: &str) -> Schema {
    let mut schema = of::<Document<T>>(title);
    schema.remove("description");
    schema
}

fn of<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}
