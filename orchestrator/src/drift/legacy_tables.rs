//! The former tool's tables in a live database.

use shared::command::Context;
use shared::inspect::{ServiceError, Target};
use shared::postgres::{LegacyTable, Session, read_legacy_tables};

/// TypeORM's own name for its history.
const DEFAULT: &str = "migrations";

/// The legacy history of a service: in the table that is configured for it, and in TypeORM's default, since applications and
/// their command lines did not always use the same one.
pub async fn legacy_tables(
    context: &Context,
    session: &Session,
    target: &Target,
) -> Result<Vec<LegacyTable>, ServiceError> {
    let configured = context
        .configuration
        .legacy_table(target.service.name.as_str())
        .or(target.service.legacy_table.as_deref())
        .unwrap_or(DEFAULT);
    read_legacy_tables(session, &[configured, DEFAULT])
        .await
        .map_err(|source| ServiceError::query(&target.address, source))
}
