//! The splitter against PostgreSQL itself: the server counts the same statements in the same text.

use pg_sql::split;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use tests::Server;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Text for literals, names and comments, including all opening and closing delimiters.
fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,6}", "[;'\"\\\\$()/*é\\n-]{0,8}", "[^\\x00]{0,6}"]
}

/// One value, written in one of PostgreSQL's ways.
fn values() -> impl Strategy<Value = String> {
    let tag = "[a-z_é]{0,3}";
    prop_oneof![
        words().prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        words().prop_map(|text| {
            let text = text.replace('\\', "\\\\").replace('\'', "\\'");
            format!("E'{text}'")
        }),
        words().prop_map(|text| format!("'a'\n  -- it's ;\n'{}'", text.replace('\'', "''"))),
        words().prop_map(|text| {
            let text = text.replace('!', "!!").replace('\'', "''");
            format!("U&'{text}' UESCAPE '!'")
        }),
        (words(), tag).prop_map(|(text, tag)| {
            // The text must not contain the closing tag, or end with its start.
            let text = text.replace('$', "S");
            format!("${tag}${text}${tag}$")
        }),
        words().prop_map(|text| {
            let name: String = text.replace('"', "\"\"");
            format!("(SELECT 1 AS \"x{name}\")")
        }),
        Just("B'101'".to_owned()),
        Just("x'1F'".to_owned()),
        Just("1+-2".to_owned()),
        Just("CASE WHEN true THEN 1 END".to_owned()),
        Just("(1)".to_owned()),
    ]
}

fn blanks() -> impl Strategy<Value = String> {
    let comment = words().prop_map(|text| format!("/*{}*/", text.replace(['*', '/'], "+")));
    let line = words().prop_map(|text| format!("--{}\n", text.replace(['\n', '\r'], " ")));
    prop_oneof![
        4 => prop::sample::select(vec![" ", "\n", "\t", "\r\n", "\u{c}", "/* /* ; */ ' */"]).prop_map(str::to_owned),
        1 => comment,
        1 => line,
    ]
}

/// A statement with blanks of all kinds between its words.
fn statements() -> impl Strategy<Value = String> {
    let select = (prop::collection::vec(values(), 1..3), blanks()).prop_map(|(values, blank)| {
        let values = values.join(&format!("{blank},"));
        format!("SELECT{blank}{values}")
    });
    let routine = (values(), any::<u16>()).prop_map(|(value, number)| {
        format!(
            "CREATE OR REPLACE FUNCTION pg_temp.f{number}(int) RETURNS text BEGIN ATOMIC SELECT {value}; \
             SELECT CASE WHEN true THEN 'a' END AS end; END"
        )
    });
    prop_oneof![
        6 => select,
        1 => routine,
        1 => Just("DO $do$ BEGIN NULL; /* ' */ END; $do$".to_owned()),
        1 => Just("SET LOCAL search_path = 'a;b'".to_owned()),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    let end = (
        blanks(),
        prop::sample::select(vec![";", ";;", "; ;"]),
        blanks(),
    );
    let ended = (statements(), end)
        .prop_map(|(statement, (before, end, after))| format!("{statement}{before}{end}{after}"));
    (
        blanks(),
        prop::collection::vec(ended, 0..5),
        prop::option::of(statements()),
    )
        .prop_map(|(head, ended, last)| {
            format!("{head}{}{}", ended.concat(), last.unwrap_or_default())
        })
}

/// How many statements the server ran.
async fn completed(client: &Client, sql: &str) -> Result<usize, String> {
    let messages = client
        .simple_query(sql)
        .await
        .map_err(|error| match error.as_db_error() {
            Some(error) => format!("{} ({})", error.message(), error.code().code()),
            None => error.to_string(),
        })?;
    let done =
        |message: &&SimpleQueryMessage| matches!(message, SimpleQueryMessage::CommandComplete(_));
    Ok(messages.iter().filter(done).count())
}

#[test]
fn the_server_counts_the_same_statements() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (client, connection) = runtime
        .block_on(tokio_postgres::connect(&server.url("postgres"), NoTls))
        .unwrap();
    let driver = runtime.spawn(connection);
    let check = |text: String| -> TestCaseResult {
        let counted = runtime.block_on(completed(&client, &text));
        let statements =
            split(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text:?}")))?;
        // The client counts the answer to an empty text, too.
        prop_assert_eq!(counted, Ok(statements.len().max(1)), "{}", text);
        // Each of them alone is one, too.
        for statement in statements {
            prop_assert_eq!(
                runtime.block_on(completed(&client, statement.text)),
                Ok(1),
                "{}",
                statement.text
            );
        }
        Ok(())
    };
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&texts(), check)
        .unwrap_or_else(|error| panic!("{error}"));
    drop(client);
    runtime.block_on(driver).unwrap().unwrap();
}
