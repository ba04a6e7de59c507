//! The `graph` command.

use domain::{Diagnostic, ExitStatus};
use service_cli::command::{Context, print_document, print_exact};

use crate::graph::{Shape, document, render};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator graph
  orchestrator graph --format dot | dot -Tsvg > services.svg
  orchestrator graph --format mermaid")]
pub(super) struct Args {
    /// The format of the graph
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Shape>,
}

pub(super) fn graph(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    if args.format.is_some_and(|shape| shape != Shape::Json) {
        super::refuse_json(&context.globals, "--format")?;
    }
    let fallback = if context.is_human() {
        Shape::Text
    } else {
        Shape::Json
    };
    let document = document(&context.fleet);
    match args.format.unwrap_or(fallback) {
        Shape::Json => print_document(&document)?,
        Shape::Text => super::print(&render(&document, Shape::Text))?,
        shape => print_exact(&render(&document, shape))?,
    }
    Ok(ExitStatus::Done)
}
