//! Roles that migrations name and that a server of our own does not have.

use shared::domain::Migration;
use tokio_postgres::types::Type;

use super::{ScratchError, ScratchServer};

/// Makes the roles that the migrations name, as far as the live server has them (`known`): without login and without rights.
/// They stay: they belong to the whole server, where another replay may need them at the same time.
pub(super) async fn provide(
    server: &ScratchServer,
    known: &[String],
    migrations: &[&Migration],
) -> Result<(), ScratchError> {
    let named = known.iter().filter(|role| {
        migrations
            .iter()
            .any(|migration| migration.script.text.contains(role.as_str()))
    });
    for role in named {
        let found = server
            .keeper()
            .query_typed(
                "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1",
                &[(role, Type::TEXT)],
            )
            .await
            .map_err(|error| ScratchError::query("the scratch server", &error))?;
        if found.is_empty()
            && let Err(error) = server
                .keeper()
                .batch_execute(&format!("CREATE ROLE {} NOLOGIN", catalog::quote(role)))
                .await
        {
            // Another replay may have been quicker; if it was something else, the migration tells.
            tracing::debug!(role, %error, "the role was not made");
        }
    }
    Ok(())
}
