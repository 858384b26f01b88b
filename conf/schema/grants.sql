-- SPDX-License-Identifier: MIT
-- The database account of bkflow-states: it may read the columns that requests need, and nothing else.
-- Load this while the database with these tables is the current one (mariadb bkflow < grants.sql); with an
-- [engine_database] of its own, grant task_taskinstance and eri_state there and the other three in
-- the first. Put a password of your own in the place of CHANGE-ME, and a host or network in that of '%'.
-- bkflow-statesctl init-db prints the same statements for the configured account and databases.

CREATE USER IF NOT EXISTS 'bkflow_states'@'%' IDENTIFIED BY 'CHANGE-ME';

GRANT SELECT ON `bkflow_states_app` TO 'bkflow_states'@'%';
GRANT SELECT (`username`, `is_active`) ON `account_user` TO 'bkflow_states'@'%';
GRANT SELECT (`id`, `is_deleted`, `bk_app_code`) ON `template_template` TO 'bkflow_states'@'%';
GRANT SELECT (`id`, `is_started`, `is_deleted`, `is_expired`, `template_id`, `instance_id`)
  ON `task_taskinstance` TO 'bkflow_states'@'%';
GRANT SELECT (`id`, `node_id`, `root_id`, `parent_id`, `name`, `version`, `loop`, `retry`, `skip`,
              `error_ignored`, `started_time`, `archived_time`)
  ON `eri_state` TO 'bkflow_states'@'%';
