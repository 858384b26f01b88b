-- SPDX-License-Identifier: MIT
-- Sample data for the demo, in BKFlow's interface database: who asks, and the templates of the tasks in
-- sample_engine.sql. Application demo_app, secret demo-secret, user demo_user.

SET @now = UTC_TIMESTAMP(6);
SET @salt = UNHEX('000102030405060708090A0B0C0D0E0F');

INSERT INTO bkflow_states_app (bk_app_code, salt, secret_digest, is_enabled, description, created_at) VALUES
  ('demo_app',  @salt, UNHEX(SHA2(CONCAT(@salt, 'demo-secret'),  256)), 1, 'demo',                @now),
  ('other_app', @salt, UNHEX(SHA2(CONCAT(@salt, 'other-secret'), 256)), 1, 'somebody else',       @now),
  ('old_app',   @salt, UNHEX(SHA2(CONCAT(@salt, 'old-secret'),   256)), 0, 'disabled long since', @now);

INSERT INTO account_user (id, username, is_active) VALUES
  (1, 'demo_user', 1),
  (2, 'gone_user', 0);

INSERT INTO space_space (id, app_code) VALUES
  (1, 'demo_app'),
  (2, 'other_app');

INSERT INTO template_template (id, is_deleted, bk_app_code) VALUES
  (1, 0, 'demo_app'),
  (2, 0, 'other_app'),
  (3, 0, NULL),
  (4, 1, 'demo_app'),
  (5, 0, 'demo_app');
