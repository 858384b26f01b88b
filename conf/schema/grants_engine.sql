-- SPDX-License-Identifier: MIT
-- The account of bkflow-states in BKFlow's engine database, [engine_database] in its configuration: it may read the
-- columns that requests need, and nothing else. Load this while that database is the current one
-- (mariadb bkflow_engine < grants_engine.sql). Put a password of your own in the place of CHANGE-ME, and a host or
-- network in that of '%'. Where BKFlow has one database for everything, one account is enough: load this file too,
-- with bkflow_states in the place of bkflow_states_engine. bkflow-statesctl init-db prints the same grants for the
-- configured account.

CREATE USER IF NOT EXISTS 'bkflow_states_engine'@'%' IDENTIFIED BY 'CHANGE-ME';

GRANT SELECT (`id`, `space_id`, `is_started`, `is_deleted`, `is_expired`, `template_id`, `instance_id`)
  ON `task_taskinstance` TO 'bkflow_states_engine'@'%';
GRANT SELECT (`id`, `node_id`, `root_id`, `parent_id`, `name`, `version`, `loop`, `retry`, `skip`,
              `error_ignored`, `started_time`, `archived_time`)
  ON `eri_state` TO 'bkflow_states_engine'@'%';
-- Only for requests with subtasks=1:
GRANT SELECT (`id`, `task_id`, `parent_task_id`, `extra_info`)
  ON `task_taskflowrelation` TO 'bkflow_states_engine'@'%';
