//! A finding: the problem, its place, and its repair.

use domain::ServiceName;
use pg_address::DatabaseAddress;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Runs fail or are unprotected until it is resolved.
    Error,
    /// It does harm, or hides a problem that does.
    Warning,
    /// Information that requires no action and is not counted.
    Note,
}

impl Severity {
    /// The name in human output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A problem of a database or server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// A stable identifier of the check.
    pub kind: &'static str,
    pub severity: Severity,
    /// The service, or `None` for a finding about a server.
    pub service: Option<ServiceName>,
    /// The database or the server.
    #[serde(rename = "where")]
    pub place: String,
    /// The problem, for humans.
    pub what: String,
    /// The command or SQL that resolves it.
    pub next: String,
    /// The repair of `--fix`, if there is one.
    #[serde(rename = "fix")]
    #[schemars(with = "Option<&str>")]
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// Whether it concerns one service rather than a database that several services may share.
    pub(super) fn is_of_service(&self) -> bool {
        matches!(
            self.kind,
            "interrupted_step"
                | "compensation_interrupted"
                | "history_and_journal"
                | "divergent"
                | "missing"
                | "out_of_order"
                | "database_absent"
        )
    }
}

/// A repair that `--fix` can make.
#[derive(Clone, Debug)]
pub struct Remedy {
    /// Whether it requires confirmation.
    pub asks: bool,
    /// The operation.
    pub repair: Repair,
}

impl Remedy {
    /// A repair that loses nothing.
    pub const fn safe(repair: Repair) -> Self {
        Self {
            asks: false,
            repair,
        }
    }

    /// A repair that affects others and requires confirmation.
    pub const fn asks(repair: Repair) -> Self {
        Self { asks: true, repair }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.asks { "asks" } else { "safe" })
    }
}

/// The operation of a repair.
#[derive(Clone, Debug)]
pub enum Repair {
    /// Runs a statement under the advisory lock, so that no run can begin.
    Locked(String),
    /// Runs a statement that ends a session.
    Terminate(String),
    /// Finishes an interrupted atomic release in all its databases.
    ResolveRelease,
    DropScratch(DatabaseAddress),
}
