-- SPDX-License-Identifier: MIT
-- The database account of bkflow-states: it may read five tables and nothing else. Load this while the
-- database with these tables is the current one (mariadb bkflow < grants.sql); with an
-- [engine_database] of its own, grant task_taskinstance and eri_state there and the other three in
-- the first. Put a password of your own in the place of CHANGE-ME, and a host or network in that of '%'.

CREATE USER IF NOT EXISTS 'bkflow_states'@'%' IDENTIFIED BY 'CHANGE-ME';

-- account_user holds password hashes as well, so only the columns that are needed.
GRANT SELECT (`id`, `username`, `is_active`) ON `account_user` TO 'bkflow_states'@'%';
GRANT SELECT ON `bkflow_states_app` TO 'bkflow_states'@'%';
GRANT SELECT ON `template_template` TO 'bkflow_states'@'%';
GRANT SELECT ON `task_taskinstance` TO 'bkflow_states'@'%';
GRANT SELECT ON `eri_state`         TO 'bkflow_states'@'%';
