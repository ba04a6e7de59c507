//! Compares a service's `schema.sql` with what its migrations produce.

use domain::{Diagnostic, Finding, Service, suggest};
use drift::schema_difference;
use generate::schema_differences;
use lint::rules::{Rulebook, slugs};
use report::units::count;
use scratch::{ScratchError, ScratchServers};
use service_cli::command::Selected;

/// The finding about a service's `schema.sql`, if it exists.
///
/// # Errors
/// When it cannot be read, the scratch databases cannot be used, or the migrations do not run.
pub(super) async fn schema_file(
    scratch_servers: &ScratchServers<'_>,
    service: &Service,
    selected: &Selected,
    rulebook: &Rulebook,
) -> Result<Option<Finding>, ScratchError> {
    let Some(severity) = rulebook.severity(&slugs::SCHEMA_FILE_DIFFERS) else {
        return Ok(None);
    };
    let services = scratch_servers.context().services_folder();
    let path = crate::schema::path(&services, service);
    let schema = match std::fs::read_to_string(&path) {
        Ok(schema) => schema,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("cannot read {}", path.display());
            return Err(Diagnostic::failed(message, &error).into());
        }
    };
    let address = scratch_servers.address(service, selected).await?;
    let compared = schema_differences(scratch_servers, service, &address, &schema).await?;
    let (message, differences) = match compared {
        Ok(differences) if differences.is_empty() => return Ok(None),
        Ok(differences) => (
            format!(
                "{} between schema.sql (expected) and what the migrations produce (found)",
                count(differences.len(), "difference")
            ),
            differences,
        ),
        Err(message) => (format!("schema.sql does not load: {message}"), Vec::new()),
    };
    let name = service.name.as_str();
    Ok(Some(Finding {
        rule: slugs::SCHEMA_FILE_DIFFERS.slug.to_owned(),
        severity,
        service: service.name.clone(),
        version: None,
        file: service.path.replace("service.toml", "schema.sql"),
        place: None,
        message,
        safe_form: Some(format!(
            "{}, or, if the migrations are right, {}",
            suggest(["generate", name, "Name"]),
            suggest(["schema", "dump", name])
        )),
        differences: differences.into_iter().map(schema_difference).collect(),
        allowed: None,
    }))
}
