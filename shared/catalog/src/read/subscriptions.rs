//! Subscriptions of this database.
//!
//! The connection contains secrets: superusers, who alone may read it, get a digest; other roles get nothing.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::owner;
use crate::kind::Kind;

/// Subscriptions. An option is set if it differs from its default in the versions that have it.
pub(super) fn subscriptions(server: &Server) -> Family {
    let connection = if server.superuser {
        "left(md5(s.subconninfo), 8)"
    } else {
        "NULL::text"
    };
    // A boolean in 14 and 15; 'f', 't' or 'p' (parallel) since 16. The default was off, and is 'p' since 18.
    let streaming = server.since(
        18,
        "NULLIF(s.substream::text, 'p')",
        server.since(
            16,
            "NULLIF(s.substream::text, 'f')",
            "CASE WHEN s.substream THEN 't' END",
        ),
    );
    let two_phase = server.since(
        15,
        "CASE WHEN s.subtwophasestate <> 'd' THEN 'yes' END",
        "NULL::text",
    );
    let disable = server.since(
        15,
        "CASE WHEN s.subdisableonerr THEN 'yes' END",
        "NULL::text",
    );
    let password = server.since(
        16,
        "CASE WHEN NOT s.subpasswordrequired THEN 'no' END",
        "NULL::text",
    );
    let run_as = server.since(16, "CASE WHEN s.subrunasowner THEN 'yes' END", "NULL::text");
    let origin = server.since(16, "NULLIF(s.suborigin, 'any')", "NULL::text");
    let failover = server.since(17, "CASE WHEN s.subfailover THEN 'yes' END", "NULL::text");
    Family {
        catalog: "pg_subscription",
        kind: KindOf::All(Kind::Subscription),
        naming: Naming::Plain,
        class: ' ',
        attributes: &[
            "connection digest", "publications", "slot", "synchronous commit", "binary", "streaming", "two phase",
            "disable on error", "password required", "run as owner", "origin", "failover",
        ],
        sql: format!(
            "SELECT s.oid, s.subname AS name, {owner}, {connection} AS \"connection digest\",
                array_to_string(s.subpublications, ', ') AS publications, s.subslotname AS slot,
                NULLIF(s.subsynccommit, 'off') AS \"synchronous commit\", CASE WHEN s.subbinary THEN 'yes' END AS \"binary\",
                {streaming} AS streaming, {two_phase} AS \"two phase\", {disable} AS \"disable on error\",
                {password} AS \"password required\", {run_as} AS \"run as owner\", {origin} AS origin, {failover} AS failover
            FROM pg_subscription AS s
            WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())",
            owner = owner("s.subowner"),
        )
    }
}
