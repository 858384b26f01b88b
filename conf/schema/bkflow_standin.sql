-- SPDX-License-Identifier: MIT
-- A stand-in for the BKFlow tables that bkflow-states reads, for demo and tests: the columns it uses,
-- with BKFlow's types, indexes and collation. It is loaded into the interface's and the engine's
-- database; BKFlow itself makes in each what that module uses, and a few tables more. In production
-- these tables are BKFlow's own; never load this file there. All times are UTC.

CREATE TABLE `template_template` (
  `id`          bigint       NOT NULL AUTO_INCREMENT,
  `is_deleted`  tinyint(1)   NOT NULL,
  `bk_app_code` varchar(128) NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `task_taskinstance` (
  `id`          bigint       NOT NULL AUTO_INCREMENT,
  `space_id`    int          NOT NULL,
  `instance_id` varchar(33)  NOT NULL,
  `template_id` bigint       NULL,
  `is_started`  tinyint(1)   NOT NULL,
  `is_finished` tinyint(1)   NOT NULL,
  `is_revoked`  tinyint(1)   NOT NULL,
  `is_deleted`  tinyint(1)   NOT NULL,
  `is_expired`  tinyint(1)   NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `instance_id` (`instance_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `eri_state` (
  `id`            bigint      NOT NULL AUTO_INCREMENT,
  `node_id`       varchar(33) NOT NULL,
  `root_id`       varchar(33) NOT NULL,
  `parent_id`     varchar(33) NOT NULL,
  `name`          varchar(64) NOT NULL,
  `version`       varchar(33) NOT NULL,
  `loop`          int         NOT NULL,
  `inner_loop`    int         NOT NULL,
  `retry`         int         NOT NULL,
  `skip`          tinyint(1)  NOT NULL,
  `error_ignored` tinyint(1)  NOT NULL,
  `created_time`  datetime(6) NOT NULL,
  `started_time`  datetime(6) NULL,
  `archived_time` datetime(6) NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `node_id` (`node_id`),
  KEY `eri_state_root_id` (`root_id`),
  KEY `eri_state_parent_id` (`parent_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `task_taskflowrelation` (
  `id`             bigint      NOT NULL AUTO_INCREMENT,
  `task_id`        bigint      NOT NULL,
  `parent_task_id` bigint      NOT NULL,
  `root_task_id`   bigint      NOT NULL,
  `create_time`    datetime(6) NOT NULL,
  `extra_info`     json        NULL,
  PRIMARY KEY (`id`),
  KEY `task_taskflowrelation_task_id` (`task_id`),
  KEY `task_taskflowrelation_parent_task_id` (`parent_task_id`),
  KEY `task_taskflowrelation_root_task_id` (`root_task_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `space_space` (
  `id`         int         NOT NULL AUTO_INCREMENT,
  `app_code`   varchar(32) NOT NULL,
  `is_deleted` tinyint(1)  NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `account_user` (
  `id`        int          NOT NULL AUTO_INCREMENT,
  `username`  varchar(255) NOT NULL,
  `is_active` tinyint(1)   NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `username` (`username`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
