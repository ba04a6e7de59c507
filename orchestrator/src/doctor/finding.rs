//! A finding: what is wrong, where, and what resolves it.

use serde::{Serialize, Serializer};
use shared::config::DatabaseAddress;
use shared::domain::ServiceName;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Runs fail, or protect nothing, until it is resolved.
    Error,
    /// It does harm, or hides something that does.
    Warning,
    /// To know; no reason to act, and not counted.
    Note,
}

impl Severity {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The kind, one word for each check.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The service; none for what concerns a server.
    pub service: Option<ServiceName>,
    /// The database, or the server.
    #[serde(rename = "where")]
    pub place: String,
    /// What was found.
    pub what: String,
    /// The command or the SQL that resolves it.
    pub next: String,
    /// Whether `--fix` can do that, and whether it asks before.
    #[serde(rename = "fix")]
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// Whether it is of one service, rather than of the database that it may share.
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

/// What `--fix` can do.
#[derive(Clone, Debug)]
pub struct Remedy {
    /// Whether somebody has to agree.
    pub asks: bool,
    /// What is done.
    pub repair: Repair,
}

impl Remedy {
    /// Nothing is lost by it.
    pub const fn safe(repair: Repair) -> Self {
        Self {
            asks: false,
            repair,
        }
    }

    /// It costs somebody something.
    pub const fn asks(repair: Repair) -> Self {
        Self { asks: true, repair }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.asks { "asks" } else { "safe" })
    }
}

/// One repair.
#[derive(Clone, Debug)]
pub enum Repair {
    /// A statement, while no run can begin.
    Locked(String),
    /// A statement that ends a session.
    Terminate(String),
    /// What an interrupted atomic release left prepared, here and elsewhere.
    ResolveRelease,
    /// The removal of a scratch database.
    DropScratch(DatabaseAddress),
}
