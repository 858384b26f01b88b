SELECT a.bk_app_code, a.salt, a.secret_digest, a.previous_digest, u.is_active, t.id, t.template_id, t.is_started,
       t.is_expired, t.instance_id, p.bk_app_code
FROM bkflow_states_app a
LEFT JOIN account_user u ON u.username = :user
LEFT JOIN task_taskinstance t ON t.id = :task AND t.is_deleted = 0
LEFT JOIN template_template p ON p.id = t.template_id AND p.is_deleted = 0
WHERE a.bk_app_code = :app AND a.is_enabled = 1;
SELECT node_id, parent_id, name, version, `loop`, retry, skip, error_ignored, started_time, archived_time
FROM eri_state WHERE root_id = :root ORDER BY id;
