-- SPDX-License-Identifier: MIT
-- For a read replica of BKFlow's engine database that bkflow-states reads from: an index that holds all columns of a
-- node that are read, in the order in which they are read. A task then costs the database less than half
-- (docs/scale.md has figures). It is as large as the table itself, and every write of eri_state pays for it: not for
-- BKFlow's primary.
CREATE INDEX bkflow_states_nodes ON eri_state
    (root_id, id, node_id, parent_id, name, version, `loop`, retry, skip, error_ignored, started_time, archived_time);
