//! The transaction in which a snapshot is read.
//!
//! Provides one consistent view of the catalog, and settings that qualify names and use one format for values, whatever
//! the session's settings. Ends the transaction even if reading is aborted.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::FutureExt;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// `pg_dump`'s own settings, and a time zone, so that partition bounds have one format. JIT compilation would take longer
/// than these queries.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL search_path = '';
    SET LOCAL datestyle = 'ISO';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL timezone = 'UTC';
    SET LOCAL extra_float_digits = 3;
    SET LOCAL bytea_output = 'hex';
    SET LOCAL quote_all_identifiers = off;
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL row_security = off;
    SET LOCAL jit = off;";

/// Catalogs that are empty of user objects in most databases. Planning a query that finds nothing costs about as much as
/// checking all of these at once.
const RARE: [&str; 24] = [
    "pg_am",
    "pg_cast",
    "pg_collation",
    "pg_conversion",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
];

/// The catalog that must have rows for another one to have any.
const HOSTS: [(&str, &str); 3] = [
    ("pg_user_mapping", "pg_foreign_server"),
    ("pg_publication_rel", "pg_publication"),
    ("pg_publication_namespace", "pg_publication"),
];

/// Facts about the server that the queries depend on.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// `server_version_num`.
    pub(super) version: u32,
    /// Whether the session may read what only superusers may.
    pub(super) superuser: bool,
    /// The rare catalogs that have rows of this database.
    inhabited: Vec<String>,
}

impl Server {
    /// One of two SQL fragments: for servers from a major version on, or before it.
    pub(super) fn since<'a>(&self, major: u32, then: &'a str, before: &'a str) -> &'a str {
        if self.version / 10_000 >= major {
            then
        } else {
            before
        }
    }

    /// Whether the catalog may contain user objects.
    pub(super) fn may_have(&self, catalog: &str) -> bool {
        let host = HOSTS
            .iter()
            .find(|(guest, _)| *guest == catalog)
            .map_or(catalog, |(_, host)| host);
        !RARE.contains(&host) || self.inhabited.iter().any(|inhabited| inhabited == host)
    }
}

/// A transaction that ends at the latest when this value is dropped.
pub(super) struct SnapshotTransaction<'a> {
    client: &'a Client,
    open: bool,
    /// The queries that the session has prepared; `None` if queries are not to be prepared.
    prepared: Option<BTreeSet<String>>,
}

/// What the names of prepared queries begin with.
const PREPARED: &str = "orchestrator_catalog_";

impl<'a> SnapshotTransaction<'a> {
    /// Opens the transaction. The client must not be in one.
    pub(super) async fn begin(client: &'a Client) -> Result<(Self, Server), Error> {
        Self::open(client, None).await
    }

    /// As [`Self::begin`], with queries that stay prepared in the session.
    pub(super) async fn begin_prepared(client: &'a Client) -> Result<(Self, Server), Error> {
        Self::open(client, Some(BTreeSet::new())).await
    }

    async fn open(
        client: &'a Client,
        prepared: Option<BTreeSet<String>>,
    ) -> Result<(Self, Server), Error> {
        let mut transaction = Self {
            client,
            open: true,
            prepared,
        };
        let inhabited: Vec<String> = RARE
            .iter()
            .map(|catalog| format!("CASE WHEN EXISTS (SELECT FROM {catalog} WHERE oid >= 16384) THEN '{catalog}' END"))
            .collect();
        let begin = format!(
            "{BEGIN} SELECT current_setting('server_version_num') AS version,
                current_setting('is_superuser') AS superuser, concat_ws(' ', {}) AS inhabited,
                (SELECT string_agg(name, ' ') FROM pg_prepared_statements WHERE starts_with(name, '{PREPARED}')) AS prepared",
            inhabited.join(", "),
        );
        let mut server = Server {
            version: 0,
            superuser: false,
            inhabited: Vec::new(),
        };
        for message in client.simple_query(&begin).await? {
            if let SimpleQueryMessage::Row(row) = message {
                let version = row.try_get("version")?.unwrap_or_default();
                server.version = version.parse().unwrap_or_default();
                server.superuser = row.try_get("superuser")? == Some("on");
                let inhabited = row.try_get("inhabited")?.unwrap_or_default();
                server.inhabited = inhabited.split(' ').map(str::to_owned).collect();
                if let Some(prepared) = &mut transaction.prepared {
                    let names = row.try_get("prepared")?.unwrap_or_default();
                    prepared.extend(names.split(' ').map(str::to_owned));
                }
            }
        }
        Ok((transaction, server))
    }

    /// Sends one query; several may be in flight at once.
    pub(super) async fn query(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        let Some(prepared) = &self.prepared else {
            return self.client.simple_query(sql).await;
        };
        let mut hasher = DefaultHasher::new();
        sql.hash(&mut hasher);
        let name = format!("{PREPARED}{:016x}", hasher.finish());
        let sql = match prepared.contains(&name) {
            true => format!("EXECUTE {name}"),
            false => format!("PREPARE {name} AS {sql}; EXECUTE {name}"),
        };
        self.client.simple_query(&sql).await
    }

    pub(super) async fn finish(mut self) -> Result<(), Error> {
        self.open = false;
        self.client.batch_execute("COMMIT").await
    }
}

impl Drop for SnapshotTransaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // The first poll queues the message on the connection; the answer is not needed.
            let _sent = self.client.batch_execute("ROLLBACK").now_or_never();
        }
    }
}
