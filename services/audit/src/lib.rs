//! The audit service's migrations, compiled in.

use engine::source::EmbeddedService;

mod up {
    refinery::embed_migrations!("migrations");
}

mod down {
    refinery::embed_migrations!("reverts");
}

/// The audit service.
pub static SERVICE: EmbeddedService = EmbeddedService {
    folder: "audit",
    definition: include_str!("../service.toml"),
    migrations: up::migrations::runner,
    reverts: down::migrations::runner,
    dependencies: &[&reporting_migrations::SERVICE],
    dependents: include!(concat!(env!("OUT_DIR"), "/dependents.rs")),
};
