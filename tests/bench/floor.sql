-- Everything that a request needs in one statement: application, user, task, template and nodes, with every check as a
-- condition. One round trip per request is what a client cannot go below; groups of requests can.
SELECT t.instance_id, s.id, s.node_id, s.parent_id, s.name, s.version, s.`loop`, s.retry, s.skip, s.error_ignored,
       s.started_time, s.archived_time
FROM bkflow_states_app a
LEFT JOIN account_user u ON u.username = :user
LEFT JOIN task_taskinstance t ON t.id = :task AND t.is_deleted = 0
LEFT JOIN template_template p ON p.id = t.template_id AND p.is_deleted = 0
LEFT JOIN eri_state s ON s.root_id = t.instance_id AND t.is_started = 1 AND t.is_expired = 0
    AND CAST(p.bk_app_code AS BINARY) = :app AND u.is_active = 1 AND CAST(u.username AS BINARY) = :user
    AND (a.secret_digest = x':digest' OR (a.previous_digest = x':digest'
         AND TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.previous_expires_at) > 0))
WHERE a.bk_app_code = :app AND a.is_enabled = 1 LIMIT 100001;
