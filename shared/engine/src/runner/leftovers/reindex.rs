//! `REINDEX CONCURRENTLY`: builds `<index>_ccnew`, swaps it with the index, drops what is then `<index>_ccold`.

use tokio_postgres::types::Type;

use super::before::{Before, Scope};
use super::{CatalogCheck, Finding, indexes};
use crate::runner::fault::Fault;
use pg_sql::ReindexTarget;

/// The INVALID copies on the tables of a scope (`$1`, `$2`) and their TOAST tables, except those in `$3`.
pub(super) const COPIES: &str = r"
    WITH tables AS (
        SELECT t.oid, t.reltoastrelid FROM pg_catalog.pg_class t
        WHERE t.relkind IN ('r', 'm', 'p', 't') AND CASE $1
            WHEN 'table' THEN t.oid = $2 OR t.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree($2))
            WHEN 'schema' THEN t.relnamespace = $2
            ELSE true END
    )
    SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), i.indrelid
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relname ~ '_cc(new|old)[0-9]*$' AND c.oid <> ALL ($3)
        AND (i.indrelid IN (SELECT oid FROM tables) OR i.indrelid IN (SELECT reltoastrelid FROM tables))
    ORDER BY 2";

impl Scope {
    /// The parameters of `COPIES`.
    pub(super) fn parameters(self) -> (&'static str, u32) {
        match self {
            Self::Table(oid) => ("table", oid),
            Self::Schema(oid) => ("schema", oid),
            Self::Database => ("database", 0),
        }
    }
}

struct Copy {
    oid: u32,
    qualified: String,
    table: u32,
}

pub(super) async fn reindexed(
    catalog: &CatalogCheck<'_>,
    target: &ReindexTarget,
    earlier: Option<&Before>,
) -> Result<Finding, Fault> {
    let Some(Before::Reindex {
        scope,
        copies: foreign,
    }) = earlier
    else {
        let Some(scope) = catalog.scope(target).await? else {
            return Ok(Finding::run_as_it_is());
        };
        let copies = catalog.copies(scope, &[]).await?;
        let copies = copies.iter().map(|copy| copy.oid).collect();
        return Ok(Finding::run(Before::Reindex { scope, copies }));
    };
    let scope = *scope;
    let mut ours = catalog.copies(scope, foreign).await?;
    if !ours.is_empty() {
        let tables: Vec<u32> = ours.iter().map(|copy| copy.table).collect();
        catalog.until_settled(&tables).await?;
        ours = catalog.copies(scope, foreign).await?;
    }
    Ok(Finding::Run {
        first: ours
            .iter()
            .map(|copy| indexes::drop(&copy.qualified))
            .collect(),
        recovered: ours.first().map(|copy| match ours.len() {
            1 => format!(
                "dropped the INVALID copy {} of an earlier attempt and started over",
                copy.qualified
            ),
            number => format!(
                "dropped {number} INVALID copies of an earlier attempt, such as {}, and started over",
                copy.qualified
            ),
        }),
        before: Some(Before::Reindex {
            scope,
            copies: foreign.clone(),
        }),
    })
}

impl CatalogCheck<'_> {
    async fn scope(&self, target: &ReindexTarget) -> Result<Option<Scope>, Fault> {
        let (sql, name) = match target {
            ReindexTarget::Index(name) => {
                let Some(index) = self.relation(name).await? else {
                    return Ok(None);
                };
                let sql = "SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = $1";
                let rows = self.ask(sql, &[(&index, Type::OID)]).await?;
                return Ok(rows.first().map(|row| Scope::Table(row.get(0))));
            }
            ReindexTarget::Table(name) => {
                return Ok(self.relation(name).await?.map(Scope::Table));
            }
            ReindexTarget::Schema(name) => (
                "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1",
                name.clone(),
            ),
            ReindexTarget::Database => return Ok(Some(Scope::Database)),
        };
        let rows = self.ask(sql, &[(&name, Type::TEXT)]).await?;
        Ok(rows.first().map(|row| Scope::Schema(row.get(0))))
    }

    async fn copies(&self, scope: Scope, but: &[u32]) -> Result<Vec<Copy>, Fault> {
        let (kind, oid) = scope.parameters();
        let rows = self
            .ask(
                COPIES,
                &[
                    (&kind, Type::TEXT),
                    (&oid, Type::OID),
                    (&but, Type::OID_ARRAY),
                ],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Copy {
                oid: row.get(0),
                qualified: row.get(1),
                table: row.get(2),
            })
            .collect())
    }
}
