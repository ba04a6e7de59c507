//! The integration service's migrations, compiled in.

use engine::source::EmbeddedService;

mod up {
    refinery::embed_migrations!("migrations");
}

mod down {
    refinery::embed_migrations!("reverts");
}

/// The integration service.
pub static SERVICE: EmbeddedService = EmbeddedService {
    folder: "integration",
    definition: include_str!("../service.toml"),
    migrations: up::migrations::runner,
    reverts: down::migrations::runner,
    dependencies: &[&audit_migrations::SERVICE, &workflow_migrations::SERVICE],
    dependents: include!(concat!(env!("OUT_DIR"), "/dependents.rs")),
};
