//! Compares an existing index with the one that a statement would build.
//!
//! The server does the comparison: the statement builds its index on an empty copy of the table, in a transaction that is rolled back,
//! and the catalog entries of the two are compared. So no SQL has to be interpreted.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::CatalogCheck;
use super::indexes::Wanted;
use crate::runner::fault::Fault;
use domain::with_causes;

/// The complete definitions of two indexes, except for their names, tables and tablespaces.
const SAME: &str = "
    SELECT count(DISTINCT d.definition) = 1 FROM (
        SELECT pg_catalog.jsonb_build_array(i.indisunique, pg_catalog.to_jsonb(i) -> 'indnullsnotdistinct', i.indnatts,
            i.indnkeyatts, i.indoption::text, i.indclass::text, i.indcollation::text, c.relam, c.reloptions::text,
            pg_catalog.pg_get_expr(i.indpred, i.indrelid),
            (SELECT pg_catalog.array_agg(pg_catalog.pg_get_indexdef(i.indexrelid, n, false) ORDER BY n)
               FROM pg_catalog.generate_series(1, i.indnatts) n)) AS definition
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        WHERE i.indexrelid = $1 OR i.indrelid = pg_catalog.to_regclass($2)
    ) d";

impl CatalogCheck<'_> {
    /// The indexes of a table that match the statement; `None` if that cannot be determined.
    pub(super) async fn built_by(
        &self,
        wanted: &Wanted<'_>,
        table: u32,
        indexes: &[u32],
    ) -> Result<Option<Vec<u32>>, Fault> {
        if indexes.is_empty() {
            return Ok(Some(Vec::new()));
        }
        // The copy has the name of the table, because the statement may qualify its columns with that name.
        let rows = self
            .ask(
                "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.format('pg_temp.%I', c.relname) \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
                &[(&table, Type::OID)],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Some(Vec::new()));
        };
        let client = self.session.client();
        client.batch_execute("BEGIN").await.map_err(Fault::of)?;
        let compared = self.compare(wanted, row.get(0), row.get(1), indexes).await;
        client.batch_execute("ROLLBACK").await.map_err(Fault::of)?;
        match compared {
            Ok(same) => Ok(Some(same)),
            Err(error) if is_passing(&error) => Err(Fault::of(error)),
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "cannot build the index on a copy of its table");
                Ok(None)
            }
        }
    }

    /// The copy and its index are created under the settings of the file, and compared under ours.
    async fn compare(
        &self,
        wanted: &Wanted<'_>,
        original: &str,
        copy: &str,
        indexes: &[u32],
    ) -> Result<Vec<u32>, Error> {
        let unique = if wanted.unique { "UNIQUE " } else { "" };
        let client = self.session.client();
        client
            .batch_execute(&format!("CREATE TEMPORARY TABLE {copy} (LIKE {original})"))
            .await?;
        client
            .batch_execute(&format!(
                "CREATE {unique}INDEX ON {copy} {}",
                wanted.definition
            ))
            .await?;
        self.session.become_bookkeeper().await?;
        let mut same = Vec::new();
        for index in indexes {
            let rows = client
                .query_typed(SAME, &[(index, Type::OID), (&copy, Type::TEXT)])
                .await?;
            if rows.first().is_some_and(|row| row.get(0)) {
                same.push(*index);
            }
        }
        Ok(same)
    }
}

/// Whether the error is unrelated to the definition: the lock on the table was not obtained, the user cancelled, or the
/// connection is lost.
fn is_passing(error: &Error) -> bool {
    [
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::QUERY_CANCELED,
    ]
    .iter()
    .any(|state| error.code() == Some(state))
        || error.as_db_error().is_none()
        || pg_session::is_connection_lost(error)
}
