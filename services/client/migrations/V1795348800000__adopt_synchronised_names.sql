-- migration: lock-timeout 2s
--
-- First of five steps that bring a migrated database to the schema that the application's
-- synchronisation gave the live ones. Afterwards synchronisation can be switched off: it would take
-- away again what later migrations add.
--
-- Enum types, indexes and foreign keys get the names that the application derives from its entities.
-- Only names change: no row is read or written, nothing is rebuilt, nothing is lost. The tables are
-- locked for as long as that takes. Foreign keys whose ON DELETE differs as well, and the unique
-- constraint of client_users, follow in the next steps.

-- Each of these types is used by one column.
ALTER TYPE billing_frequency RENAME TO contracts_billingfrequency_enum;
ALTER TYPE contract_status RENAME TO contracts_status_enum;
ALTER TYPE contract_type RENAME TO contracts_type_enum;
ALTER TYPE payment_terms RENAME TO contracts_paymentterms_enum;
ALTER TYPE line_item_billing_cycle RENAME TO contract_line_items_billingcycle_enum;
ALTER TYPE line_item_type RENAME TO contract_line_items_type_enum;

-- clients: organizationId, complianceStatus, slug, status
ALTER INDEX "IDX_0a7eb01e21b1bfd0797ec1db50a" RENAME TO "IDX_8d3cec4a5221398155c784ff78";
ALTER INDEX "IDX_54bb80ce854029cdc1ca9b7c6c5" RENAME TO "IDX_f89fc8680995cadfd06064e902";
ALTER INDEX "IDX_ad0c1c446ac158de654e8820221" RENAME TO "IDX_2a850b0972b11500683fe49b3c";
ALTER INDEX "IDX_f5cf96d22cbc89ee6f67f7e3e8a" RENAME TO "IDX_8468e296bc86338b10e1db1a77";

-- client_users: status, clientId, userId
ALTER INDEX "IDX_6c68f25bb5f1e8c58c89f59cf38" RENAME TO "IDX_5b27ec57ce8bb103e25d388ebd";
ALTER INDEX "IDX_e2e4dc395e772074fb2fb64b8e6" RENAME TO "IDX_3cd05fd13c044ffd22f5bf2ec1";
ALTER INDEX "IDX_f0c67c77c5e638e147c67ed2b84" RENAME TO "IDX_d51f0c13ed457cabc2075a9bd7";
ALTER TABLE client_users
    RENAME CONSTRAINT "FK_e2e4dc395e772074fb2fb64b8e6" TO "FK_3cd05fd13c044ffd22f5bf2ec1a";

-- contracts: startDate, endDate, clientId, status, contractNumber
ALTER INDEX "IDX_1a2b3c4d5e6f7890ab1c2d3e456" RENAME TO "IDX_7aeb7b91e442482a67f369b3b0";
ALTER INDEX "IDX_2b3c4d5e6f7890ab1c2d3e45678" RENAME TO "IDX_9ec6461063aa4ba283afb928ac";
ALTER INDEX "IDX_d3c91e4b2e3f48359c7b8000e12" RENAME TO "IDX_62a5163bebb9d95e503b01c0fb";
ALTER INDEX "IDX_e4f73a5b3c2d45678a9b1d3e456" RENAME TO "IDX_78fd0b9f9cbfc7869ca4d9f5e3";
ALTER INDEX "IDX_f7c91e57a5f344e18b93f97ed54" RENAME TO "IDX_375897948211b379ad8726c5e6";
ALTER TABLE contracts
    RENAME CONSTRAINT "FK_d3c91e4b2e3f48359c7b8000e12" TO "FK_62a5163bebb9d95e503b01c0fb0";

-- contract_line_items: contractId
ALTER INDEX "IDX_9e8f7a5b3c2d4567890ab1c2d3f" RENAME TO "IDX_19d7175743a4aa8910845d4d3e";
ALTER TABLE contract_line_items
    RENAME CONSTRAINT "FK_9e8f7a5b3c2d4567890ab1c2d3f" TO "FK_19d7175743a4aa8910845d4d3ea";

-- client_audits: clientId, status, framework, scheduledStartDate
ALTER INDEX "IDX_6a4e9cfb19b44a269b00b6a5cd3" RENAME TO "IDX_ac0f324441f362df0882f552bd";
ALTER INDEX "IDX_8b7f9d1e2c3e4567ab1d2e4f789" RENAME TO "IDX_55ec00129278196a50b04c38f1";
ALTER INDEX "IDX_9c8fa2b3d4e5678bc2e3f5a890" RENAME TO "IDX_209cc6bcf244f05c2620afe8d5";
ALTER INDEX "IDX_ad9eb3c5e6f7890cd3f4a5b9012" RENAME TO "IDX_d7c8696627e6ba54e00175960a";
ALTER TABLE client_audits
    RENAME CONSTRAINT "FK_6a4e9cfb19b44a269b00b6a5cd3" TO "FK_ac0f324441f362df0882f552bdc";

-- client_documents: clientId, type, status
ALTER INDEX "IDX_4a3c8cfb19b44a269b00b6a4be7" RENAME TO "IDX_25deab70a449af0386535f617b";
ALTER INDEX "IDX_a8d7d6e1d3f5463aa1e7f3c9876" RENAME TO "IDX_29560e66c5741a2625488b8faf";
ALTER INDEX "IDX_b9e8f7c2e4d74832bb5f8a2c431" RENAME TO "IDX_f1f90e5e873f6da2e82179065b";
ALTER TABLE client_documents
    RENAME CONSTRAINT "FK_4a3c8cfb19b44a269b00b6a4be7" TO "FK_25deab70a449af0386535f617bd";

-- audit_trails: resourceType and resourceId, userId, clientId, action, timestamp
ALTER INDEX "IDX_1b2c3d4e5f6789ab01c2d3e4567" RENAME TO "IDX_76dfe30570bcaf7e461aa4c8ae";
ALTER INDEX "IDX_2c3d4e5f67890ab1c2d3e456789" RENAME TO "IDX_c75f9501856f4747a8069edab7";
ALTER INDEX "IDX_3d4e5f6789ab01c2d3e45678901" RENAME TO "IDX_b23a2d14bcb0fdc3a746d4550a";
ALTER INDEX "IDX_4e5f67890ab1c2d3e45678901ab" RENAME TO "IDX_43d5e8e713e719ef4e8d352198";
ALTER INDEX "IDX_5f67890ab1c2d3e45678901abcd" RENAME TO "IDX_581774c8c3fbc2d9853b1bdabe";
ALTER TABLE audit_trails
    RENAME CONSTRAINT "FK_3d4e5f6789ab01c2d3e45678901" TO "FK_b23a2d14bcb0fdc3a746d4550a2";
