-- SPDX-License-Identifier: MIT
-- The one table of bkflow-states itself. It stands in the database that [database] names, next to
-- BKFlow's interface tables; bkflow-statesctl creates and looks after it. All times are UTC.

CREATE TABLE IF NOT EXISTS `bkflow_states_app` (
  -- Unlike BKFlow's columns this one tells case and accents apart. Trailing spaces it does not
  -- (utf8mb4_bin pads), so the program compares the bytes of what it read once more.
  `bk_app_code`         varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `salt`                binary(16)   NOT NULL,
  `secret_digest`       binary(32)   NOT NULL COMMENT 'SHA-256 of salt followed by the secret',
  `previous_digest`     binary(32)   NULL     COMMENT 'the secret before the last rotation, same salt',
  `previous_expires_at` datetime(6)  NULL     COMMENT 'until then the previous secret is accepted',
  `is_enabled`          tinyint(1)   NOT NULL DEFAULT 1,
  `description`         varchar(255) NOT NULL DEFAULT '',
  `created_at`          datetime(6)  NOT NULL,
  `rotated_at`          datetime(6)  NULL,
  PRIMARY KEY (`bk_app_code`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
