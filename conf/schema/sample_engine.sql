-- SPDX-License-Identifier: MIT
-- Sample data for the demo, in BKFlow's engine database: tasks of the templates in sample_interface.sql. As in BKFlow
-- since November 2025, a sub-process is a task of its own, and trees are flat; task 11 is older.
--
--   task  state        what to see
--   1     finished     four steps; one needed a retry
--   2     running      its last step started a sub-process: task 12; elapsed_time grows with every call
--   3     failed       a failed step makes the running task FAILED
--   4     suspended    a suspended step makes the running task NODE_SUSPENDED
--   5     not started  CREATED, empty
--   6     expired      404, as if it did not exist
--   7     running      bound to other_app: 403 for demo_app
--   8     running      its template is bound to no application: 403
--   9     finished     its template is deleted: 404
--   11    running      older: a sub-process inside a sub-process, all in one tree
--   12    running      the sub-process that task 2 started

SET @now = UTC_TIMESTAMP(6);

-- Node ids in BKFlow are 'n' and 32 hexadecimal digits, versions 'v' and 32. Digits of a readable name's
-- SHA-256 give ids of that form that are the same in every demo. (MySQL 9 has no MD5 any more.)
INSERT INTO task_taskinstance
  (id, space_id, instance_id, template_id, is_started, is_finished, is_revoked, is_deleted, is_expired) VALUES
  (1,  1, CONCAT('n', LEFT(SHA2('1',  256), 32)), 1, 1, 1, 0, 0, 0),
  (2,  1, CONCAT('n', LEFT(SHA2('2',  256), 32)), 1, 1, 0, 0, 0, 0),
  (3,  1, CONCAT('n', LEFT(SHA2('3',  256), 32)), 1, 1, 0, 0, 0, 0),
  (4,  1, CONCAT('n', LEFT(SHA2('4',  256), 32)), 1, 1, 0, 0, 0, 0),
  (5,  1, CONCAT('n', LEFT(SHA2('5',  256), 32)), 1, 0, 0, 0, 0, 0),
  (6,  1, CONCAT('n', LEFT(SHA2('6',  256), 32)), 1, 1, 0, 0, 0, 1),
  (7,  2, CONCAT('n', LEFT(SHA2('7',  256), 32)), 2, 1, 0, 0, 0, 0),
  (8,  1, CONCAT('n', LEFT(SHA2('8',  256), 32)), 3, 1, 0, 0, 0, 0),
  (9,  1, CONCAT('n', LEFT(SHA2('9',  256), 32)), 4, 1, 1, 0, 0, 0),
  (11, 1, CONCAT('n', LEFT(SHA2('11', 256), 32)), 1, 1, 0, 0, 0, 0),
  (12, 1, CONCAT('n', LEFT(SHA2('12', 256), 32)), 5, 1, 0, 0, 0, 0);

-- One line for each node: task, node, parent, state, retries, seconds ago started and ended.
CREATE TEMPORARY TABLE sample_node (
  seq       int AUTO_INCREMENT PRIMARY KEY,
  task      varchar(8), node varchar(32), parent varchar(32), state varchar(64), retry int,
  started   int, ended int NULL
);
INSERT INTO sample_node (task, node, parent, state, retry, started, ended) VALUES
  ('1', '1',                  '1',             'FINISHED',  0, 7200, 7080),
  ('1', '1 start',            '1',             'FINISHED',  0, 7200, 7200),
  ('1', '1 copy files',       '1',             'FINISHED',  1, 7200, 7110),
  ('1', '1 restart service',  '1',             'FINISHED',  0, 7110, 7080),
  ('1', '1 end',              '1',             'FINISHED',  0, 7080, 7080),

  ('2', '2',                  '2',             'RUNNING',   0,  600, NULL),
  ('2', '2 start',            '2',             'FINISHED',  0,  600,  600),
  ('2', '2 prepare',          '2',             'FINISHED',  0,  600,  480),
  ('2', '2 roll out',         '2',             'RUNNING',   0,  480, NULL),

  ('3', '3',                  '3',             'RUNNING',   0, 3600, NULL),
  ('3', '3 start',            '3',             'FINISHED',  0, 3600, 3600),
  ('3', '3 install',          '3',             'FINISHED',  0, 3600, 3400),
  ('3', '3 health check',     '3',             'FAILED',    3, 3400, 3300),

  ('4', '4',                  '4',             'RUNNING',   0, 1800, NULL),
  ('4', '4 start',            '4',             'FINISHED',  0, 1800, 1800),
  ('4', '4 fork',             '4',             'FINISHED',  0, 1800, 1800),
  ('4', '4 watch metrics',    '4',             'RUNNING',   0, 1800, NULL),
  ('4', '4 approval',         '4',             'SUSPENDED', 0, 1700, NULL),

  ('7', '7',                  '7',             'RUNNING',   0,  300, NULL),
  ('8', '8',                  '8',             'RUNNING',   0,  300, NULL),
  ('9', '9',                  '9',             'FINISHED',  0,  300,  200),

  ('11', '11',                '11',            'RUNNING',   0,  900, NULL),
  ('11', '11 start',          '11',            'FINISHED',  0,  900,  900),
  ('11', '11 prepare',        '11',            'FINISHED',  0,  900,  720),
  ('11', '11 roll out',       '11',            'RUNNING',   0,  720, NULL),
  ('11', '11 first region',   '11 roll out',   'FINISHED',  0,  720,  300),
  ('11', '11 second region',  '11 roll out',   'RUNNING',   0,  300, NULL),
  ('11', '11 drain traffic',  '11 second region', 'FINISHED', 2, 300, 140),
  ('11', '11 install',        '11 second region', 'RUNNING', 0,  140, NULL),

  ('12', '12',                '12',            'RUNNING',   0,  480, NULL),
  ('12', '12 start',          '12',            'FINISHED',  0,  480,  480),
  ('12', '12 drain traffic',  '12',            'FINISHED',  2,  480,   90),
  ('12', '12 install',        '12',            'RUNNING',   0,   90, NULL);

INSERT INTO eri_state
  (id, node_id, root_id, parent_id, name, version, `loop`, inner_loop, retry, skip, error_ignored,
   created_time, started_time, archived_time)
SELECT seq, CONCAT('n', LEFT(SHA2(node, 256), 32)), CONCAT('n', LEFT(SHA2(task, 256), 32)), CONCAT('n', LEFT(SHA2(parent, 256), 32)), state,
       CONCAT('v', LEFT(SHA2(CONCAT(node, ' version'), 256), 32)), 1, 1, retry, 0, 0,
       @now - INTERVAL started SECOND, @now - INTERVAL started SECOND, @now - INTERVAL ended SECOND
FROM sample_node ORDER BY seq;

DROP TEMPORARY TABLE sample_node;

-- Which run of which node started task 12.
INSERT INTO task_taskflowrelation (task_id, parent_task_id, root_task_id, create_time, extra_info) VALUES
  (12, 2, 2, @now - INTERVAL 480 SECOND,
   JSON_OBJECT('node_id', CONCAT('n', LEFT(SHA2('2 roll out', 256), 32)),
               'node_version', CONCAT('v', LEFT(SHA2('2 roll out version', 256), 32))));
