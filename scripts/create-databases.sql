-- Creates the missing databases of all eleven services on the server from compose.yaml.
select format('create database %I template template0', wanted.name)
from unnest(array[
    'soc_auth',
    'soc_clients',
    'soc_policies',
    'soc_controls',
    'soc_evidence',
    'soc_workflows',
    'soc_reporting',
    'soc_audits',
    'soc_integrations',
    'soc_notifications',
    'soc_ai'
]) as wanted (name)
where not exists (select from pg_database as present where present.datname = wanted.name)
\gexec
