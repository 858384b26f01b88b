SELECT a.salt, a.secret_digest, a.previous_digest, s.id, s.node_id, s.parent_id, s.name, s.version, s.`loop`, s.retry,
       s.skip, s.error_ignored, s.started_time, s.archived_time
FROM bkflow_states_app a
LEFT JOIN account_user u ON u.username = :user
LEFT JOIN task_taskinstance t ON t.id = :task AND t.is_deleted = 0
LEFT JOIN template_template p ON p.id = t.template_id AND p.is_deleted = 0
LEFT JOIN eri_state s ON s.root_id = t.instance_id AND CAST(p.bk_app_code AS BINARY) = :app AND u.is_active = 1
     AND t.is_started = 1 AND t.is_expired = 0
WHERE a.bk_app_code = :app AND a.is_enabled = 1;
