//! Restores an archive into a scratch database.

use domain::{ExitStatus, rerun};

use super::{Archive, Dump, ended, next_after};
use backup::restore::{Poured, pour};
use client_program::{ClientWatch, major};
use scratch::{Replay, ScratchError};

/// Why a scratch database was not filled.
pub(crate) enum PourError {
    /// The archive mentions a role that the server does not have.
    RoleMissing(String, ScratchError),
    /// Any other error.
    Other(ScratchError),
}

impl From<ScratchError> for PourError {
    fn from(error: ScratchError) -> Self {
        Self::Other(error)
    }
}

impl Archive {
    /// Roles that the archive is known to mention.
    pub(crate) fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Fills an empty scratch database.
    ///
    /// # Errors
    /// A refusal if the server is older than the source of the archive, and errors of `pg_restore`.
    pub(crate) async fn pour(&self, replay: &Replay<'_>) -> Result<(), PourError> {
        let scratch = replay.server_version().await?;
        if major(&scratch) < major(&self.server_version) {
            return Err(ended(
                format!(
                    "{} comes from PostgreSQL {}, but the scratch server runs the older version {scratch}",
                    self.what, self.server_version
                ),
                "with a server of that version or newer: --scratch-server URL",
                ExitStatus::Refused,
            )
            .into());
        }
        for dump in &self.dumps {
            let from = match dump {
                Dump::InMemory(bytes) => Poured::Bytes(bytes),
                Dump::At(path) => Poured::At(path),
            };
            // A restored subscription would fetch rows from its publisher.
            let arguments = ["--no-subscriptions".to_owned()];
            let into = ClientWatch::new(replay.connections(), replay.database(), "rehearsal");
            let poured = pour(&self.pg_restore, from, &into, major(&scratch), &arguments).await;
            if let Err(error) = poured {
                let cause = error.diagnostic();
                let role = missing_role(&cause.to_string());
                let next = rerun(next_after(cause.exit_code));
                let what = format!("cannot restore {} into a scratch database", self.what);
                let error = cause.within(what).with_next(next).into();
                return Err(match role {
                    Some(role) => PourError::RoleMissing(role, error),
                    None => PourError::Other(error),
                });
            }
        }
        Ok(())
    }
}

/// The role in `role "soc_app" does not exist`.
fn missing_role(chain: &str) -> Option<String> {
    let (before, _) = chain.split_once("\" does not exist")?;
    let (_, role) = before.rsplit_once("role \"")?;
    Some(role.to_owned())
}

#[cfg(test)]
mod tests {
    use super::missing_role;

    #[test]
    fn a_missing_role_is_named() {
        let chain = "could not execute query: ERROR:  role \"soc app\" does not exist; Command was: GRANT …";
        assert_eq!(missing_role(chain).as_deref(), Some("soc app"));
        assert_eq!(missing_role("relation \"x\" does not exist"), None);
    }
}
