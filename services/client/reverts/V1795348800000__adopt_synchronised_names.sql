-- migration: lock-timeout 2s
-- migration: allow object-rename "only the names that the application derives from its entities; it uses no other"
--
-- Gives types, indexes and foreign keys their former names back. No row is read or written.

-- audit_trails: timestamp, action, clientId, userId, resourceType and resourceId
ALTER TABLE audit_trails
    RENAME CONSTRAINT "FK_b23a2d14bcb0fdc3a746d4550a2" TO "FK_3d4e5f6789ab01c2d3e45678901";
ALTER INDEX "IDX_581774c8c3fbc2d9853b1bdabe" RENAME TO "IDX_5f67890ab1c2d3e45678901abcd";
ALTER INDEX "IDX_43d5e8e713e719ef4e8d352198" RENAME TO "IDX_4e5f67890ab1c2d3e45678901ab";
ALTER INDEX "IDX_b23a2d14bcb0fdc3a746d4550a" RENAME TO "IDX_3d4e5f6789ab01c2d3e45678901";
ALTER INDEX "IDX_c75f9501856f4747a8069edab7" RENAME TO "IDX_2c3d4e5f67890ab1c2d3e456789";
ALTER INDEX "IDX_76dfe30570bcaf7e461aa4c8ae" RENAME TO "IDX_1b2c3d4e5f6789ab01c2d3e4567";

-- client_documents: status, type, clientId
ALTER TABLE client_documents
    RENAME CONSTRAINT "FK_25deab70a449af0386535f617bd" TO "FK_4a3c8cfb19b44a269b00b6a4be7";
ALTER INDEX "IDX_f1f90e5e873f6da2e82179065b" RENAME TO "IDX_b9e8f7c2e4d74832bb5f8a2c431";
ALTER INDEX "IDX_29560e66c5741a2625488b8faf" RENAME TO "IDX_a8d7d6e1d3f5463aa1e7f3c9876";
ALTER INDEX "IDX_25deab70a449af0386535f617b" RENAME TO "IDX_4a3c8cfb19b44a269b00b6a4be7";

-- client_audits: scheduledStartDate, framework, status, clientId
ALTER TABLE client_audits
    RENAME CONSTRAINT "FK_ac0f324441f362df0882f552bdc" TO "FK_6a4e9cfb19b44a269b00b6a5cd3";
ALTER INDEX "IDX_d7c8696627e6ba54e00175960a" RENAME TO "IDX_ad9eb3c5e6f7890cd3f4a5b9012";
ALTER INDEX "IDX_209cc6bcf244f05c2620afe8d5" RENAME TO "IDX_9c8fa2b3d4e5678bc2e3f5a890";
ALTER INDEX "IDX_55ec00129278196a50b04c38f1" RENAME TO "IDX_8b7f9d1e2c3e4567ab1d2e4f789";
ALTER INDEX "IDX_ac0f324441f362df0882f552bd" RENAME TO "IDX_6a4e9cfb19b44a269b00b6a5cd3";

-- contract_line_items: contractId
ALTER TABLE contract_line_items
    RENAME CONSTRAINT "FK_19d7175743a4aa8910845d4d3ea" TO "FK_9e8f7a5b3c2d4567890ab1c2d3f";
ALTER INDEX "IDX_19d7175743a4aa8910845d4d3e" RENAME TO "IDX_9e8f7a5b3c2d4567890ab1c2d3f";

-- contracts: contractNumber, status, clientId, endDate, startDate
ALTER TABLE contracts
    RENAME CONSTRAINT "FK_62a5163bebb9d95e503b01c0fb0" TO "FK_d3c91e4b2e3f48359c7b8000e12";
ALTER INDEX "IDX_375897948211b379ad8726c5e6" RENAME TO "IDX_f7c91e57a5f344e18b93f97ed54";
ALTER INDEX "IDX_78fd0b9f9cbfc7869ca4d9f5e3" RENAME TO "IDX_e4f73a5b3c2d45678a9b1d3e456";
ALTER INDEX "IDX_62a5163bebb9d95e503b01c0fb" RENAME TO "IDX_d3c91e4b2e3f48359c7b8000e12";
ALTER INDEX "IDX_9ec6461063aa4ba283afb928ac" RENAME TO "IDX_2b3c4d5e6f7890ab1c2d3e45678";
ALTER INDEX "IDX_7aeb7b91e442482a67f369b3b0" RENAME TO "IDX_1a2b3c4d5e6f7890ab1c2d3e456";

-- client_users: userId, clientId, status
ALTER TABLE client_users
    RENAME CONSTRAINT "FK_3cd05fd13c044ffd22f5bf2ec1a" TO "FK_e2e4dc395e772074fb2fb64b8e6";
ALTER INDEX "IDX_d51f0c13ed457cabc2075a9bd7" RENAME TO "IDX_f0c67c77c5e638e147c67ed2b84";
ALTER INDEX "IDX_3cd05fd13c044ffd22f5bf2ec1" RENAME TO "IDX_e2e4dc395e772074fb2fb64b8e6";
ALTER INDEX "IDX_5b27ec57ce8bb103e25d388ebd" RENAME TO "IDX_6c68f25bb5f1e8c58c89f59cf38";

-- clients: status, slug, complianceStatus, organizationId
ALTER INDEX "IDX_8468e296bc86338b10e1db1a77" RENAME TO "IDX_f5cf96d22cbc89ee6f67f7e3e8a";
ALTER INDEX "IDX_2a850b0972b11500683fe49b3c" RENAME TO "IDX_ad0c1c446ac158de654e8820221";
ALTER INDEX "IDX_f89fc8680995cadfd06064e902" RENAME TO "IDX_54bb80ce854029cdc1ca9b7c6c5";
ALTER INDEX "IDX_8d3cec4a5221398155c784ff78" RENAME TO "IDX_0a7eb01e21b1bfd0797ec1db50a";

ALTER TYPE contract_line_items_type_enum RENAME TO line_item_type;
ALTER TYPE contract_line_items_billingcycle_enum RENAME TO line_item_billing_cycle;
ALTER TYPE contracts_paymentterms_enum RENAME TO payment_terms;
ALTER TYPE contracts_type_enum RENAME TO contract_type;
ALTER TYPE contracts_status_enum RENAME TO contract_status;
ALTER TYPE contracts_billingfrequency_enum RENAME TO billing_frequency;
