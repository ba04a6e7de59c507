//! From an archive into a scratch database.

use shared::domain::ExitStatus;

use super::{Archive, Dump, SEE_TO_IT, ended, failed};
use crate::client_watch::ClientWatch;
use crate::restore::{Poured, major, pour};
use crate::scratch::{Replay, ScratchError};

/// Why a scratch database was not filled.
pub(in crate::rehearsal) enum PourError {
    /// A role that the server does not have is named.
    RoleMissing(String, ScratchError),
    /// Anything else.
    Other(ScratchError),
}

impl From<ScratchError> for PourError {
    fn from(error: ScratchError) -> Self {
        Self::Other(error)
    }
}

impl Archive {
    /// Roles that it is known to name.
    pub(in crate::rehearsal) fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Fills an empty scratch database.
    ///
    /// # Errors
    /// A refusal where the server is older than the one that the archive comes from; and what `pg_restore` says.
    pub(in crate::rehearsal) async fn pour(&self, replay: &Replay<'_>) -> Result<(), PourError> {
        let scratch = replay.server_version().await?;
        if major(&scratch) < major(&self.server_version) {
            return Err(ended(
                format!(
                    "{} is of PostgreSQL {}, and the scratch server has {scratch}, which cannot hold it",
                    self.what, self.server_version
                ),
                "with a server as new: --scratch-server URL",
                ExitStatus::Refused,
            )
            .into());
        }
        for dump in &self.dumps {
            let from = match dump {
                Dump::InMemory(bytes) => Poured::Bytes(bytes),
                Dump::At(path) => Poured::At(path),
            };
            // A subscription would fetch rows from its publisher.
            let arguments = ["--no-subscriptions".to_owned()];
            let into = ClientWatch::new(replay.connections(), replay.database(), "rehearsal");
            let poured = pour(&self.pg_restore, from, &into, major(&scratch), &arguments).await;
            if let Err(error) = poured {
                let said = error.chain();
                let message = format!(
                    "{} cannot be put into a scratch database: {said}",
                    self.what
                );
                let error = failed(message, SEE_TO_IT);
                return Err(match missing_role(&said) {
                    Some(role) => PourError::RoleMissing(role, error),
                    None => PourError::Other(error),
                });
            }
        }
        Ok(())
    }
}

/// `role "soc_app" does not exist`
fn missing_role(said: &str) -> Option<String> {
    let (before, _) = said.split_once("\" does not exist")?;
    let (_, role) = before.rsplit_once("role \"")?;
    Some(role.to_owned())
}

#[cfg(test)]
mod tests {
    use super::missing_role;

    #[test]
    fn a_missing_role_is_named() {
        let said = "could not execute query: ERROR:  role \"soc app\" does not exist; Command was: GRANT …";
        assert_eq!(missing_role(said).as_deref(), Some("soc app"));
        assert_eq!(missing_role("relation \"x\" does not exist"), None);
    }
}
