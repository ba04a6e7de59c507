//! Reference documentation is generated from the code.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, Command};

/// Compares a page with what the code produces, or writes it if `UPDATE_DOCS` is set.
#[track_caller]
fn assert_generated(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap_or_else(|error| panic!("{page}: {error}"));
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{page} is stale; next: UPDATE_DOCS=1 cargo test -p tests --test e2e reference::"
    );
}

#[test]
fn the_command_line_is_described() {
    let mut page = "\
# Command line

Generated from the programs: `UPDATE_DOCS=1 cargo test -p tests --test e2e reference::`. The options of `orchestrator` itself are
global: every command and every service program accepts them, before and after the command. A service program such as
`policy-migrations` is described [at the end](#policy-migrations).
"
    .to_owned();
    for mut program in [
        orchestrator::cli::command(),
        service_cli::service_command("policy-migrations"),
    ] {
        program.build();
        describe(&mut page, &program, 2);
    }
    assert_generated("docs/cli.md", &page);
}

#[test]
fn the_schemas_are_those_of_the_types() {
    for (name, schema) in orchestrator::cli::schemas() {
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
        assert_generated(
            &format!("docs/schemas/{name}.schema.json"),
            &format!("{text}\n"),
        );
    }
}

/// A section for a command, and one for each of its subcommands.
fn describe(page: &mut String, command: &Command, level: usize) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_about().cloned().unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let aliases: String = command
        .get_visible_aliases()
        .map(|alias| format!(" Also: `{alias}`."))
        .collect();
    let _ = write!(
        page,
        "\n{} {name}\n\n{about}.{aliases}\n",
        "#".repeat(level)
    );
    let _ = write!(page, "\n```text\n{usage}\n```\n");
    // Global options are described once, with the orchestrator.
    let is_orchestrator = name == "orchestrator";
    let arguments: Vec<String> = command
        .get_arguments()
        .filter(|it| !it.is_hide_set() && (is_orchestrator || !it.is_global_set()))
        .filter(|it| !["help", "version"].contains(&it.get_id().as_str()))
        .map(row)
        .collect();
    if !arguments.is_empty() {
        let _ = write!(
            page,
            "\n| | default | |\n|---|---|---|\n{}",
            arguments.concat()
        );
    }
    if let Some(more) = command.get_after_help() {
        let _ = write!(page, "\n```text\n{more}\n```\n");
    }
    for subcommand in command.get_subcommands() {
        describe(page, subcommand, level + 1);
    }
}

fn row(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("`-{short}`, "));
    let short = short.unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let values = argument.get_default_values().iter().filter(|_| takes_value);
    let default: String = values
        .map(|value| format!("`{}` ", value.to_string_lossy()))
        .collect();
    let mut help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    if let Some(variable) = argument.get_env() {
        let _ = write!(help, " [also: {}]", variable.to_string_lossy());
    }
    let mut help = help.replace('<', "\\<");
    for value in argument
        .get_possible_values()
        .iter()
        .filter(|_| takes_value)
    {
        let meaning = value.get_help().map(|help| format!(": {help}"));
        let meaning = meaning.unwrap_or_default();
        let _ = write!(help, "<br>`{}`{meaning}", value.get_name());
    }
    // Within a table, `|` is escaped even in code.
    let name = argument.to_string().replace('|', "\\|");
    let help = help.replace('|', "\\|");
    format!("| {short}`{name}` | {default}| {help} |\n")
}
