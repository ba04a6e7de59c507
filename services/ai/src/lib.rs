//! The ai service's migrations, compiled in.

use engine::source::EmbeddedService;

mod up {
    refinery::embed_migrations!("migrations");
}

mod down {
    refinery::embed_migrations!("reverts");
}

/// The ai service.
pub static SERVICE: EmbeddedService = EmbeddedService {
    folder: "ai",
    definition: include_str!("../service.toml"),
    migrations: up::migrations::runner,
    reverts: down::migrations::runner,
    dependencies: &[&audit_migrations::SERVICE],
    dependents: include!(concat!(env!("OUT_DIR"), "/dependents.rs")),
};
