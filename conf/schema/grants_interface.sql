-- SPDX-License-Identifier: MIT
-- The account of bkflow-states in BKFlow's interface database, [database] in its configuration: it may read the
-- columns that requests need, and nothing else. Load this after bkflow_states.sql while that database is the current
-- one (mariadb bkflow < grants_interface.sql). Put a password of your own in the place of CHANGE-ME, and a host or
-- network in that of '%'. bkflow-statesctl init-db prints the same grants for the configured account.

CREATE USER IF NOT EXISTS 'bkflow_states'@'%' IDENTIFIED BY 'CHANGE-ME';

GRANT SELECT ON `bkflow_states_app` TO 'bkflow_states'@'%';
GRANT SELECT (`username`, `is_active`) ON `account_user` TO 'bkflow_states'@'%';
GRANT SELECT (`id`, `is_deleted`, `bk_app_code`) ON `template_template` TO 'bkflow_states'@'%';
-- Only for requests below /space/:
GRANT SELECT (`id`, `app_code`) ON `space_space` TO 'bkflow_states'@'%';

-- For bkflow-statesctl gateway-key and check, where BlueKing's API gateway is used: its public key. No request needs it.
-- GRANT SELECT (`scope`, `key`, `value`) ON `apigw_manager_context` TO 'bkflow_states'@'%';
