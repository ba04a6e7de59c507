//! The file in which anchors are stored, outside of the databases that they protect.

use std::io::Write;
use std::path::{Path, PathBuf};

use domain::{Anchor, Diagnostic, Document, Fleet, ServiceName, rerun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service_layout::files;
use time::OffsetDateTime;

const SCHEMA: u32 = 1;

/// Anchors of several services, taken at one time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AnchorFile {
    #[serde(default = "schema", skip_serializing)]
    schema: u32,
    /// When they were taken. The `run_finished` event calls it `time`.
    #[serde(with = "time::serde::rfc3339", alias = "time")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    taken_at: OffsetDateTime,
    anchors: Vec<Anchor>,
    #[serde(skip)]
    path: PathBuf,
}

fn schema() -> u32 {
    SCHEMA
}

impl AnchorFile {
    /// Creates a file of anchors with the current time.
    pub fn taken_now(anchors: Vec<Anchor>) -> Self {
        Self {
            schema: SCHEMA,
            taken_at: OffsetDateTime::now_utc(),
            anchors,
            path: PathBuf::new(),
        }
    }

    /// Reads a file of `--anchor-out`, or the events of a run, whose last line has the anchors.
    ///
    /// # Errors
    /// When it cannot be read, has another format, or has an unknown service.
    pub fn read(path: &Path, fleet: &Fleet) -> Result<Self, Diagnostic> {
        let wrong = |what: String| {
            Diagnostic::usage(
                format!("{}: {what}", path.display()),
                rerun(
                    "with a file from `history --anchor-out`, or with the events of a run with --output json",
                ),
            )
        };
        let text = files::read_text(path).map_err(|error| wrong(error.problem.to_string()))?;
        let last_line = text.trim_end().lines().next_back().unwrap_or_default();
        let file: Self = serde_json::from_str(&text)
            .or_else(|error| serde_json::from_str(last_line).map_err(|_| error))
            .map_err(|error| wrong(format!("not an anchor file: {error}")))?;
        if file.schema != SCHEMA {
            return Err(wrong(format!(
                "unsupported schema {}; supported: {SCHEMA}",
                file.schema
            )));
        }
        for (at, anchor) in file.anchors.iter().enumerate() {
            let name = &anchor.service;
            if fleet.service(name).is_none() {
                return Err(wrong(format!("unknown service {name}")));
            }
            if file.anchors[..at].iter().any(|it| it.service == *name) {
                return Err(wrong(format!("{name} is specified twice")));
            }
            let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(is_lower_hexadecimal);
            if anchor.hash.as_deref().is_some_and(|hash| !is_hash(hash)) {
                return Err(wrong(format!("the hash of {name} is not a SHA-256")));
            }
            if anchor.rows < 0 || (anchor.rows == 0) != (anchor.id == 0) {
                return Err(wrong(format!(
                    "the rows and the id of {name} contradict each other"
                )));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            ..file
        })
    }

    /// When the anchors were taken.
    pub fn taken_at(&self) -> OffsetDateTime {
        self.taken_at
    }

    /// The anchor of a service.
    ///
    /// # Errors
    /// When it is for another database.
    pub fn of(&self, service: &ServiceName, database: &str) -> Result<Option<&Anchor>, Diagnostic> {
        let anchor = self.anchors.iter().find(|it| it.service == *service);
        match anchor {
            Some(anchor) if anchor.database != database => Err(Diagnostic::usage(
                format!(
                    "{}: the anchor of {service} is for database {}, but {service} uses {database}",
                    self.path.display(),
                    anchor.database
                ),
                rerun("with an anchor of this environment, or with --environment"),
            )),
            anchor => Ok(anchor),
        }
    }

    /// The number of services.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether it has no anchors.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Writes the anchors to a new file.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Diagnostic> {
        refuse_existing_anchor(path)?;
        let failed = |source: std::io::Error| {
            Diagnostic::failed(format!("cannot write {}", path.display()), &source)
        };
        let text = serde_json::to_string_pretty(&Document::new(self))
            .map_err(|error| failed(error.into()))?;
        let mut file = std::fs::File::create_new(path).map_err(failed)?;
        file.write_all(format!("{text}\n").as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)
    }
}

fn is_lower_hexadecimal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Refuses to overwrite an anchor: a newer one cannot prove that nothing changed in between.
///
/// # Errors
/// When the file exists.
pub fn refuse_existing_anchor(path: &Path) -> Result<(), Diagnostic> {
    if files::look(path).map_or(true, |found| found.is_some()) {
        return Err(Diagnostic::usage(
            format!("{} exists: anchors are never overwritten", path.display()),
            rerun("with another file name, for example with a date"),
        ));
    }
    Ok(())
}
