//! The services that are compiled into the binary.

use engine::source::EmbeddedService;

/// The platform's services, in the order of the legacy guide.
pub static SERVICES: [&EmbeddedService; 11] = [
    &auth_migrations::SERVICE,
    &client_migrations::SERVICE,
    &policy_migrations::SERVICE,
    &control_migrations::SERVICE,
    &evidence_migrations::SERVICE,
    &workflow_migrations::SERVICE,
    &reporting_migrations::SERVICE,
    &audit_migrations::SERVICE,
    &integration_migrations::SERVICE,
    &notification_migrations::SERVICE,
    &ai_migrations::SERVICE,
];
