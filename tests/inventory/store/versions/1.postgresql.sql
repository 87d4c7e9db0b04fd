CREATE SCHEMA northflank;
CREATE TABLE northflank.account_names (
    name text NOT NULL,
    account_id text NOT NULL
);
CREATE TABLE northflank.accounts (
    account_id text NOT NULL,
    host text NOT NULL,
    entity_type text,
    visibility text,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL
);
CREATE TABLE northflank.addon_rows (
    listing_id integer NOT NULL,
    id text NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    deleted_at timestamp with time zone,
    run_id integer NOT NULL,
    name text,
    type text,
    status text,
    data json NOT NULL
);
CREATE TABLE northflank.listings (
    listing_id integer NOT NULL,
    account_id text NOT NULL,
    team_id text NOT NULL,
    project_id text NOT NULL,
    addon_id text NOT NULL,
    kind text NOT NULL,
    read_at timestamp with time zone,
    run_id integer,
    is_open boolean NOT NULL,
    opened_by integer,
    reading_started_at timestamp with time zone,
    cursor text,
    page integer,
    pages_read integer NOT NULL,
    items_read integer NOT NULL,
    restarts integer NOT NULL,
    is_flawed boolean NOT NULL,
    digest text NOT NULL,
    previous_digest text
);
CREATE VIEW northflank.addons AS
 SELECT listings.account_id,
    listings.team_id,
    listings.project_id,
    addon_rows.id,
    addon_rows.name,
    addon_rows.type,
    addon_rows.status,
    addon_rows.first_seen_at,
        CASE
            WHEN (addon_rows.last_seen_at IS NOT NULL) THEN addon_rows.last_seen_at
            WHEN (listings.read_at > addon_rows.written_at) THEN listings.read_at
            ELSE addon_rows.written_at
        END AS last_seen_at,
    addon_rows.deleted_at,
    addon_rows.data
   FROM (northflank.addon_rows
     JOIN northflank.listings ON ((addon_rows.listing_id = listings.listing_id)));
CREATE TABLE northflank.backup_rows (
    listing_id integer NOT NULL,
    id text NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    deleted_at timestamp with time zone,
    run_id integer NOT NULL,
    name text,
    uid text,
    status text,
    created_at timestamp with time zone,
    completed_at timestamp with time zone,
    source_type text,
    size bigint,
    compression_type text,
    addon_version text,
    custom_destination_id text,
    data json NOT NULL
);
CREATE VIEW northflank.backups AS
 SELECT listings.account_id,
    listings.team_id,
    listings.project_id,
    listings.addon_id,
    backup_rows.id,
    backup_rows.name,
    backup_rows.uid,
    backup_rows.status,
    backup_rows.created_at,
    backup_rows.completed_at,
    backup_rows.source_type,
    backup_rows.size,
    backup_rows.compression_type,
    backup_rows.addon_version,
    backup_rows.custom_destination_id,
    backup_rows.first_seen_at,
        CASE
            WHEN (backup_rows.last_seen_at IS NOT NULL) THEN backup_rows.last_seen_at
            WHEN (listings.read_at > backup_rows.written_at) THEN listings.read_at
            ELSE backup_rows.written_at
        END AS last_seen_at,
    backup_rows.deleted_at,
    backup_rows.data
   FROM (northflank.backup_rows
     JOIN northflank.listings ON ((backup_rows.listing_id = listings.listing_id)));
CREATE TABLE northflank.copies (
    account_id text NOT NULL,
    team_id text NOT NULL,
    project_id text NOT NULL,
    addon_id text NOT NULL,
    backup_id text NOT NULL,
    destination text NOT NULL,
    path text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    fetched_at timestamp with time zone NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL
);
CREATE TABLE northflank.drills (
    account_id text NOT NULL,
    id text NOT NULL,
    team_id text,
    project_id text NOT NULL,
    addon_id text NOT NULL,
    addon_type text,
    backup_id text,
    backup_created_at timestamp with time zone,
    method text,
    scratch_project_id text NOT NULL,
    scratch_addon_id text,
    outcome text NOT NULL,
    reason text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    seconds double precision,
    restore_seconds double precision,
    backup_age double precision,
    checks json NOT NULL,
    notes json NOT NULL,
    is_kept boolean NOT NULL,
    left_behind text
);
CREATE TABLE northflank.excluded_ids (
    listing_id integer NOT NULL,
    id text NOT NULL
);
CREATE TABLE northflank.failures (
    id integer NOT NULL,
    run_id integer NOT NULL,
    account_id text NOT NULL,
    team_id text NOT NULL,
    project_id text NOT NULL,
    addon_id text NOT NULL,
    kind text NOT NULL,
    item_id text,
    error text NOT NULL
);
CREATE SEQUENCE northflank.failures_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE northflank.failures_id_seq OWNED BY northflank.failures.id;
CREATE TABLE northflank.lease (
    account_id text NOT NULL,
    holder text,
    host text,
    machine text,
    pid integer,
    process_started text,
    expires_at timestamp with time zone,
    transactions bigint NOT NULL
);
CREATE SEQUENCE northflank.listings_listing_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE northflank.listings_listing_id_seq OWNED BY northflank.listings.listing_id;
CREATE TABLE northflank.project_rows (
    listing_id integer NOT NULL,
    id text NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    deleted_at timestamp with time zone,
    run_id integer NOT NULL,
    name text,
    data json NOT NULL
);
CREATE VIEW northflank.projects AS
 SELECT listings.account_id,
    listings.team_id,
    project_rows.id,
    project_rows.name,
    project_rows.first_seen_at,
        CASE
            WHEN (project_rows.last_seen_at IS NOT NULL) THEN project_rows.last_seen_at
            WHEN (listings.read_at > project_rows.written_at) THEN listings.read_at
            ELSE project_rows.written_at
        END AS last_seen_at,
    project_rows.deleted_at,
    project_rows.data
   FROM (northflank.project_rows
     JOIN northflank.listings ON ((project_rows.listing_id = listings.listing_id)));
CREATE TABLE northflank.restore_rows (
    listing_id integer NOT NULL,
    id text NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    deleted_at timestamp with time zone,
    run_id integer NOT NULL,
    backup_id text,
    status text,
    restore_timestamp timestamp with time zone,
    completed_at timestamp with time zone,
    data json NOT NULL
);
CREATE VIEW northflank.restores AS
 SELECT listings.account_id,
    listings.team_id,
    listings.project_id,
    listings.addon_id,
    restore_rows.id,
    restore_rows.backup_id,
    restore_rows.status,
    restore_rows.restore_timestamp,
    restore_rows.completed_at,
    restore_rows.first_seen_at,
        CASE
            WHEN (restore_rows.last_seen_at IS NOT NULL) THEN restore_rows.last_seen_at
            WHEN (listings.read_at > restore_rows.written_at) THEN listings.read_at
            ELSE restore_rows.written_at
        END AS last_seen_at,
    restore_rows.deleted_at,
    restore_rows.data
   FROM (northflank.restore_rows
     JOIN northflank.listings ON ((restore_rows.listing_id = listings.listing_id)));
CREATE TABLE northflank.schedule_rows (
    listing_id integer NOT NULL,
    id text NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    deleted_at timestamp with time zone,
    run_id integer NOT NULL,
    backup_type text,
    "interval" text,
    retention_time bigint,
    created_at timestamp with time zone,
    updated_at timestamp with time zone,
    data json NOT NULL
);
CREATE VIEW northflank.schedules AS SELECT listings.account_id, listings.team_id, listings.project_id, listings.addon_id, schedule_rows.id, schedule_rows.backup_type, schedule_rows.interval, schedule_rows.retention_time, schedule_rows.created_at, schedule_rows.updated_at, schedule_rows.first_seen_at, CASE WHEN (schedule_rows.last_seen_at IS NOT NULL) THEN schedule_rows.last_seen_at WHEN (listings.read_at > schedule_rows.written_at) THEN listings.read_at ELSE schedule_rows.written_at END AS last_seen_at, schedule_rows.deleted_at, schedule_rows.data 
FROM northflank.schedule_rows JOIN northflank.listings ON schedule_rows.listing_id = listings.listing_id;
CREATE TABLE northflank.schema_version (
    application text NOT NULL,
    version integer NOT NULL
);
CREATE TABLE northflank.seen_ids (
    listing_id integer NOT NULL,
    id text NOT NULL
);
CREATE TABLE northflank.sync_runs (
    id integer NOT NULL,
    account_id text NOT NULL,
    fingerprint text NOT NULL,
    visibility text,
    token text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    superseded_by integer,
    projects bigint DEFAULT '0'::bigint NOT NULL,
    addons bigint DEFAULT '0'::bigint NOT NULL,
    addons_done bigint DEFAULT '0'::bigint NOT NULL,
    backups bigint DEFAULT '0'::bigint NOT NULL,
    pages bigint DEFAULT '0'::bigint NOT NULL
);
CREATE SEQUENCE northflank.sync_runs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE northflank.sync_runs_id_seq OWNED BY northflank.sync_runs.id;
ALTER TABLE ONLY northflank.failures ALTER COLUMN id SET DEFAULT nextval('northflank.failures_id_seq'::regclass);
ALTER TABLE ONLY northflank.listings ALTER COLUMN listing_id SET DEFAULT nextval('northflank.listings_listing_id_seq'::regclass);
ALTER TABLE ONLY northflank.sync_runs ALTER COLUMN id SET DEFAULT nextval('northflank.sync_runs_id_seq'::regclass);
INSERT INTO northflank.accounts VALUES ('acme', '127.0.0.1', 'team', '{}', '2026-11-25 17:46:51.908092+00', '2026-11-25 17:46:52.964445+00');
INSERT INTO northflank.addon_rows VALUES (3, 'b', '2026-11-25 17:46:52.172203+00', '2026-11-25 17:46:52.172203+00', NULL, NULL, 1, NULL, 'redis', 'running', '{"id":"b","spec":{"type":"redis"},"status":"running"}');
INSERT INTO northflank.addon_rows VALUES (2, 'a', '2026-11-25 17:46:52.1727+00', '2026-11-25 17:46:52.1727+00', NULL, NULL, 1, NULL, 'redis', 'running', '{"id":"a","spec":{"type":"redis"},"status":"running"}');
INSERT INTO northflank.backup_rows VALUES (4, 'b0', '2026-11-25 17:46:52.321033+00', '2026-11-25 17:46:52.321033+00', NULL, NULL, 1, NULL, NULL, 'completed', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"b0","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO northflank.backup_rows VALUES (6, 'b0', '2026-11-25 17:46:52.374318+00', '2026-11-25 17:46:52.374318+00', NULL, NULL, 1, NULL, NULL, 'completed', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"b0","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO northflank.backup_rows VALUES (6, 'b1', '2026-11-25 17:46:52.374318+00', '2026-11-25 17:46:52.374318+00', NULL, NULL, 1, NULL, NULL, 'completed', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"b1","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO northflank.backup_rows VALUES (6, 'b2', '2026-11-25 17:46:52.374318+00', '2026-11-25 17:46:52.374318+00', NULL, NULL, 1, NULL, NULL, 'completed', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"b2","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO northflank.backup_rows VALUES (4, 'b1', '2026-11-25 17:46:52.321033+00', '2026-11-25 17:46:52.321033+00', '2026-11-25 17:46:52.321033+00', '2026-11-25 17:46:53.090757+00', 1, NULL, NULL, 'completed', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"b1","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO northflank.failures VALUES (2, 2, 'acme', '', 'p', 'a', 'restores', 'r0', 'data.restores[0].restoreTimestamp: missing');
INSERT INTO northflank.listings VALUES (1, 'acme', '', '', '', 'projects', '2026-11-25 17:46:52.995544+00', 2, false, NULL, NULL, NULL, NULL, 0, 2, 0, false, '', NULL);
INSERT INTO northflank.listings VALUES (3, 'acme', '', 'q', '', 'addons', '2026-11-25 17:46:53.041466+00', 2, false, NULL, NULL, NULL, NULL, 0, 1, 0, false, '', NULL);
INSERT INTO northflank.listings VALUES (2, 'acme', '', 'p', '', 'addons', '2026-11-25 17:46:53.041959+00', 2, false, NULL, NULL, NULL, NULL, 0, 1, 0, false, '', NULL);
INSERT INTO northflank.listings VALUES (5, 'acme', '', 'q', 'b', 'restores', '2026-11-25 17:46:53.06886+00', 2, false, NULL, NULL, NULL, NULL, 0, 0, 0, false, '', NULL);
INSERT INTO northflank.listings VALUES (4, 'acme', '', 'q', 'b', 'backups', '2026-11-25 17:46:53.069735+00', 2, false, NULL, NULL, NULL, NULL, 0, 1, 0, false, '', NULL);
INSERT INTO northflank.listings VALUES (7, 'acme', '', 'p', 'a', 'restores', '2026-11-25 17:46:53.08701+00', 2, false, NULL, NULL, NULL, NULL, 0, 1, 0, false, '', NULL);
INSERT INTO northflank.listings VALUES (6, 'acme', '', 'p', 'a', 'backups', '2026-11-25 17:46:53.087498+00', 2, false, NULL, NULL, NULL, NULL, 0, 3, 0, false, '', NULL);
INSERT INTO northflank.project_rows VALUES (1, 'p', '2026-11-25 17:46:52.07539+00', '2026-11-25 17:46:52.07539+00', NULL, NULL, 1, NULL, '{"id":"p"}');
INSERT INTO northflank.project_rows VALUES (1, 'q', '2026-11-25 17:46:52.07539+00', '2026-11-25 17:46:52.07539+00', NULL, NULL, 1, NULL, '{"id":"q"}');
INSERT INTO northflank.restore_rows VALUES (7, 'r0', '2026-11-25 17:46:52.373836+00', '2026-11-25 17:46:52.373836+00', NULL, NULL, 1, 'b0', 'completed', NULL, NULL, '{"id":"r0","backupId":"b0","status":"completed"}');
INSERT INTO northflank.copies VALUES ('acme','','p','a','b0','s3://offsite/x','p/a/20261101T120000.000Z_b0.gz','2026-11-01 12:00:00.000+00:00','2026-11-25 17:46:51.000+00:00',5,'0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO northflank.drills VALUES ('acme', '0123456789abcdef', NULL, 'p', 'a', 'redis', 'b0', '2026-11-01 12:00:00.000+00:00', 'import', 'scratch', 'restore-drill-0123456789abcdef', 'passed', 'the backup was restored, and every check passed', '2026-11-25 17:46:51.000+00:00', '2026-11-25 17:47:51.000+00:00', 60.0, 40.0, 2094411.0, '[{"name":"running","status":"passed","message":"the addon is running"}]', '[]', false, NULL);
INSERT INTO northflank.schema_version VALUES ('northflank-async', 1);
INSERT INTO northflank.sync_runs VALUES (1, 'acme', '{"baseUrl": "http://127.0.0.1:44117", "teams": [""], "projects": null, "since": null, "statuses": [], "addonTypes": [], "restores": true}', '{}', '5ca46381b5ba50f5', '2026-11-25 17:46:51.954897+00', '2026-11-25 17:46:52.747135+00', NULL, 2, 2, 2, 5, 7);
INSERT INTO northflank.sync_runs VALUES (2, 'acme', '{"baseUrl": "http://127.0.0.1:44117", "teams": [""], "projects": null, "since": null, "statuses": [], "addonTypes": [], "restores": true}', '{}', '5ca46381b5ba50f5', '2026-11-25 17:46:52.985483+00', '2026-11-25 17:46:53.120383+00', NULL, 2, 2, 2, 4, 7);
SELECT pg_catalog.setval('northflank.failures_id_seq', 2, true);
SELECT pg_catalog.setval('northflank.listings_listing_id_seq', 7, true);
SELECT pg_catalog.setval('northflank.sync_runs_id_seq', 2, true);
ALTER TABLE ONLY northflank.account_names
    ADD CONSTRAINT account_names_pkey PRIMARY KEY (name);
ALTER TABLE ONLY northflank.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY northflank.addon_rows
    ADD CONSTRAINT addon_rows_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.backup_rows
    ADD CONSTRAINT backup_rows_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.copies
    ADD CONSTRAINT copies_pkey PRIMARY KEY (destination, path);
ALTER TABLE ONLY northflank.drills
    ADD CONSTRAINT drills_pkey PRIMARY KEY (account_id, id);
ALTER TABLE ONLY northflank.excluded_ids
    ADD CONSTRAINT excluded_ids_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (id);
ALTER TABLE ONLY northflank.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY northflank.listings
    ADD CONSTRAINT listings_account_id_team_id_project_id_addon_id_kind_key UNIQUE (account_id, team_id, project_id, addon_id, kind);
ALTER TABLE ONLY northflank.listings
    ADD CONSTRAINT listings_pkey PRIMARY KEY (listing_id);
ALTER TABLE ONLY northflank.project_rows
    ADD CONSTRAINT project_rows_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.restore_rows
    ADD CONSTRAINT restore_rows_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.schedule_rows
    ADD CONSTRAINT schedule_rows_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (application);
ALTER TABLE ONLY northflank.seen_ids
    ADD CONSTRAINT seen_ids_pkey PRIMARY KEY (listing_id, id);
ALTER TABLE ONLY northflank.sync_runs
    ADD CONSTRAINT sync_runs_pkey PRIMARY KEY (id);
