//! Whether the server reads a file as it was checked.
//!
//! Responsible for: looking at the settings of the session on which the reading of text depends, before a file and after it, and the
//! refusal. A database, a role or a function can set them; what a file's own text shows is refused earlier (`planning`). Floor 3.

use crate::domain::{commented, in_sql};
use tokio_postgres::SimpleQueryMessage;

use super::fault::Fault;
use super::step::StepContext;
use crate::postgres::{Session, quote_identifier};
use crate::sql::ReadingSetting;

/// When it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    BeforeFile,
    AfterFile,
}

/// Refuses a session in which the server would read the file differently, or that the file has made such.
pub(super) async fn check_reading(
    session: &Session,
    context: &StepContext<'_>,
    looked: Looked,
) -> Result<(), Fault> {
    // The settings of the file hold: `SHOW` looks up no names, and is no query before which `SET TRANSACTION` would have to come.
    let shown = session
        .client()
        .simple_query("SHOW standard_conforming_strings; SHOW client_encoding")
        .await
        .map_err(Fault::of)?;
    let values = shown.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let settings = [
        ReadingSetting::StandardConformingStrings,
        ReadingSetting::ClientEncoding,
    ];
    for (setting, value) in settings.into_iter().zip(values) {
        if !setting.is_as_checked(value) {
            let address = session.address();
            let (database, role) = (address.database(), address.user());
            return Err(refusal(context, looked, setting, value, database, role));
        }
    }
    Ok(())
}

fn refusal(
    context: &StepContext<'_>,
    looked: Looked,
    setting: ReadingSetting,
    value: &str,
    database: &str,
    role: &str,
) -> Fault {
    let name = setting.name();
    let wanted = match setting {
        ReadingSetting::StandardConformingStrings => "on",
        ReadingSetting::ClientEncoding => "UTF8",
    };
    match looked {
        Looked::BeforeFile => Fault::refused(
            format!(
                "{name} is {value} in this database for the role {role}: the server would read the file differently from how it was \
                 checked"
            ),
            in_sql(
                format!(
                    "ALTER ROLE {} IN DATABASE {} SET {name} = {wanted}",
                    quote_identifier(role),
                    quote_identifier(database)
                ),
                format!("or remove it from PGOPTIONS; then: {}", context.run_again),
            ),
        ),
        Looked::AfterFile => Fault::refused(
            format!(
                "the file has set {name} to {value}: the server would read what follows differently from how it was checked"
            ),
            commented(
                context.run_again,
                format!(
                    "first remove what sets {name} from {} or from a function that it calls",
                    context.script().path
                ),
            ),
        ),
    }
}
