//! Checks that the server parses a file in the way in which it was checked.
//!
//! Before and after a file, it checks the session settings that affect parsing, and refuses unexpected values. A database, a role or a
//! function can set them. Settings that are visible in the file's own text are refused earlier (`planning`).

use domain::{commented, in_sql};
use tokio_postgres::SimpleQueryMessage;

use super::fault::Fault;
use super::step::StepContext;
use pg_session::Session;
use pg_sql::{ReadingSetting, quote_identifier};

/// When the check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckTime {
    BeforeFile,
    AfterFile,
}

/// Asks for the settings. It runs under those of the file: `SHOW` resolves no names, and `SET TRANSACTION` is still allowed after it.
pub(super) const QUESTION: &str = "SHOW standard_conforming_strings; SHOW client_encoding";

/// Refuses a session in which the server would parse the file differently, or the rest of it because of the file.
pub(super) async fn check_reading(
    session: &Session,
    context: &StepContext<'_>,
    time: CheckTime,
) -> Result<(), Fault> {
    let asking = session.client().simple_query(QUESTION);
    judge_reading(session, context, time, &asking.await.map_err(Fault::of)?)
}

/// The same with the answers to [`QUESTION`].
pub(super) fn judge_reading(
    session: &Session,
    context: &StepContext<'_>,
    time: CheckTime,
    shown: &[SimpleQueryMessage],
) -> Result<(), Fault> {
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
            return Err(refusal(context, time, setting, value, database, role));
        }
    }
    Ok(())
}

fn refusal(
    context: &StepContext<'_>,
    time: CheckTime,
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
    match time {
        CheckTime::BeforeFile => Fault::refused(
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
                format!(
                    "or remove it from PGOPTIONS; then: {}",
                    context.rerun_command
                ),
            ),
        ),
        CheckTime::AfterFile => Fault::refused(
            format!(
                "the file has set {name} to {value}: the server would read what follows differently from how it was checked"
            ),
            commented(
                context.rerun_command,
                format!(
                    "first remove what sets {name} from {} or from a function that it calls",
                    context.script().path
                ),
            ),
        ),
    }
}
